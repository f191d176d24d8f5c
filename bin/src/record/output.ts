// SPDX-License-Identifier: Apache-2.0
//
// Writes the recorded profile. The file appears whole or not at all: a reader never sees half of one.

import { rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { encodeCollapsed } from '@hearthscope/profile/codecs/collapsed';
import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import type { Profile } from '@hearthscope/profile/profile';
import type { OutputFormat } from './options.ts';

/** @returns bytes written */
export async function writeProfile(profile: Profile, path: string, format: OutputFormat): Promise<number> {
  const bytes =
    format === 'pprof' ? await promisify(gzip)(encodePprof(profile)) : Buffer.from(encodeCollapsed(profile));
  const partial = `${path}.${process.pid}.partial`;
  try {
    await writeFile(partial, bytes);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return bytes.length;
}
