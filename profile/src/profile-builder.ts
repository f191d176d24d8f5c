// SPDX-License-Identifier: Apache-2.0
//
// The only way to make a Profile from parts. Everything is interned: equal content gets an equal index, so callers may
// offer the same function or stack as often as they like. A mistake of the caller (an index that was never given out,
// a value that does not fit its column) is an `internal` error and not a broken profile.

import { attributeKey } from './attribute-key.ts';
import { BigInt64Column, BigUint64Column, Uint32Column } from './column.ts';
import { HearthscopeError } from './errors.ts';
import type {
  Attribute,
  AttributeIndex,
  AttributeSetIndex,
  FunctionIndex,
  FunctionTable,
  Link,
  LinkIndex,
  LocationIndex,
  LocationTable,
  MappingIndex,
  MappingTable,
  Profile,
  SampleTable,
  StackIndex,
  StringIndex,
} from './profile.ts';
import type { ValueType } from './profile-type.ts';
import { UintListTable } from './uint-list-table.ts';
import { high32, low32, uint64Of } from './uint64-lanes.ts';

/** What is known of a profile before its first sample. */
export interface ProfileHeader {
  /** 32 lower-case hex digits; '' or absent when there is none. */
  readonly id?: string;
  /** Start of the measurement; 0n when unknown. */
  readonly timeUnixNanos: bigint;
  readonly durationNanos: bigint;
  /** One value per sample type is expected of each sample. */
  readonly sampleTypes: readonly ValueType[];
  readonly periodType: ValueType;
  readonly period: bigint;
  readonly profileAttributes?: readonly Attribute[];
  readonly comments?: readonly string[];
}

export interface MappingInput {
  readonly start: bigint;
  readonly limit: bigint;
  readonly fileOffset: bigint;
  readonly filename: string;
  readonly buildId: string;
}

export interface FunctionInput {
  readonly name: string;
  /** The name in the symbol table; the same as `name` when absent. */
  readonly systemName?: string;
  readonly filename?: string;
  readonly startLine?: number;
}

export interface LineInput {
  readonly function: FunctionIndex;
  readonly line?: number;
  readonly column?: number;
}

export interface LocationInput {
  readonly mapping: MappingIndex;
  readonly address: bigint;
  /** profile.frame.type, e.g. `kernel` or `native`. */
  readonly frameType?: string;
  /** Innermost inlined function first; empty when the address has no symbol. */
  readonly lines: readonly LineInput[];
}

export interface SampleOptions {
  readonly attributeSet?: AttributeSetIndex;
  readonly link?: LinkIndex;
  readonly timestampsUnixNanos?: readonly bigint[];
}

const MAX_UINT32 = 0xffff_ffff;

/** Shapes of the interned lists; the 64-bit columns take two items, low half first. */
const MAPPING_FIELDS = 8;
const FUNCTION_FIELDS = 4;
const LOCATION_FIXED_FIELDS = 4;
const LINE_FIELDS = 3;

function defect(what: string): HearthscopeError {
  return new HearthscopeError('internal', `profile builder: ${what}`);
}

function checkIndex(table: string, index: number, length: number): number {
  if (!(Number.isInteger(index) && index >= 0 && index < length)) {
    throw defect(`${table} index ${index} was never given out`);
  }
  return index;
}

function checkUint32(what: string, value: number): number {
  if (!(Number.isInteger(value) && value >= 0 && value <= MAX_UINT32))
    throw defect(`${what} ${value} is not a uint32`);
  return value;
}

function checkUint64(what: string, value: bigint): bigint {
  if (BigInt.asUintN(64, value) !== value) throw defect(`${what} ${value} is not a uint64`);
  return value;
}

function checkInt64(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw defect(`the value ${value} of a sample is not an int64`);
  return value;
}

export class ProfileBuilder {
  readonly #header: ProfileHeader;
  readonly #strings: string[] = [''];
  readonly #stringIndex = new Map<string, number>([['', 0]]);
  readonly #mappings = new UintListTable();
  readonly #functions = new UintListTable();
  readonly #locations = new UintListTable();
  readonly #stacks = new UintListTable();
  readonly #attributes: Attribute[] = [];
  readonly #attributeIndex = new Map<string, number>();
  readonly #attributeSets = new UintListTable();
  readonly #links: Link[] = [{ traceId: '', spanId: '' }];
  readonly #linkIndex = new Map<string, number>([['', 0]]);
  /** [stack, attributeSet, link] of each sample. */
  readonly #samples = new UintListTable();
  readonly #values: readonly BigInt64Column[];
  /** Timestamps in order of arrival, and the sample each belongs to. */
  readonly #timestamps = new BigUint64Column();
  readonly #timestampSample = new Uint32Column();
  readonly #scratch: number[] = [];

  constructor(header: ProfileHeader) {
    checkUint64('start time', header.timeUnixNanos);
    checkUint64('duration', header.durationNanos);
    this.#header = header;
    this.#values = header.sampleTypes.map(() => new BigInt64Column());
    this.#mappings.intern(new Array<number>(MAPPING_FIELDS).fill(0));
    this.#functions.intern(new Array<number>(FUNCTION_FIELDS).fill(0));
    this.#attributeSets.intern([]);
  }

  /** Lone surrogates, which no wire format can carry, become U+FFFD. */
  string(value: string): StringIndex {
    const known = this.#stringIndex.get(value);
    if (known !== undefined) return known;
    const wellFormed = value.toWellFormed();
    const index =
      wellFormed === value
        ? this.#strings.length
        : (this.#stringIndex.get(wellFormed) ?? this.#strings.length);
    if (index === this.#strings.length) this.#strings.push(wellFormed);
    this.#stringIndex.set(wellFormed, index);
    this.#stringIndex.set(value, index);
    return index;
  }

  /** A mapping with all fields zero is row 0, "no mapping". */
  mapping({ start, limit, fileOffset, filename, buildId }: MappingInput): MappingIndex {
    checkUint64('mapping start', start);
    checkUint64('mapping limit', limit);
    checkUint64('mapping file offset', fileOffset);
    return this.#mappings.intern([
      low32(start),
      high32(start),
      low32(limit),
      high32(limit),
      low32(fileOffset),
      high32(fileOffset),
      this.string(filename),
      this.string(buildId),
    ]);
  }

  /** A function with no name, file or line is row 0, "no function". */
  function({ name, systemName = name, filename = '', startLine = 0 }: FunctionInput): FunctionIndex {
    checkUint32('start line', startLine);
    return this.#functions.intern([
      this.string(name),
      this.string(systemName),
      this.string(filename),
      startLine,
    ]);
  }

  location({ mapping, address, frameType = '', lines }: LocationInput): LocationIndex {
    checkIndex('mapping', mapping, this.#mappings.length);
    checkUint64('address', address);
    const list = this.#scratch;
    list.length = 0;
    list.push(mapping, low32(address), high32(address), this.string(frameType));
    for (const { function: functionIndex, line = 0, column = 0 } of lines) {
      checkIndex('function', functionIndex, this.#functions.length);
      list.push(functionIndex, checkUint32('line', line), checkUint32('column', column));
    }
    return this.#locations.intern(list);
  }

  /** @param locations leaf first; may be empty */
  stack(locations: ArrayLike<number>): StackIndex {
    for (let i = 0; i < locations.length; i++) checkIndex('location', locations[i]!, this.#locations.length);
    return this.#stacks.intern(locations);
  }

  attribute(attribute: Attribute): AttributeIndex {
    const { value } = attribute;
    if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) {
      throw defect(`attribute value ${value} is not an int64`);
    }
    const key = attributeKey(attribute);
    let index = this.#attributeIndex.get(key);
    if (index === undefined) {
      index = this.#attributes.length;
      this.#attributes.push({ key: attribute.key, value, unit: attribute.unit });
      this.#attributeIndex.set(key, index);
    }
    return index;
  }

  /** Order and repetition do not matter: a set is kept sorted by index. */
  attributeSet(attributes: readonly AttributeIndex[]): AttributeSetIndex {
    for (const index of attributes) checkIndex('attribute', index, this.#attributes.length);
    return this.#attributeSets.intern([...new Set(attributes)].sort((a, b) => a - b));
  }

  /** @param traceId 32 lower-case hex digits or '' @param spanId 16 lower-case hex digits or ''; both '' means no link */
  link(traceId: string, spanId: string): LinkIndex {
    const key = traceId + spanId;
    let index = this.#linkIndex.get(key);
    if (index === undefined) {
      if (!/^(?:[0-9a-f]{32})?$/.test(traceId) || !/^(?:[0-9a-f]{16})?$/.test(spanId)) {
        throw defect(
          `trace id ${JSON.stringify(traceId)} and span id ${JSON.stringify(spanId)} are not 32 and 16 hex digits`,
        );
      }
      index = this.#links.length;
      this.#links.push({ traceId, spanId });
      this.#linkIndex.set(key, index);
    }
    return index;
  }

  /** Samples with equal stack, attribute set and link are one row: values are summed, timestamps are appended.
   * @param values one per sample type of the header, int64
   * @throws HearthscopeError internal when a value or sum leaves int64 */
  addSample(stack: StackIndex, values: readonly bigint[], options: SampleOptions = {}): void {
    const { attributeSet = 0, link = 0, timestampsUnixNanos = [] } = options;
    checkIndex('stack', stack, this.#stacks.length);
    checkIndex('attribute set', attributeSet, this.#attributeSets.length);
    checkIndex('link', link, this.#links.length);
    if (values.length !== this.#values.length) {
      throw defect(
        `a sample has ${values.length} values, the profile has ${this.#values.length} sample types`,
      );
    }
    for (const timestamp of timestampsUnixNanos) checkUint64('timestamp', timestamp);
    for (const value of values) checkInt64(value);
    const before = this.#samples.length;
    const row = this.#samples.intern([stack, attributeSet, link]);
    if (row === before) {
      values.forEach((value, type) => {
        this.#values[type]!.push(value);
      });
    } else {
      const sums = values.map((value, type) => checkInt64(this.#values[type]!.data[row]! + value));
      sums.forEach((sum, type) => {
        this.#values[type]!.data[row] = sum;
      });
    }
    for (const timestamp of timestampsUnixNanos) {
      this.#timestamps.push(timestamp);
      this.#timestampSample.push(row);
    }
  }

  /** The profile so far. The builder may be used further; the result shares no memory with it. */
  build(): Profile {
    const { id = '', timeUnixNanos, durationNanos, sampleTypes, periodType, period } = this.#header;
    return {
      id,
      timeUnixNanos,
      durationNanos,
      sampleTypes: [...sampleTypes],
      periodType,
      period,
      profileAttributes: [...(this.#header.profileAttributes ?? [])],
      comments: [...(this.#header.comments ?? [])],
      strings: [...this.#strings],
      mappings: this.#buildMappings(),
      functions: this.#buildFunctions(),
      locations: this.#buildLocations(),
      stacks: {
        length: this.#stacks.length,
        locationStart: this.#stacks.finishStart(),
        location: this.#stacks.finishItems(),
      },
      attributes: [...this.#attributes],
      attributeSets: {
        length: this.#attributeSets.length,
        attributeStart: this.#attributeSets.finishStart(),
        attribute: this.#attributeSets.finishItems(),
      },
      links: [...this.#links],
      samples: this.#buildSamples(),
    };
  }

  #buildMappings(): MappingTable {
    const { length, items } = this.#mappings;
    const table = {
      length,
      start: new BigUint64Array(length),
      limit: new BigUint64Array(length),
      fileOffset: new BigUint64Array(length),
      filename: new Uint32Array(length),
      buildId: new Uint32Array(length),
    };
    for (let row = 0, at = 0; row < length; row++, at += MAPPING_FIELDS) {
      table.start[row] = uint64Of(items, at);
      table.limit[row] = uint64Of(items, at + 2);
      table.fileOffset[row] = uint64Of(items, at + 4);
      table.filename[row] = items[at + 6]!;
      table.buildId[row] = items[at + 7]!;
    }
    return table;
  }

  #buildFunctions(): FunctionTable {
    const { length, items } = this.#functions;
    const column = (field: number) =>
      Uint32Array.from({ length }, (_, row) => items[row * FUNCTION_FIELDS + field]!);
    return { length, name: column(0), systemName: column(1), filename: column(2), startLine: column(3) };
  }

  #buildLocations(): LocationTable {
    const { length, items, start } = this.#locations;
    const lineCount = (start[length]! - length * LOCATION_FIXED_FIELDS) / LINE_FIELDS;
    const table = {
      length,
      mapping: new Uint32Array(length),
      address: new BigUint64Array(length),
      lineStart: new Uint32Array(length + 1),
      lineFunction: new Uint32Array(lineCount),
      lineNumber: new Uint32Array(lineCount),
      lineColumn: new Uint32Array(lineCount),
      frameType: new Uint32Array(length),
    };
    let line = 0;
    for (let row = 0; row < length; row++) {
      const at = start[row]!;
      table.mapping[row] = items[at]!;
      table.address[row] = uint64Of(items, at + 1);
      table.frameType[row] = items[at + 3]!;
      for (let item = at + LOCATION_FIXED_FIELDS; item < start[row + 1]!; item += LINE_FIELDS, line++) {
        table.lineFunction[line] = items[item]!;
        table.lineNumber[line] = items[item + 1]!;
        table.lineColumn[line] = items[item + 2]!;
      }
      table.lineStart[row + 1] = line;
    }
    return table;
  }

  #buildSamples(): SampleTable {
    const { length, items } = this.#samples;
    const column = (field: number) => Uint32Array.from({ length }, (_, row) => items[row * 3 + field]!);
    const timestampStart = new Uint32Array(length + 1);
    const sampleOf = this.#timestampSample.data;
    const count = this.#timestamps.length;
    for (let i = 0; i < count; i++) timestampStart[sampleOf[i]! + 1]!++;
    for (let row = 0; row < length; row++) timestampStart[row + 1]! += timestampStart[row]!;
    const next = timestampStart.slice();
    const timestampUnixNanos = new BigUint64Array(count);
    for (let i = 0; i < count; i++) timestampUnixNanos[next[sampleOf[i]!]!++] = this.#timestamps.data[i]!;
    return {
      length,
      stack: column(0),
      values: this.#values.map((values) => values.finish()),
      attributeSet: column(1),
      link: column(2),
      timestampStart,
      timestampUnixNanos,
    };
  }
}
