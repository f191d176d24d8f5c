// SPDX-License-Identifier: Apache-2.0
//
// Whether a block's files are still what was written: their length and CRC-32 are in the manifest.

import { crc32 } from 'node:zlib';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { ObjectStore } from '../object-store/object-store.ts';
import { blockKey } from './block-writer.ts';
import type { BlockFileName, BlockMeta } from './manifest.ts';

const CHUNK_BYTES = 4 * 1024 * 1024;

/** What is wrong with a file; the text has its key. */
export interface BlockFileProblem {
  readonly name: BlockFileName;
  readonly isMissing: boolean;
  readonly problem: string;
}

/** @returns undefined when nothing is wrong
 * @throws HearthscopeError when the store cannot be read */
export async function blockFileProblem(
  store: ObjectStore,
  tenant: string,
  block: BlockMeta,
  name: BlockFileName,
): Promise<BlockFileProblem | undefined> {
  const key = blockKey(tenant, block.id, name);
  const expected = block.files[name]!;
  const damaged = (problem: string): BlockFileProblem => ({
    name,
    isMissing: false,
    problem: `${key} ${problem}`,
  });
  const missing: BlockFileProblem = { name, isMissing: true, problem: `${key} is missing` };
  try {
    const info = await store.head(key);
    if (info === undefined) return missing;
    if (info.sizeBytes !== expected.bytes) {
      return damaged(`is damaged: it has ${info.sizeBytes} bytes, ${expected.bytes} were written`);
    }
    let checksum = 0;
    for (let start = 0; start < expected.bytes; start += CHUNK_BYTES) {
      checksum = crc32(
        await store.getRange(key, start, Math.min(CHUNK_BYTES, expected.bytes - start)),
        checksum,
      );
    }
    return checksum === expected.crc32 ? undefined : damaged('is damaged: its checksum is wrong');
  } catch (error) {
    if (!(error instanceof HearthscopeError)) throw error;
    if (error.code === 'not_found') return missing;
    if (error.code === 'data_loss') return damaged(`cannot be read: ${error.message}`);
    throw error;
  }
}

/** The problems of all files of a block. */
export async function blockProblems(
  store: ObjectStore,
  tenant: string,
  block: BlockMeta,
): Promise<BlockFileProblem[]> {
  const problems: BlockFileProblem[] = [];
  for (const name of Object.keys(block.files) as BlockFileName[]) {
    const problem = await blockFileProblem(store, tenant, block, name);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}
