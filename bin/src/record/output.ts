// SPDX-License-Identifier: Apache-2.0
//
// Writes the recorded profile.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { encodePprofPayload } from '@hearthscope/agent/export/pprof-payload';
import { encodeCollapsed } from '@hearthscope/profile/codecs/collapsed';

import type { Profile } from '@hearthscope/profile/profile';
import { writeWhole } from '../query/answer-output.ts';
import type { OutputFormat } from './options.ts';

/** @returns bytes written */
export async function writeProfile(profile: Profile, path: string, format: OutputFormat): Promise<number> {
  const bytes =
    format === 'pprof'
      ? await promisify(gzip)(encodePprofPayload(profile))
      : Buffer.from(encodeCollapsed(profile));
  await writeWhole(path, bytes);
  return bytes.length;
}
