// SPDX-License-Identifier: Apache-2.0
//
// The symbols of a tenant's blocks in memory. As stack ids are made of what a stack says, the symbols of all blocks are one
// set, and loading a block adds what is new. When the memory is used up the set is given up and begun anew with what the
// query at hand needs.

import { FormatError, HearthscopeError } from '@hearthscope/profile/errors';
import { MemoryBudget } from '../head/memory-budget.ts';
import { StackTable } from '../head/stack-table.ts';
import { SymbolTable } from '../head/symbol-table.ts';
import type { Pace } from '../store.ts';
import type { BlockFiles } from './block-files.ts';
import { blockKey } from './block-writer.ts';
import type { BlockMeta } from './manifest.ts';
import { decodeSymbolSection, type SymbolTables } from './symbols-codec.ts';
import { readSymbolSection, readSymbolsDirectory, type SymbolSectionPlace } from './symbols-file.ts';

/** Symbols that a query needs. */
export interface NeededSymbols {
  readonly block: BlockMeta;
  readonly services: Iterable<string>;
}

interface TenantSymbols {
  readonly tables: SymbolTables;
  readonly budget: MemoryBudget;
  /** `block/service` */
  readonly loaded: Set<string>;
}

export class SymbolCache {
  readonly #files: BlockFiles;
  readonly #maxBytes: number;
  /** By tenant, the one used last at the end. */
  readonly #tenants = new Map<string, TenantSymbols>();
  readonly #directories = new Map<string, Promise<ReadonlyMap<string, SymbolSectionPlace>>>();
  /** One load at a time: two would intern the same symbols. */
  #loading: Promise<unknown> = Promise.resolve();

  /** @param maxBytes of all tenants' symbols together */
  constructor(files: BlockFiles, maxBytes: number) {
    this.#files = files;
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const { budget } of this.#tenants.values()) bytes += budget.usedBytes;
    return bytes;
  }

  /** Tables that hold the symbols; more may come to them later, but nothing in them changes.
   * @throws HearthscopeError resource_exhausted when the symbols alone are more than may be kept */
  load(tenant: string, needed: readonly NeededSymbols[], pace: Pace): Promise<SymbolTables> {
    const load = this.#loading.then(() => this.#load(tenant, needed, pace));
    this.#loading = load.catch(() => undefined);
    return load;
  }

  /** What is known of blocks that are no more. */
  forget(blockIds: Iterable<string>): void {
    for (const id of blockIds) this.#directories.delete(id);
  }

  async #load(tenant: string, needed: readonly NeededSymbols[], pace: Pace): Promise<SymbolTables> {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) {
      try {
        return await this.#add(tenant, known, needed, pace);
      } catch (error) {
        if (!isFull(error)) throw error;
      }
    }
    // Others give way first, those that were used longest ago.
    this.#tenants.delete(tenant);
    const fresh = newTenantSymbols(this.#maxBytes);
    try {
      return await this.#add(tenant, fresh, needed, pace);
    } catch (error) {
      if (!isFull(error)) throw error;
      throw new HearthscopeError(
        'resource_exhausted',
        `the symbols of this query need more than ${this.#maxBytes} bytes of memory; ask for fewer services or less time`,
        { cause: error },
      );
    }
  }

  async #add(
    tenant: string,
    symbols: TenantSymbols,
    needed: readonly NeededSymbols[],
    pace: Pace,
  ): Promise<SymbolTables> {
    for (const { block, services } of needed) {
      for (const service of services) {
        const key = `${block.id}/${service}`;
        if (symbols.loaded.has(key)) continue;
        try {
          const section = await this.#section(tenant, block, service);
          if (section !== undefined) await pace.run(decodeSymbolSection(section, symbols.tables));
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          const file = blockKey(tenant, block.id, 'symbols.bin');
          throw new HearthscopeError('data_loss', `${file}: ${error.message}`, { cause: error });
        }
        symbols.loaded.add(key);
      }
    }
    this.#tenants.delete(tenant);
    this.#tenants.set(tenant, symbols);
    for (const [other] of this.#tenants) {
      if (this.usedBytes <= this.#maxBytes || other === tenant) break;
      this.#tenants.delete(other);
    }
    return symbols.tables;
  }

  async #section(tenant: string, block: BlockMeta, service: string): Promise<Uint8Array | undefined> {
    const read = (start: number, length: number) =>
      this.#files.read(tenant, block, 'symbols.bin', start, length);
    let directory = this.#directories.get(block.id);
    if (directory === undefined) {
      directory = readSymbolsDirectory(read, block.files['symbols.bin']?.bytes ?? 0);
      this.#directories.set(block.id, directory);
      directory.catch(() => this.#directories.delete(block.id));
    }
    const place = (await directory).get(service);
    return place === undefined ? undefined : readSymbolSection(read, place);
  }
}

function newTenantSymbols(maxBytes: number): TenantSymbols {
  const budget = new MemoryBudget(maxBytes);
  const symbols = new SymbolTable(budget);
  return { budget, tables: { symbols, stacks: new StackTable(symbols, budget) }, loaded: new Set() };
}

/** What a MemoryBudget throws. */
function isFull(error: unknown): boolean {
  return error instanceof HearthscopeError && error.code === 'unavailable';
}
