// SPDX-License-Identifier: Apache-2.0
//
// Names for kernel addresses from /proc/kallsyms. Reading that file takes the kernel 50 ms, so it is read again only
// when there is a reason to: an address without a name that was not nameless at the last read (a BPF program or module
// loaded since), a changed list of modules, or BPF programs in the answer that may have been replaced since.

import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { messageOf } from '@hearthscope/profile/errors';
import {
  KallsymsParser,
  type KernelSymbols,
  kernelSymbolOf,
  parseModules,
} from '@hearthscope/profile/symbols/kallsyms';
import { zstdNames } from './name-compression.ts';
import type { SymbolCounters } from './symbol-counters.ts';

/** At most one read in this time, whatever the reason. */
const minReadIntervalMillis = 60_000;
/** Each read for the sake of nameless addresses that names none of them doubles the time to the next, up to this. */
const maxReadIntervalMillis = 16 * 60_000;
/** BPF programs come and go at the same addresses without a trace; names of theirs are trusted for this long. */
const bpfLifetimeMillis = 10 * 60_000;
const maxKallsymsBytes = 128 * 1024 * 1024;
const maxKnownNameless = 65_536;
const chunkBytes = 64 * 1024;

export interface KernelSymbolizerOptions {
  readonly counters: SymbolCounters;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  readonly kallsymsPath?: string;
  readonly modulesPath?: string;
}

export class KernelSymbolizer {
  readonly #counters: SymbolCounters;
  readonly #now: () => number;
  readonly #kallsymsPath: string;
  readonly #modulesPath: string;
  readonly #knownNameless = new Set<bigint>();
  #symbols: KernelSymbols | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #namelessIntervalMillis = minReadIntervalMillis;
  #modulesText = '';

  constructor(options: KernelSymbolizerOptions) {
    this.#counters = options.counters;
    this.#now = options.now ?? (() => performance.now());
    this.#kallsymsPath = options.kallsymsPath ?? '/proc/kallsyms';
    this.#modulesPath = options.modulesPath ?? '/proc/modules';
  }

  get bytes(): number {
    return this.#symbols?.table.byteLength ?? 0;
  }

  /** Names and modules by address, '' where no function of the kernel covers it. Never throws. */
  symbolize(addresses: BigUint64Array): { names: string[]; modules: string[] } {
    if (addresses.length === 0) return { names: [], modules: [] };
    let names = this.#lookUp(addresses);
    const reason = this.#reasonToRead(addresses, names);
    if (reason !== '') {
      const namelessBefore = countNameless(names);
      this.#read(reason);
      names = this.#lookUp(addresses);
      this.#rememberNameless(addresses, names);
      this.#namelessIntervalMillis =
        reason === 'unnamed_address' && countNameless(names) >= namelessBefore
          ? Math.min(this.#namelessIntervalMillis * 2, maxReadIntervalMillis)
          : minReadIntervalMillis;
    }
    const symbols = names.map(kernelSymbolOf);
    const nameless = countNameless(names);
    this.#counters.add('addresses', 'kernel_named', names.length - nameless);
    this.#counters.add('addresses', this.#isRestricted ? 'kernel_restricted' : 'kernel_unnamed', nameless);
    return { names: symbols.map(({ name }) => name), modules: symbols.map(({ module }) => module) };
  }

  get #isRestricted(): boolean {
    return this.#symbols?.isRestricted ?? false;
  }

  #lookUp(addresses: BigUint64Array): string[] {
    return this.#symbols?.table.namesAt(addresses) ?? new Array<string>(addresses.length).fill('');
  }

  #reasonToRead(addresses: BigUint64Array, names: readonly string[]): string {
    const age = this.#now() - this.#readAt;
    if (age < minReadIntervalMillis) return '';
    if (this.#symbols === undefined) return 'first';
    const isNewlyNameless = (name: string, i: number): boolean =>
      name === '' && !this.#knownNameless.has(addresses[i]!);
    if (age >= this.#namelessIntervalMillis && names.some(isNewlyNameless)) return 'unnamed_address';
    if (this.#readModules() !== this.#modulesText) return 'modules_changed';
    if (age >= bpfLifetimeMillis && names.some((name) => name.endsWith('\t[bpf]'))) return 'bpf_aged';
    return '';
  }

  #read(reason: string): void {
    this.#readAt = this.#now();
    this.#knownNameless.clear();
    this.#modulesText = this.#readModules();
    try {
      const parser = new KallsymsParser(parseModules(this.#modulesText), zstdNames);
      this.#pushFile(parser);
      const symbols = parser.finish();
      this.#symbols = symbols;
      this.#counters.add('kernel_reads', symbols.isRestricted ? 'restricted' : reason);
      this.#counters.add('dropped_symbols', 'kernel_line', symbols.droppedLines);
      this.#counters.add('dropped_symbols', 'kernel_too_many', symbols.table.loss.tooMany);
      this.#counters.add('dropped_symbols', 'kernel_names_too_large', symbols.table.loss.namesTooLarge);
    } catch (error) {
      // The table read before stays in use.
      this.#counters.add('kernel_reads', (error as NodeJS.ErrnoException).code ?? messageOf(error));
    }
  }

  #pushFile(parser: KallsymsParser): void {
    const descriptor = openSync(this.#kallsymsPath, 'r');
    try {
      const chunk = new Uint8Array(chunkBytes);
      for (let total = 0; total < maxKallsymsBytes; ) {
        const count = readSync(descriptor, chunk, 0, chunkBytes, null);
        if (count === 0) return;
        parser.push(chunk.subarray(0, count));
        total += count;
      }
      this.#counters.add('dropped_symbols', 'kernel_file_too_large');
    } finally {
      closeSync(descriptor);
    }
  }

  /** The list of modules; '' on kernels that have none. */
  #readModules(): string {
    try {
      return readFileSync(this.#modulesPath, 'latin1');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.#counters.add('kernel_reads', `modules_${code}`);
      return '';
    }
  }

  #rememberNameless(addresses: BigUint64Array, names: readonly string[]): void {
    for (const [i, name] of names.entries()) {
      if (name === '' && this.#knownNameless.size < maxKnownNameless) this.#knownNameless.add(addresses[i]!);
    }
  }
}

function countNameless(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (name === '' ? 1 : 0), 0);
}
