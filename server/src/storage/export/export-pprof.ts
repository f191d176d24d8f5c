// SPDX-License-Identifier: Apache-2.0
//
// A selection of stored profiles merged into one pprof file.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { mergedProfileHeader } from '../../query/merge-profile.ts';
import type { OpenExport } from './open-export.ts';

/** @returns the file, compressed with gzip
 * @throws HearthscopeError not_found when all samples cancel each other out */
export async function exportPprof({ blocks, question, type, range }: OpenExport): Promise<Uint8Array> {
  const merged = await blocks.mergeStacks(question, {});
  if (merged === undefined) throw new HearthscopeError('not_found', 'the selected profiles have no samples');
  return promisify(gzip)(encodePprof({ ...merged.profile, ...mergedProfileHeader(type, range) }));
}
