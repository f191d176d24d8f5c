// SPDX-License-Identifier: Apache-2.0
//
// Where the files of blocks can be read: SQL wants paths. A local store has them; what lies in a bucket is fetched first.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { ObjectStore, RequestOptions } from '../object-store/object-store.ts';
import type { RowRange } from './block-series.ts';
import { blockKey } from './block-writer.ts';
import type { BlockFileName, BlockMeta } from './manifest.ts';

/** A file that stays until it is given back. */
export interface HeldFile extends Disposable {
  readonly path: string;
}

/** Rows that are needed: those whose value of the column is in one of the ranges. Others may be there as well. */
export interface WantedRows {
  /** An `uinteger`. */
  readonly column: string;
  /** Ascending. */
  readonly ranges: readonly RowRange[];
}

export interface HoldOptions extends RequestOptions {
  /** What the rows of a table that are needed all have in common. */
  readonly rows?: readonly WantedRows[];
}

export interface BlockFiles {
  /** @throws HearthscopeError not_found when the block has no such file, or it is gone */
  hold(tenant: string, block: BlockMeta, name: BlockFileName, options?: HoldOptions): Promise<HeldFile>;
  /** A part of a file, without fetching all of it. */
  read(
    tenant: string,
    block: BlockMeta,
    name: BlockFileName,
    start: number,
    length: number,
    options?: RequestOptions,
  ): Promise<Uint8Array>;
}

/** Files of a store whose objects are local files. */
export class LocalBlockFiles implements BlockFiles {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async hold(tenant: string, block: BlockMeta, name: BlockFileName): Promise<HeldFile> {
    const path = this.#store.localPath(blockKey(tenant, block.id, name));
    if (path === undefined || block.files[name] === undefined) {
      throw new HearthscopeError('not_found', `block ${block.id} has no local file ${name}`);
    }
    return { path, [Symbol.dispose]: () => undefined };
  }

  read(
    tenant: string,
    block: BlockMeta,
    name: BlockFileName,
    start: number,
    length: number,
  ): Promise<Uint8Array> {
    return this.#store.getRange(blockKey(tenant, block.id, name), start, length);
  }
}
