// SPDX-License-Identifier: Apache-2.0
//
// The footer of a Parquet file (Thrift, compact protocol), as far as it takes to keep some of its row groups: where each
// lies, what its columns' least and greatest values are, and a footer that names those groups alone. A file that has them
// at their places and ends with that footer is a whole Parquet file, whatever lies between them.
//
//   "PAR1" │ row group │ row group │ … │ footer │ its length u32 │ "PAR1"

import { FormatError } from '@hearthscope/profile/errors';

const FORMAT = 'Parquet footer';
const MAGIC = 'PAR1';
/** Behind the footer: its length and the magic. */
export const TRAILER_BYTES = 8;
const MAX_DEPTH = 12;
const MAX_ITEMS = 1 << 20;

const TYPE_TRUE = 1;
const TYPE_FALSE = 2;
const TYPE_BYTE = 3;
const TYPE_I16 = 4;
const TYPE_I32 = 5;
const TYPE_I64 = 6;
const TYPE_DOUBLE = 7;
const TYPE_BINARY = 8;
const TYPE_LIST = 9;
const TYPE_SET = 10;
const TYPE_STRUCT = 12;

export interface ColumnBounds {
  readonly min: number;
  readonly max: number;
}

export interface RowGroup {
  /** Where its pages are in the file. */
  readonly start: number;
  readonly bytes: number;
  readonly rows: number;
  /** Of columns of 32-bit unsigned integers that say so. */
  readonly bounds: ReadonlyMap<string, ColumnBounds>;
  /** Its description in the footer. */
  readonly described: Uint8Array;
}

export class ParquetFooter {
  readonly groups: readonly RowGroup[];
  /** Where the footer begins in the file. */
  readonly start: number;
  /** The footer before, between and behind the number of rows and the row groups. */
  readonly #rest: readonly [Uint8Array, Uint8Array, Uint8Array];

  constructor(
    groups: readonly RowGroup[],
    start: number,
    rest: readonly [Uint8Array, Uint8Array, Uint8Array],
  ) {
    this.groups = groups;
    this.start = start;
    this.#rest = rest;
  }

  /** The end of a file that has these row groups alone, from {@link ParquetFooter.start} on. @param chosen ascending */
  encode(chosen: readonly number[]): Buffer {
    const groups = chosen.map((i) => this.groups[i]!);
    const rows = groups.reduce((sum, group) => sum + group.rows, 0);
    const [before, between, behind] = this.#rest;
    const footer = Buffer.concat([
      before,
      varint(BigInt(rows) * 2n),
      between,
      listHeader(groups.length),
      ...groups.map(({ described }) => described),
      behind,
    ]);
    const trailer = Buffer.alloc(TRAILER_BYTES);
    trailer.writeUInt32LE(footer.length, 0);
    trailer.write(MAGIC, 4, 'latin1');
    return Buffer.concat([footer, trailer]);
  }
}

/** The length of the footer. @param trailer the last {@link TRAILER_BYTES} of the file @throws FormatError */
export function footerBytes(trailer: Uint8Array, fileBytes: number): number {
  const view = Buffer.from(trailer.buffer, trailer.byteOffset, trailer.byteLength);
  const at = fileBytes - TRAILER_BYTES;
  if (view.length !== TRAILER_BYTES || view.toString('latin1', 4) !== MAGIC) {
    throw new FormatError(FORMAT, at, 'the file does not end as Parquet does');
  }
  const length = view.readUInt32LE(0);
  if (length > at - MAGIC.length)
    throw new FormatError(FORMAT, at, `${length} bytes do not fit into the file`);
  return length;
}

/** @param bytes of the footer alone
 * @param start where it begins in the file
 * @returns undefined for a file whose groups need more than their own pages (filters and indexes lie elsewhere)
 * @throws FormatError */
export function parseFooter(bytes: Uint8Array, start: number): ParquetFooter | undefined {
  const reader = new CompactReader(bytes);
  let rowsAt: readonly [number, number] | undefined;
  let groupsAt: readonly [number, number] | undefined;
  const groups: RowGroup[] = [];
  let isWhole = true;
  reader.struct((field, type) => {
    const at = reader.offset;
    if (field === 3 && type === TYPE_I64) {
      reader.integer();
      rowsAt = [at, reader.offset];
    } else if (field === 4 && type === TYPE_LIST) {
      const count = reader.listOfStructs();
      for (let i = 0; i < count; i++) {
        const group = readRowGroup(reader, start);
        if (group === undefined) isWhole = false;
        else groups.push(group);
      }
      groupsAt = [at, reader.offset];
    } else reader.skip(type);
  });
  if (rowsAt === undefined || groupsAt === undefined || rowsAt[1] > groupsAt[0]) {
    throw reader.error('rows or row groups are missing');
  }
  if (!isWhole) return undefined;
  return new ParquetFooter(groups, start, [
    bytes.subarray(0, rowsAt[0]),
    bytes.subarray(rowsAt[1], groupsAt[0]),
    bytes.subarray(groupsAt[1]),
  ]);
}

/** Undefined when it needs more than its own pages. */
function readRowGroup(reader: CompactReader, limit: number): RowGroup | undefined {
  const at = reader.offset;
  const bounds = new Map<string, ColumnBounds>();
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  let rows = 0;
  let isWhole = true;
  reader.struct((field, type) => {
    if (field === 1 && type === TYPE_LIST) {
      const count = reader.listOfStructs();
      for (let i = 0; i < count; i++) {
        const column = readColumn(reader);
        if (!column.isWhole) isWhole = false;
        start = Math.min(start, column.start);
        end = Math.max(end, column.start + column.bytes);
        if (column.bounds !== undefined) bounds.set(column.name, column.bounds);
      }
    } else if (field === 3 && type === TYPE_I64) rows = reader.integer();
    else reader.skip(type);
  });
  if (start < MAGIC.length || end > limit || end < start || rows < 0) {
    throw reader.error('a row group lies outside of the file');
  }
  if (!isWhole) return undefined;
  return { start, bytes: end - start, rows, bounds, described: reader.bytes.subarray(at, reader.offset) };
}

interface Column {
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
  readonly bounds: ColumnBounds | undefined;
  readonly isWhole: boolean;
}

function readColumn(reader: CompactReader): Column {
  let column: Column | undefined;
  let isWhole = true;
  reader.struct((field, type) => {
    if (field === 3 && type === TYPE_STRUCT) column = readColumnMetadata(reader);
    else {
      // Another file, or an index of pages.
      if (field === 1 || field === 4 || field === 6) isWhole = false;
      reader.skip(type);
    }
  });
  if (column === undefined) throw reader.error('a column without its description');
  return { ...column, isWhole: isWhole && column.isWhole };
}

const PHYSICAL_INT32 = 1;
const INT32_BYTES = 4;

function readColumnMetadata(reader: CompactReader): Column {
  let physicalType = -1;
  const path: string[] = [];
  let bytes = 0;
  let start = Number.POSITIVE_INFINITY;
  let min: Uint8Array | undefined;
  let max: Uint8Array | undefined;
  let isWhole = true;
  reader.struct((field, type) => {
    if (field === 1 && type === TYPE_I32) physicalType = reader.integer();
    else if (field === 3 && type === TYPE_LIST) {
      const count = reader.listOf(TYPE_BINARY);
      for (let i = 0; i < count; i++) path.push(Buffer.from(reader.binary()).toString('utf8'));
    } else if (field === 7 && type === TYPE_I64) bytes = reader.integer();
    // The first page, of data, of an index or of a dictionary.
    else if ((field === 9 || field === 10 || field === 11) && type === TYPE_I64) {
      const offset = reader.integer();
      if (offset > 0) start = Math.min(start, offset);
    } else if (field === 12 && type === TYPE_STRUCT) {
      reader.struct((statistic, statisticType) => {
        if (statistic === 5 && statisticType === TYPE_BINARY) max = reader.binary();
        else if (statistic === 6 && statisticType === TYPE_BINARY) min = reader.binary();
        else reader.skip(statisticType);
      });
    } else {
      // A Bloom filter.
      if (field === 14) isWhole = false;
      reader.skip(type);
    }
  });
  if (bytes < 0) throw reader.error('a column has a negative length');
  const hasBounds =
    physicalType === PHYSICAL_INT32 && min?.length === INT32_BYTES && max?.length === INT32_BYTES;
  return {
    name: path.join('.'),
    start,
    bytes,
    bounds: hasBounds ? { min: uint32(min!), max: uint32(max!) } : undefined,
    isWhole,
  };
}

function uint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Reads Thrift's compact protocol. Integers beyond 2^53 are refused: offsets and counts are none. */
class CompactReader {
  readonly bytes: Uint8Array;
  offset = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  error(what: string): FormatError {
    return new FormatError(FORMAT, this.offset, what);
  }

  /** @param read is called with each field's number and type, and reads or skips its value */
  struct(read: (field: number, type: number) => void): void {
    if (++this.#depth > MAX_DEPTH) throw this.error('structures too deep');
    let field = 0;
    for (;;) {
      const header = this.#byte();
      if (header === 0) break;
      const step = header >> 4;
      field = step === 0 ? this.integer() : field + step;
      read(field, header & 0x0f);
    }
    this.#depth--;
  }

  listOfStructs(): number {
    return this.listOf(TYPE_STRUCT);
  }

  /** @returns how many items follow */
  listOf(type: number): number {
    const list = this.#listHeader();
    if (list.count > 0 && list.type !== type) throw this.error(`a list of type ${list.type}, not ${type}`);
    return list.count;
  }

  /** An integer with its sign. */
  integer(): number {
    const value = this.#varint();
    const number = Number((value >> 1n) ^ -(value & 1n));
    if (!Number.isSafeInteger(number)) throw this.error(`the integer ${number} is too large`);
    return number;
  }

  binary(): Uint8Array {
    return this.#take(this.#count());
  }

  skip(type: number): void {
    switch (type) {
      case TYPE_TRUE:
      case TYPE_FALSE:
        return;
      case TYPE_BYTE:
        this.#take(1);
        return;
      case TYPE_I16:
      case TYPE_I32:
      case TYPE_I64:
        this.#varint();
        return;
      case TYPE_DOUBLE:
        this.#take(8);
        return;
      case TYPE_BINARY:
        this.binary();
        return;
      case TYPE_LIST:
      case TYPE_SET: {
        const list = this.#listHeader();
        if (++this.#depth > MAX_DEPTH) throw this.error('lists too deep');
        // Within a list, a truth value is a byte.
        const item = list.type === TYPE_TRUE || list.type === TYPE_FALSE ? TYPE_BYTE : list.type;
        for (let i = 0; i < list.count; i++) this.skip(item);
        this.#depth--;
        return;
      }
      case TYPE_STRUCT:
        this.struct((_, fieldType) => this.skip(fieldType));
        return;
      default:
        throw this.error(`the unknown type ${type}`);
    }
  }

  #listHeader(): { readonly type: number; readonly count: number } {
    const header = this.#byte();
    const count = header >> 4 === 15 ? this.#count() : header >> 4;
    if (count > MAX_ITEMS) throw this.error(`a list of ${count} items`);
    return { type: header & 0x0f, count };
  }

  #count(): number {
    const value = this.#varint();
    if (value > BigInt(this.bytes.length)) throw this.error(`the length ${value} is beyond the footer`);
    return Number(value);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw this.error('an integer of more than 64 bits');
  }

  #byte(): number {
    if (this.offset >= this.bytes.length) throw this.error('the footer ends early');
    return this.bytes[this.offset++]!;
  }

  #take(length: number): Uint8Array {
    if (length > this.bytes.length - this.offset) throw this.error('the footer ends early');
    this.offset += length;
    return this.bytes.subarray(this.offset - length, this.offset);
  }
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function listHeader(count: number): Buffer {
  if (count < 15) return Buffer.from([(count << 4) | TYPE_STRUCT]);
  return Buffer.concat([Buffer.from([0xf0 | TYPE_STRUCT]), varint(BigInt(count))]);
}
