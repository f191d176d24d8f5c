// SPDX-License-Identifier: Apache-2.0
//
// Address ranges with names, in a few typed arrays: what every symbol source (ELF, kallsyms) is turned into.
// Ranges are disjoint and sorted, so a lookup is one binary search, and what lies in no range has no name: a name is
// never stretched over a gap. There is no string per symbol until somebody asks for it.
//
//   starts   [ 0x1000 | 0x1040 | 0x1050 | 0x2000 ]   relative to `base`; 4 bytes each where the span allows, else 8
//   lengths  [   0x40 |   0x10 |   0x20 |  0x100 ]
//   names    [      a |      b |      a |      c ]   references into the NameStore; here b is nested in a

import { compareAliases } from './alias-choice.ts';
import { maxNameBytes, type NameCompression, type NameStore, NameStoreBuilder } from './name-store.ts';

/** Limits of one table. They bound what a hostile file can make its reader spend. */
export const symbolTableLimits = {
  /** Symbols collected; the ones after are dropped and counted. */
  maxSymbols: 2_097_152,
  /** Packed name bytes of one table; symbols after are dropped and counted. */
  maxPackedNameBytes: 32 * 1024 * 1024,
  /** Name bytes looked at while building; names in a string table may overlap, so this is no property of the file. */
  maxNameBytesRead: 512 * 1024 * 1024,
  /** Names at one address that are compared to choose the one shown; the others are ignored. */
  maxAliasesCompared: 64,
} as const;

/** What was left out of a table while it was built. */
export interface SymbolLoss {
  /** Symbols beyond `maxSymbols`. */
  tooMany: number;
  /** Symbols whose names no longer fitted `maxPackedNameBytes` or `maxNameBytesRead`. */
  namesTooLarge: number;
  /** Symbols without a readable name. */
  unreadableName: number;
  /** Names cut at `maxNameBytes`. */
  namesCut: number;
}

/**
 * Gives the bytes of the name behind a handle, at most `maxNameBytes` + 1 of them, or undefined when there is none. They
 * need to stay as they are until the next call only.
 */
export type NameReader = (handle: number) => Uint8Array | undefined;

const namesKept = 2048;

/** A finished table. `base` plus a start is an address. */
export class SymbolTable {
  readonly base: bigint;
  /** Bytes this table holds, for cache accounting. */
  readonly byteLength: number;
  readonly loss: Readonly<SymbolLoss>;
  readonly #starts: Uint32Array | Float64Array;
  readonly #lengths: Uint32Array;
  readonly #nameReferences: Uint32Array;
  readonly #names: NameStore;
  readonly #recent = new Map<number, string>();

  constructor(
    base: bigint,
    starts: Uint32Array | Float64Array,
    lengths: Uint32Array,
    nameReferences: Uint32Array,
    names: NameStore,
    loss: SymbolLoss,
  ) {
    this.base = base;
    this.#starts = starts;
    this.#lengths = lengths;
    this.#nameReferences = nameReferences;
    this.#names = names;
    this.loss = loss;
    this.byteLength = starts.byteLength + lengths.byteLength + nameReferences.byteLength + names.byteLength;
  }

  /** The number of ranges. */
  get size(): number {
    return this.#starts.length;
  }

  /** The range that holds `address`, or -1. */
  find(address: bigint): number {
    const distance = address - this.base;
    if (distance < 0n || distance > 0x1f_ffff_ffff_ffffn) return -1;
    const target = Number(distance);
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= target) low = middle + 1;
      else high = middle;
    }
    const row = low - 1;
    return row >= 0 && target - this.#starts[row]! < this.#lengths[row]! ? row : -1;
  }

  /** First address of a range and the address after its last. */
  range(row: number): { start: bigint; limit: bigint } {
    const start = this.base + BigInt(this.#starts[row]!);
    return { start, limit: start + BigInt(this.#lengths[row]!) };
  }

  /** The name of a range as the file has it (mangled). */
  name(row: number): string {
    const reference = this.#nameReferences[row]!;
    let name = this.#recent.get(reference);
    if (name === undefined) {
      name = this.#names.get(reference);
      if (this.#recent.size >= namesKept) this.#recent.clear();
      this.#recent.set(reference, name);
    }
    return name;
  }

  /** The names of the ranges that hold `addresses`, '' where none does. Each block of names is unpacked once at most. */
  namesAt(addresses: BigUint64Array): string[] {
    const rows = Int32Array.from(addresses, (address) => this.find(address));
    const order = Uint32Array.from(rows.keys()).sort((a, b) => rows[a]! - rows[b]!);
    const names = new Array<string>(rows.length).fill('');
    for (const i of order) {
      if (rows[i]! >= 0) names[i] = this.name(rows[i]!);
    }
    return names;
  }
}

/**
 * Collects symbols in any order and turns them into a `SymbolTable`. Starts and ends are distances from `base`,
 * exact below 2^53.
 */
export class SymbolTableBuilder {
  readonly #base: bigint;
  readonly #loss: SymbolLoss = { tooMany: 0, namesTooLarge: 0, unreadableName: 0, namesCut: 0 };
  #starts = new Float64Array(1024);
  #ends = new Float64Array(1024);
  #handles = new Float64Array(1024);
  /** Bit 7: open. Bit 6: a boundary without a name. Low bits: rank, lower is better. */
  #flags = new Uint8Array(1024);
  #count = 0;

  constructor(base: bigint) {
    this.#base = base;
  }

  /** Makes room for this many more symbols, so that the arrays need not grow step by step. */
  reserve(symbols: number): void {
    if (this.#count + symbols > this.#starts.length) this.#resize(this.#count + symbols);
  }

  /** A symbol of known size. `rank` (0 to 15) chooses between names at one address, lower is better. */
  addSized(start: number, end: number, rank: number, handle: number): void {
    this.#add(start, end, handle, rank);
  }

  /**
   * A symbol whose size nobody wrote down (assembly, kallsyms): it reaches to the next symbol or boundary, at most to
   * `limit`. Inside a sized symbol it is a label, not a function, and is left out.
   */
  addOpen(start: number, limit: number, rank: number, handle: number): void {
    this.#add(start, limit, handle, openFlag | rank);
  }

  /** An address at which an open symbol before it ends. */
  addBoundary(start: number): void {
    this.#add(start, start, -1, openFlag | boundaryFlag);
  }

  /** Sorts, chooses between aliases, cuts ranges apart and packs the names. */
  build(readName: NameReader, compression: NameCompression): SymbolTable {
    const order = this.#sortedOrder();
    const chosen = new ChosenNames(readName, this.#handles, this.#flags, this.#loss, compression);
    const ranges = new RangeList(this.#count);
    // Sized symbols that are open around the current position, innermost last.
    const enclosingEnds: number[] = [];
    const enclosingNames: number[] = [];
    let position = 0;
    const advanceTo = (target: number): void => {
      while (enclosingEnds.length > 0 && position < target) {
        const end = enclosingEnds.at(-1)!;
        const until = Math.min(end, target);
        if (until > position) {
          ranges.add(position, until, enclosingNames.at(-1)!);
          position = until;
        }
        if (end <= position) {
          enclosingEnds.pop();
          enclosingNames.pop();
        }
      }
      while (enclosingEnds.length > 0 && enclosingEnds.at(-1)! <= target) {
        enclosingEnds.pop();
        enclosingNames.pop();
      }
      position = target;
    };

    for (let i = 0; i < order.length; ) {
      const start = this.#starts[order[i]!]!;
      let groupEnd = i + 1;
      while (groupEnd < order.length && this.#starts[order[groupEnd]!] === start) groupEnd++;
      advanceTo(start);
      const best = order[i]!;
      const isOpen = (this.#flags[best]! & openFlag) !== 0;
      // An open symbol inside a sized one is a label; a boundary only ends what is open, which never is on the stack.
      const isSkipped = (this.#flags[best]! & boundaryFlag) !== 0 || (isOpen && enclosingEnds.length > 0);
      if (!isSkipped) {
        const { symbol, reference } = chosen.choose(order, i, groupEnd);
        const next = groupEnd < order.length ? this.#starts[order[groupEnd]!]! : Number.POSITIVE_INFINITY;
        const end = isOpen ? Math.min(this.#ends[symbol]!, next) : this.#ends[symbol]!;
        if (reference >= 0 && end > start) {
          if (isOpen) ranges.add(start, end, reference);
          else {
            enclosingEnds.push(end);
            enclosingNames.push(reference);
          }
        }
      }
      i = groupEnd;
    }
    advanceTo(Number.MAX_SAFE_INTEGER);
    return ranges.toTable(this.#base, chosen.finish(), this.#loss);
  }

  #add(start: number, end: number, handle: number, flags: number): void {
    if (this.#count >= symbolTableLimits.maxSymbols) {
      this.#loss.tooMany++;
      return;
    }
    if (this.#count === this.#starts.length) this.#resize(this.#count * 2);
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#handles[this.#count] = handle;
    this.#flags[this.#count] = flags;
    this.#count++;
  }

  #resize(symbols: number): void {
    const capacity = Math.min(symbols, symbolTableLimits.maxSymbols);
    this.#starts = copyInto(new Float64Array(capacity), this.#starts);
    this.#ends = copyInto(new Float64Array(capacity), this.#ends);
    this.#handles = copyInto(new Float64Array(capacity), this.#handles);
    this.#flags = copyInto(new Uint8Array(capacity), this.#flags);
  }

  /** Symbols by start, then by rank; sized before open, boundaries last. */
  #sortedOrder(): Uint32Array {
    const order = new Uint32Array(this.#count);
    for (let i = 0; i < order.length; i++) order[i] = i;
    return order.sort(
      (a, b) => this.#starts[a]! - this.#starts[b]! || this.#flags[a]! - this.#flags[b]! || a - b,
    );
  }
}

const openFlag = 0x80;
const boundaryFlag = 0x40;

/** Chooses the name of each address and packs it, in ascending address order, within the limits. */
class ChosenNames {
  readonly #readName: NameReader;
  readonly #handles: Float64Array;
  readonly #flags: Uint8Array;
  readonly #loss: SymbolLoss;
  readonly #store: NameStoreBuilder;
  readonly #best = new Uint8Array(maxNameBytes + 1);
  #bytesRead = 0;

  constructor(
    readName: NameReader,
    handles: Float64Array,
    flags: Uint8Array,
    loss: SymbolLoss,
    compression: NameCompression,
  ) {
    this.#readName = readName;
    this.#handles = handles;
    this.#flags = flags;
    this.#loss = loss;
    this.#store = new NameStoreBuilder(compression, symbolTableLimits.maxPackedNameBytes);
  }

  /** Of the symbols `order[from..to)`, which start at one address and are sorted by rank, the best and its name. */
  choose(order: Uint32Array, from: number, to: number): { symbol: number; reference: number } {
    const rank = this.#flags[order[from]!]!;
    const last = Math.min(to, from + symbolTableLimits.maxAliasesCompared);
    let symbol = order[from]!;
    let best: Uint8Array | undefined;
    for (let i = from; i < last && this.#flags[order[i]!] === rank; i++) {
      const name = this.#read(order[i]!);
      if (name === undefined || (best !== undefined && compareAliases(name, best) >= 0)) continue;
      symbol = order[i]!;
      best = this.#best.subarray(0, name.byteLength);
      best.set(name);
    }
    if (best === undefined) return { symbol, reference: -1 };
    if (best.byteLength > maxNameBytes) {
      this.#loss.namesCut++;
      best = best.subarray(0, maxNameBytes);
    }
    const reference = this.#store.add(best);
    if (reference < 0) this.#loss.namesTooLarge++;
    return { symbol, reference };
  }

  finish(): NameStore {
    return this.#store.finish();
  }

  #read(symbol: number): Uint8Array | undefined {
    if (this.#bytesRead > symbolTableLimits.maxNameBytesRead) {
      this.#loss.namesTooLarge++;
      return undefined;
    }
    const name = this.#readName(this.#handles[symbol]!);
    if (name === undefined || name.byteLength === 0) {
      this.#loss.unreadableName++;
      return undefined;
    }
    this.#bytesRead += name.byteLength;
    return name;
  }
}

/** Disjoint ranges in ascending order. There can be more than symbols: a nested symbol cuts the one around it in two. */
class RangeList {
  #starts: Float64Array;
  #lengths: Uint32Array;
  #names: Uint32Array;
  #count = 0;

  constructor(expected: number) {
    this.#starts = new Float64Array(expected);
    this.#lengths = new Uint32Array(expected);
    this.#names = new Uint32Array(expected);
  }

  add(start: number, end: number, name: number): void {
    if (this.#count === this.#starts.length) {
      const capacity = this.#count + (this.#count >>> 1) + 16;
      this.#starts = copyInto(new Float64Array(capacity), this.#starts);
      this.#lengths = copyInto(new Uint32Array(capacity), this.#lengths);
      this.#names = copyInto(new Uint32Array(capacity), this.#names);
    }
    this.#starts[this.#count] = start;
    this.#lengths[this.#count] = Math.min(end - start, 0xffff_ffff);
    this.#names[this.#count] = name;
    this.#count++;
  }

  toTable(base: bigint, names: NameStore, loss: SymbolLoss): SymbolTable {
    const count = this.#count;
    const first = count > 0 ? this.#starts[0]! : 0;
    const last = count > 0 ? this.#starts[count - 1]! : 0;
    const starts = last - first <= 0xffff_ffff ? new Uint32Array(count) : new Float64Array(count);
    for (let i = 0; i < count; i++) starts[i] = this.#starts[i]! - first;
    return new SymbolTable(
      base + BigInt(first),
      starts,
      this.#lengths.slice(0, count),
      this.#names.slice(0, count),
      names,
      loss,
    );
  }
}

function copyInto<T extends Float64Array | Uint32Array | Uint8Array>(target: T, source: T): T {
  target.set(source);
  return target;
}
