// SPDX-License-Identifier: Apache-2.0
//
// Blocks whose files are not what was written. Answers do without them: one flipped bit must neither take a tenant's other
// data away nor give wrong numbers. Each is logged as an error, counted for as long as it is damaged, never merged into a
// sound block, and looked at again with every upkeep, so that a file that was restored counts again.

import { FormatError, HearthscopeError } from '@hearthscope/profile/errors';
import type { Log } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { blockProblems } from './block-checksums.ts';
import { type BlockMeta, bytesOf } from './manifest.ts';

/** A block that was sound is believed to be so for this long, as checking reads all of it. */
const SOUND_MILLIS = 10 * 60_000;

interface DamagedBlock {
  readonly tenant: string;
  readonly block: BlockMeta;
}

export class DamagedBlocks {
  readonly #store: ObjectStore;
  readonly #log: Log;
  readonly #isNamed: (tenant: string, blockId: string) => Promise<boolean>;
  readonly #damaged = new Map<string, DamagedBlock>();
  /** When each block was found sound, by a clock that nobody sets. */
  readonly #soundAt = new Map<string, number>();

  /** @param isNamed whether the tenant's latest manifest names the block: files of others may be gone */
  constructor(store: ObjectStore, log: Log, isNamed: (tenant: string, blockId: string) => Promise<boolean>) {
    this.#isNamed = isNamed;
    this.#store = store;
    this.#log = log;
  }

  get size(): number {
    return this.#damaged.size;
  }

  has(blockId: string): boolean {
    return this.#damaged.has(blockId);
  }

  /** A file of the block is not what was written. */
  report(tenant: string, block: BlockMeta, problem: string): void {
    if (this.#damaged.has(block.id)) return;
    this.#damaged.set(block.id, { tenant, block });
    this.#soundAt.delete(block.id);
    this.#log.error(
      { tenant, block: block.id, startMillis: block.startMillis, endMillis: block.endMillis, problem },
      'a block is damaged; answers do without it until its files are restored',
    );
  }

  /** Reads the blocks, unless one is known to be damaged, and but for those that were sound a moment ago.
   * @returns whether one of them is damaged
   * @throws HearthscopeError when the store cannot be read */
  async find(tenant: string, blocks: readonly BlockMeta[], signal?: AbortSignal): Promise<boolean> {
    const isDamaged = () => blocks.some(({ id }) => this.has(id));
    if (isDamaged()) return true;
    for (const block of blocks) {
      signal?.throwIfAborted();
      const soundAt = this.#soundAt.get(block.id);
      if (soundAt !== undefined && performance.now() - soundAt < SOUND_MILLIS) continue;
      await this.#check(tenant, block);
    }
    return isDamaged();
  }

  /** Reads blocks that were never read since the start, the newest first.
   * @param maxBytes nearly
   * @returns how many bytes were read */
  async scrub(
    tenant: string,
    blocks: readonly BlockMeta[],
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<number> {
    let bytes = 0;
    for (const block of blocks.toSorted((a, b) => b.endMillis - a.endMillis)) {
      if (bytes >= maxBytes || signal?.aborted) break;
      if (this.has(block.id) || this.#soundAt.has(block.id)) continue;
      bytes += bytesOf(block);
      await this.#check(tenant, block);
    }
    return bytes;
  }

  /** Looks again at what was damaged. */
  async recheck(signal?: AbortSignal): Promise<void> {
    for (const [id, { tenant, block }] of this.#damaged) {
      signal?.throwIfAborted();
      if ((await blockProblems(this.#store, tenant, block)).length > 0) continue;
      this.#damaged.delete(id);
      this.#log.info({ tenant, block: id }, 'a block that was damaged is whole again');
    }
  }

  /** What is known of blocks that are no more. */
  forget(blockIds: Iterable<string>): void {
    for (const id of blockIds) {
      this.#damaged.delete(id);
      this.#soundAt.delete(id);
    }
  }

  async #check(tenant: string, block: BlockMeta): Promise<void> {
    const [first] = await blockProblems(this.#store, tenant, block);
    if (first === undefined) this.#soundAt.set(block.id, performance.now());
    else if (await this.#isNamed(tenant, block.id)) this.report(tenant, block, first.problem);
  }
}

/** Whether work with blocks may have failed because files are gone or not what they were. */
export function mayBeDamage(error: unknown): boolean {
  if (error instanceof FormatError || !(error instanceof HearthscopeError)) return true;
  return ['data_loss', 'not_found', 'internal'].includes(error.code);
}
