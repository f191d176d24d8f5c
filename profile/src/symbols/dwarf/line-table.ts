// SPDX-License-Identifier: Apache-2.0
//
// Lines by address, as the program of a line table gave them: sequences of ascending rows. Rows that only differ in
// what nobody asks for (statements, views, discriminators) are one, which makes tables a third of what they were.

import type { LineFiles } from './line-header.ts';

/** Collects rows and sequences. */
export class LineTableBuilder {
  #addresses: Float64Array;
  #lines: Uint32Array;
  #files: Uint32Array;
  #columns: Uint16Array;
  #count = 0;
  /** First row of the sequence that is open; -1 when none is. */
  #firstRow = -1;
  #firstAddress = 0;
  readonly #sequences: Sequence[] = [];

  /** With room for `expectedRows`; it grows when there are more. */
  constructor(expectedRows: number) {
    this.#addresses = new Float64Array(expectedRows);
    this.#lines = new Uint32Array(expectedRows);
    this.#files = new Uint32Array(expectedRows);
    this.#columns = new Uint16Array(expectedRows);
  }

  get rowCount(): number {
    return this.#count;
  }

  /** From `address` on, up to the next row, code is of this place. */
  addRow(address: number, file: number, line: number, column: number): void {
    if (this.#firstRow < 0) {
      this.#firstRow = this.#count;
      this.#firstAddress = address;
    } else if (this.#count > this.#firstRow) {
      const last = this.#count - 1;
      if (this.#lines[last] === line && this.#files[last] === file && this.#columns[last] === column) return;
      // Of several rows at one address the last one holds.
      if (this.#addresses[last] === address) this.#count = last;
    }
    if (this.#count === this.#lines.length) this.#grow();
    this.#addresses[this.#count] = address;
    this.#lines[this.#count] = line;
    this.#files[this.#count] = file;
    this.#columns[this.#count] = column;
    this.#count++;
  }

  /** Ends the sequence at the first address behind it. One without code is forgotten. */
  endSequence(address: number): void {
    const firstRow = this.#firstRow;
    this.#firstRow = -1;
    if (firstRow < 0) return;
    if (this.#firstAddress < address && this.#count > firstRow) {
      this.#sequences.push({ low: this.#firstAddress, high: address, firstRow, endRow: this.#count });
    } else this.#count = firstRow;
  }

  /** Forgets rows whose sequence has not ended. */
  dropSequence(): void {
    if (this.#firstRow >= 0) this.#count = this.#firstRow;
    this.#firstRow = -1;
  }

  finish(files: LineFiles): LineTable {
    this.dropSequence();
    const addresses = this.#addresses.subarray(0, this.#count);
    const fileNumbers = this.#files.subarray(0, this.#count);
    return new LineTable(
      this.#sequences.sort((a, b) => a.high - b.high),
      compactAddresses(addresses),
      this.#lines.slice(0, this.#count),
      fileNumbers.every((file) => file <= 0xffff) ? Uint16Array.from(fileNumbers) : fileNumbers.slice(),
      this.#columns.slice(0, this.#count),
      files,
    );
  }

  #grow(): void {
    const capacity = this.#lines.length * 2 + 16;
    this.#addresses = copyInto(new Float64Array(capacity), this.#addresses);
    this.#lines = copyInto(new Uint32Array(capacity), this.#lines);
    this.#files = copyInto(new Uint32Array(capacity), this.#files);
    this.#columns = copyInto(new Uint16Array(capacity), this.#columns);
  }
}

interface Sequence {
  readonly low: number;
  readonly high: number;
  readonly firstRow: number;
  readonly endRow: number;
}

/** Row addresses, counted from the lowest where that fits 32 bits. */
interface RowAddresses {
  readonly base: number;
  readonly values: Uint32Array | Float64Array;
}

function compactAddresses(addresses: Float64Array): RowAddresses {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (const address of addresses) {
    if (address < lowest) lowest = address;
    if (address > highest) highest = address;
  }
  if (!(highest - lowest <= 0xffff_ffff)) return { base: 0, values: addresses.slice() };
  const values = new Uint32Array(addresses.length);
  for (let i = 0; i < values.length; i++) values[i] = addresses[i]! - lowest;
  return { base: lowest, values };
}

/** Rows of one line table. */
export class LineTable {
  readonly lines: Uint32Array;
  readonly files: Uint16Array | Uint32Array;
  readonly columns: Uint16Array;
  readonly names: LineFiles;
  /** Ascending by their ends. */
  readonly #sequences: readonly Sequence[];
  readonly #addresses: RowAddresses;

  constructor(
    sequences: readonly Sequence[],
    addresses: RowAddresses,
    lines: Uint32Array,
    files: Uint16Array | Uint32Array,
    columns: Uint16Array,
    names: LineFiles,
  ) {
    this.#sequences = sequences;
    this.#addresses = addresses;
    this.lines = lines;
    this.files = files;
    this.columns = columns;
    this.names = names;
  }

  get byteSize(): number {
    return (
      300 +
      this.#sequences.length * 60 +
      this.#addresses.values.byteLength +
      this.lines.byteLength +
      this.files.byteLength +
      this.columns.byteLength +
      this.names.byteSize
    );
  }

  /** The row that holds at an address, -1 when no sequence covers it. Of those that overlap, the one ending first. */
  find(address: number): number {
    let from = 0;
    let to = this.#sequences.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#sequences[middle]!.high <= address) from = middle + 1;
      else to = middle;
    }
    const sequence = this.#sequences[from];
    if (sequence === undefined || address < sequence.low) return -1;
    const { base, values } = this.#addresses;
    const wanted = address - base;
    // The first row holds where none of the later ones does.
    let low = sequence.firstRow + 1;
    let high = sequence.endRow;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (values[middle]! <= wanted) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function copyInto<T extends Float64Array | Uint32Array | Uint16Array>(target: T, source: T): T {
  target.set(source);
  return target;
}
