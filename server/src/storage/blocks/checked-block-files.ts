// SPDX-License-Identifier: Apache-2.0
//
// Files of blocks that are checked when they are used first: Parquet that DuckDB writes has no checksums of its own, and a
// flipped bit may read as another number. Small files are checked before they are read, large ones meanwhile, as that
// would keep a question waiting.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { ObjectStore } from '../object-store/object-store.ts';
import { blockFileProblem } from './block-checksums.ts';
import type { BlockFiles, HeldFile, HoldOptions } from './block-files.ts';
import type { BlockFileName, BlockMeta } from './manifest.ts';

/** Larger files are checked while they are read already; this takes some milliseconds. */
export const MAX_AWAITED_CHECK_BYTES = 16 * 1024 * 1024;

export type OnDamage = (tenant: string, block: BlockMeta, problem: string) => void;

/** For stores whose files are local. */
export class CheckedBlockFiles implements BlockFiles {
  readonly #files: BlockFiles;
  readonly #store: ObjectStore;
  readonly #onDamage: OnDamage;
  /** Checks that are done or going on, by block and file. */
  readonly #checks = new Map<string, Map<BlockFileName, Promise<void>>>();

  constructor(files: BlockFiles, store: ObjectStore, onDamage: OnDamage) {
    this.#files = files;
    this.#store = store;
    this.#onDamage = onDamage;
  }

  /** @throws HearthscopeError data_loss, naming the file, when it is not what was written; not_found when it is gone, as
   * its block may be */
  async hold(
    tenant: string,
    block: BlockMeta,
    name: BlockFileName,
    options?: HoldOptions,
  ): Promise<HeldFile> {
    const held = await this.#files.hold(tenant, block, name, options);
    const check = this.#check(tenant, block, name);
    if (block.files[name]!.bytes > MAX_AWAITED_CHECK_BYTES) {
      // Whoever asks next does without the block; see DamagedBlocks.
      check.catch(() => undefined);
      return held;
    }
    try {
      await check;
      return held;
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
  }

  /** Only symbols are read so, which have checksums of their own. */
  read(...parameters: Parameters<BlockFiles['read']>): ReturnType<BlockFiles['read']> {
    return this.#files.read(...parameters);
  }

  /** What is known of blocks that are no more. */
  forget(blockIds: Iterable<string>): void {
    for (const id of blockIds) this.#checks.delete(id);
  }

  #check(tenant: string, block: BlockMeta, name: BlockFileName): Promise<void> {
    let checks = this.#checks.get(block.id);
    if (checks === undefined) {
      checks = new Map();
      this.#checks.set(block.id, checks);
    }
    let check = checks.get(name);
    if (check === undefined) {
      check = this.#run(tenant, block, name);
      checks.set(name, check);
      // It may be restored, or only have been unreadable for a moment.
      check.catch(() => checks.delete(name));
    }
    return check;
  }

  async #run(tenant: string, block: BlockMeta, name: BlockFileName): Promise<void> {
    const problem = await blockFileProblem(this.#store, tenant, block, name);
    if (problem === undefined) return;
    if (problem.isMissing) throw new HearthscopeError('not_found', problem.problem);
    this.#onDamage(tenant, block, problem.problem);
    throw new HearthscopeError('data_loss', problem.problem);
  }
}
