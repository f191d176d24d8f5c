// SPDX-License-Identifier: Apache-2.0
//
// The tables that all profiles of an OTLP request share, read once into columns. A row that refers to something that is
// not there is not an error of the request: the row gets a fault, faults spread to the rows that use it, and in the end
// only the samples whose stack has a fault are refused.
//
// Row 0 of each table is the zero value by the specification. A table that is missing gets that row; a producer that put
// something else there is read as it wrote, except in the string table, where it would name every unnamed thing.

import { Uint32Column } from '../column.ts';
import type { Attribute, Link } from '../profile.ts';
import { type ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import { RangeList } from '../wire/range-list.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { AttributeReader } from './otlp-attributes.ts';
import { BUILD_ID_ATTRIBUTES, FRAME_TYPE_ATTRIBUTE } from './otlp-semantics.ts';

/** Why a row cannot be used; an index into {@link FAULT_REASONS}. */
export const Fault = {
  none: 0,
  string: 1,
  attribute: 2,
  mapping: 3,
  function: 4,
  location: 5,
  stack: 6,
  link: 7,
} as const;

export const FAULT_REASONS = [
  '',
  'string_index_out_of_range',
  'attribute_index_out_of_range',
  'mapping_index_out_of_range',
  'function_index_out_of_range',
  'location_index_out_of_range',
  'stack_index_out_of_range',
  'link_index_out_of_range',
] as const;

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const NO_LINK: Link = { traceId: '', spanId: '' };

/** Columns of one table, `length` long, with the fault of each row. */
interface Table {
  length: number;
  fault: Uint8Array;
}

interface MappingRows extends Table {
  start: BigUint64Array;
  limit: BigUint64Array;
  fileOffset: BigUint64Array;
  filename: Uint32Array;
  buildId: Uint32Array;
}

interface FunctionRows extends Table {
  name: Uint32Array;
  systemName: Uint32Array;
  filename: Uint32Array;
  startLine: Uint32Array;
}

interface LocationRows extends Table {
  mapping: Uint32Array;
  address: BigUint64Array;
  frameType: Uint32Array;
  lineStart: Uint32Array;
  lineFunction: Uint32Column;
  lineNumber: Uint32Column;
  lineColumn: Uint32Column;
}

interface StackRows extends Table {
  locationStart: Uint32Array;
  location: Uint32Column;
}

export class OtlpDictionary {
  /** The string table, followed by strings that come from attributes (build ids, frame types). */
  strings: string[] = [];
  /** Rows of the string table proper. */
  stringCount = 0;
  /** null for an attribute that is empty or over a limit and is left out wherever it is used. */
  attributes: (Attribute | null)[] = [];
  attributeFault = new Uint8Array(0);
  links: Link[] = [];
  mappings!: MappingRows;
  functions!: FunctionRows;
  locations!: LocationRows;
  stacks!: StackRows;

  readonly #reader: ProtobufReader;
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport;
  readonly #extraStrings = new Map<string, number>();
  readonly #ranges: Record<
    'mapping' | 'location' | 'function' | 'link' | 'string' | 'attribute' | 'stack',
    RangeList
  >;
  /** Attribute indexes of the mapping or location being read. */
  readonly #rowAttributes = new Uint32Column();

  constructor(reader: ProtobufReader, limits: DecodeLimits, report: DecodeReport) {
    this.#reader = reader;
    this.#limits = limits;
    this.#report = report;
    const list = (field: string) => new RangeList(`ProfilesDictionary.${field}`, limits.maxTableRows);
    this.#ranges = {
      mapping: list('mapping_table'),
      location: list('location_table'),
      function: list('function_table'),
      link: list('link_table'),
      string: list('string_table'),
      attribute: list('attribute_table'),
      stack: list('stack_table'),
    };
  }

  /** Notes the tables of a ProfilesDictionary; the message may come in several parts. */
  scan(): void {
    const reader = this.#reader;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          this.#ranges.mapping.note(reader, tag);
          break;
        case 2:
          this.#ranges.location.note(reader, tag);
          break;
        case 3:
          this.#ranges.function.note(reader, tag);
          break;
        case 4:
          this.#ranges.link.note(reader, tag);
          break;
        case 5:
          this.#ranges.string.note(reader, tag);
          break;
        case 6:
          this.#ranges.attribute.note(reader, tag);
          break;
        case 7:
          this.#ranges.stack.note(reader, tag);
          break;
        default:
          reader.skip(tag);
      }
    }
  }

  /** Reads the tables that were noted, each after those it refers to. */
  read(): void {
    for (const ranges of Object.values(this.#ranges)) ranges.check();
    this.#readStrings();
    this.#readAttributes();
    this.#readLinks();
    this.#readMappings();
    this.#readFunctions();
    this.#readLocations();
    this.#readStacks();
  }

  /** A string by index; undefined when there is none. Index 0 is always ''. */
  string(index: number): string | undefined {
    return index >= 0 && index < this.stringCount ? this.strings[index] : undefined;
  }

  #readStrings(): void {
    const reader = this.#reader;
    const { string } = this.#ranges;
    for (let row = 0; row < string.length; row++) {
      string.seek(reader, row);
      const at = reader.pos;
      const text = reader.rest();
      if (row === 0 && text !== '') reader.fail('string_table[0] should be the empty string', at);
      this.strings.push(text);
    }
    if (this.strings.length === 0) this.strings.push('');
    this.stringCount = this.strings.length;
  }

  #extraString(text: string): number {
    let index = this.#extraStrings.get(text);
    if (index === undefined) {
      index = this.strings.length;
      this.strings.push(text);
      this.#extraStrings.set(text, index);
    }
    return index;
  }

  #stringIndex(fault: Uint8Array, row: number): number {
    const index = this.#reader.index();
    if (index >= 0 && index < this.stringCount) return index;
    fault[row] ||= Fault.string;
    return 0;
  }

  #readAttributes(): void {
    const reader = this.#reader;
    const { attribute: ranges } = this.#ranges;
    const values = new AttributeReader(reader, this.strings, this.#limits, this.#report);
    this.attributeFault = new Uint8Array(ranges.length);
    for (let row = 0; row < ranges.length; row++) {
      ranges.seek(reader, row);
      let key = 0;
      let unit = 0;
      let value: Attribute['value'] = '';
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.varint, 'KeyValueAndUnit.key_strindex');
            key = this.#stringIndex(this.attributeFault, row);
            break;
          case 2:
            reader.expect(tag, WireType.lengthDelimited, 'KeyValueAndUnit.value');
            value = values.anyValue();
            break;
          case 3:
            reader.expect(tag, WireType.varint, 'KeyValueAndUnit.unit_strindex');
            unit = this.#stringIndex(this.attributeFault, row);
            break;
          default:
            reader.skip(tag);
        }
      }
      if (values.badString) this.attributeFault[row] ||= Fault.string;
      values.badString = false;
      const isZeroRow = row === 0 && key === 0 && unit === 0 && value === '';
      this.attributes.push(isZeroRow ? null : values.accept(this.strings[key]!, value, this.strings[unit]!));
    }
  }

  #readLinks(): void {
    const reader = this.#reader;
    const { link: ranges } = this.#ranges;
    for (let row = 0; row < ranges.length; row++) {
      ranges.seek(reader, row);
      let traceId = '';
      let spanId = '';
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.lengthDelimited, 'Link.trace_id');
            traceId = hex(reader.blob(), TRACE_ID_BYTES);
            break;
          case 2:
            reader.expect(tag, WireType.lengthDelimited, 'Link.span_id');
            spanId = hex(reader.blob(), SPAN_ID_BYTES);
            break;
          default:
            reader.skip(tag);
        }
      }
      // One id alone still says something: span profiles often know no trace.
      if ((traceId === '' || spanId === '') && row > 0) this.#report.repair('link_invalid');
      this.links.push({ traceId, spanId });
    }
    if (this.links.length === 0) this.links.push(NO_LINK);
  }

  #readMappings(): void {
    const reader = this.#reader;
    const { mapping: ranges } = this.#ranges;
    const length = Math.max(1, ranges.length);
    const table: MappingRows = {
      length,
      fault: new Uint8Array(length),
      start: new BigUint64Array(length),
      limit: new BigUint64Array(length),
      fileOffset: new BigUint64Array(length),
      filename: new Uint32Array(length),
      buildId: new Uint32Array(length),
    };
    for (let row = 0; row < ranges.length; row++) {
      ranges.seek(reader, row);
      this.#rowAttributes.length = 0;
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.varint, 'Mapping.memory_start');
            table.start[row] = reader.uint64();
            break;
          case 2:
            reader.expect(tag, WireType.varint, 'Mapping.memory_limit');
            table.limit[row] = reader.uint64();
            break;
          case 3:
            reader.expect(tag, WireType.varint, 'Mapping.file_offset');
            table.fileOffset[row] = reader.uint64();
            break;
          case 4:
            reader.expect(tag, WireType.varint, 'Mapping.filename_strindex');
            table.filename[row] = this.#stringIndex(table.fault, row);
            break;
          case 5:
            reader.indexes(tag, 'Mapping.attribute_indices', this.#rowAttributes);
            break;
          default:
            reader.skip(tag);
        }
      }
      table.buildId[row] = this.#rowAttribute(
        table.fault,
        row,
        BUILD_ID_ATTRIBUTES,
        'mapping_attribute_dropped',
      );
    }
    this.mappings = table;
  }

  #readFunctions(): void {
    const reader = this.#reader;
    const { function: ranges } = this.#ranges;
    const length = Math.max(1, ranges.length);
    const table: FunctionRows = {
      length,
      fault: new Uint8Array(length),
      name: new Uint32Array(length),
      systemName: new Uint32Array(length),
      filename: new Uint32Array(length),
      startLine: new Uint32Array(length),
    };
    for (let row = 0; row < ranges.length; row++) {
      ranges.seek(reader, row);
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.varint, 'Function.name_strindex');
            table.name[row] = this.#stringIndex(table.fault, row);
            break;
          case 2:
            reader.expect(tag, WireType.varint, 'Function.system_name_strindex');
            table.systemName[row] = this.#stringIndex(table.fault, row);
            break;
          case 3:
            reader.expect(tag, WireType.varint, 'Function.filename_strindex');
            table.filename[row] = this.#stringIndex(table.fault, row);
            break;
          case 4:
            reader.expect(tag, WireType.varint, 'Function.start_line');
            table.startLine[row] = this.#lineNumber();
            break;
          default:
            reader.skip(tag);
        }
      }
    }
    this.functions = table;
  }

  #readLocations(): void {
    const reader = this.#reader;
    const { location: ranges } = this.#ranges;
    const length = Math.max(1, ranges.length);
    const table: LocationRows = {
      length,
      fault: new Uint8Array(length),
      mapping: new Uint32Array(length),
      address: new BigUint64Array(length),
      frameType: new Uint32Array(length),
      lineStart: new Uint32Array(length + 1),
      lineFunction: new Uint32Column(),
      lineNumber: new Uint32Column(),
      lineColumn: new Uint32Column(),
    };
    for (let row = 0; row < ranges.length; row++) {
      ranges.seek(reader, row);
      this.#rowAttributes.length = 0;
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.varint, 'Location.mapping_index');
            table.mapping[row] = this.#use(this.mappings, Fault.mapping, table.fault, row);
            break;
          case 2:
            reader.expect(tag, WireType.varint, 'Location.address');
            table.address[row] = reader.uint64();
            break;
          case 3:
            reader.expect(tag, WireType.lengthDelimited, 'Location.lines');
            this.#readLine(table, row);
            break;
          case 4:
            reader.indexes(tag, 'Location.attribute_indices', this.#rowAttributes);
            break;
          default:
            reader.skip(tag);
        }
      }
      table.frameType[row] = this.#rowAttribute(
        table.fault,
        row,
        [FRAME_TYPE_ATTRIBUTE],
        'location_attribute_dropped',
      );
      table.lineStart[row + 1] = table.lineFunction.length;
    }
    this.locations = table;
  }

  #readLine(table: LocationRows, row: number): void {
    const reader = this.#reader;
    let functionRow = 0;
    let number = 0;
    let column = 0;
    const outer = reader.enter();
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.varint, 'Line.function_index');
          functionRow = this.#use(this.functions, Fault.function, table.fault, row);
          break;
        case 2:
          reader.expect(tag, WireType.varint, 'Line.line');
          number = this.#lineNumber();
          break;
        case 3:
          reader.expect(tag, WireType.varint, 'Line.column');
          column = this.#lineNumber();
          break;
        default:
          reader.skip(tag);
      }
    }
    reader.leave(outer);
    if (table.lineFunction.length === this.#limits.maxTableRows) {
      reader.fail(`the lines of all locations exceed the limit of ${this.#limits.maxTableRows}`);
    }
    table.lineFunction.push(functionRow);
    table.lineNumber.push(number);
    table.lineColumn.push(column);
  }

  #readStacks(): void {
    const reader = this.#reader;
    const { stack: ranges } = this.#ranges;
    const { locations } = this;
    const length = Math.max(1, ranges.length);
    const table: StackRows = {
      length,
      fault: new Uint8Array(length),
      locationStart: new Uint32Array(length + 1),
      location: new Uint32Column(),
    };
    table.location.reserve(ranges.byteLength);
    for (let row = 0; row < ranges.length; row++) {
      ranges.seek(reader, row);
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        if (tag >>> 3 === 1) reader.indexes(tag, 'Stack.location_indices', table.location);
        else reader.skip(tag);
      }
      const { data, length: end } = table.location;
      const { fault: locationFault, length: locationCount } = locations;
      for (let item = table.locationStart[row]!; item < end; item++) {
        const location = data[item]!;
        // An index that was not legal is -1, which is 2^32 - 1 in the column.
        const itemFault = location >= locationCount ? Fault.location : locationFault[location]!;
        if (itemFault !== Fault.none) table.fault[row] ||= itemFault;
      }
      table.locationStart[row + 1] = end;
    }
    this.stacks = table;
  }

  /** Reads an index into `table`; a row that is not there, or has a fault itself, is a fault of the row that uses it. */
  #use(table: Table, missing: number, fault: Uint8Array, row: number): number {
    const index = this.#reader.index();
    if (index < 0 || index >= table.length) {
      fault[row] ||= missing;
      return 0;
    }
    fault[row] ||= table.fault[index]!;
    return index;
  }

  /** Lines are int64 on the wire and uint32 in the column; what does not fit is no line of any file. */
  #lineNumber(): number {
    this.#reader.varint();
    if (this.#reader.hi === 0) return this.#reader.lo >>> 0;
    this.#report.repair('line_out_of_range');
    return 0;
  }

  /** The value of the first of `keys` among the row's attributes, as a string index. There are no columns for other
   * attributes of mappings and locations; they are counted. */
  #rowAttribute(fault: Uint8Array, row: number, keys: readonly string[], dropped: string): number {
    const { data, length } = this.#rowAttributes;
    let rank = keys.length;
    let result = 0;
    for (let i = 0; i < length; i++) {
      const index = data[i]!;
      if (index >= this.attributes.length) {
        fault[row] ||= Fault.attribute;
        continue;
      }
      fault[row] ||= this.attributeFault[index]!;
      const attribute = this.attributes[index];
      if (attribute === null || attribute === undefined) continue;
      const found = keys.indexOf(attribute.key);
      if (found < 0) this.#report.repair(dropped);
      if (found < 0 || found >= rank) continue;
      rank = found;
      result = attribute.value === '' ? 0 : this.#extraString(String(attribute.value));
    }
    return result;
  }
}

/** Lower-case hex of an id, or '' when it has another length or is all zero. */
export function hex(bytes: Uint8Array, expectedBytes: number): string {
  if (bytes.length !== expectedBytes) return '';
  let text = '';
  let any = 0;
  for (const byte of bytes) {
    any |= byte;
    text += byte.toString(16).padStart(2, '0');
  }
  return any === 0 ? '' : text;
}
