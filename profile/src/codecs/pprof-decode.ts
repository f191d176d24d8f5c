// SPDX-License-Identifier: Apache-2.0
//
// Reads pprof (profile.proto, decompressed) into a columnar Profile. Foreign bytes: every length, id and index is
// checked, and a profile that contradicts itself is refused whole, because there is no telling which half is right.
//
// Two passes. The tables of a pprof come in any order and the strings usually last, so the first pass only notes where
// each message lies (and counts them against the limits before anything is allocated); the second reads strings,
// functions, mappings, locations and samples in the order in which they refer to each other, straight into columns.
//
// What pprof has and the columnar profile has not: the has_* flags of mappings (recomputed when encoding) and
// Location.is_folded (counted as a repair). drop_frames, keep_frames, doc_url and default_sample_type become profile
// attributes with the names of OpenTelemetry's semantic conventions; sample labels become sample attributes.

import { Uint32Column } from '../column.ts';
import { HearthscopeError } from '../errors.ts';
import type { Attribute, FunctionTable, LocationTable, MappingTable, Profile } from '../profile.ts';
import type { ValueType } from '../profile-type.ts';
import { ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import type { RangeList } from '../wire/range-list.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import { DecodeReport, type Rejection, type Repair } from './decode-report.ts';
import { PprofAttribute } from './pprof-attributes.ts';
import { IdTable } from './pprof-id-table.ts';
import { PprofMessages } from './pprof-messages.ts';
import { type KnownLocations, PprofSampleReader } from './pprof-samples.ts';

export interface PprofDecodeOptions {
  /** What becomes of a string that is not UTF-8: `replace` (the default) reads it with U+FFFD and counts it, `refuse`
   * refuses the profile, as Grafana Pyroscope's push does. */
  readonly invalidUtf8?: 'replace' | 'refuse';
  /** Whether to mend what old .NET clients sent: functions that all have the id 0 belong to the locations in their order
   * (`function_id_zero`), and `-` in a sample type is meant as `_` (`sample_type_dash`). */
  readonly mendDotnet?: boolean;
  /** What becomes of samples whose stack leads to an id that the profile lacks: `refuse` (the default) refuses the profile,
   * `dropSamples` leaves them out. */
  readonly unknownIds?: 'refuse' | 'dropSamples';
}

export interface PprofDecodeResult {
  /** Rows of strings, functions, mappings and locations are those of the file; stacks and attribute sets are distinct. */
  readonly profile: Profile;
  /** Samples: `location_id_unknown`, `function_id_unknown`. */
  readonly rejected: readonly Rejection[];
  /** `invalid_utf8`, `stack_truncated`, `symbol_truncated`, `line_out_of_range`, `mapping_id_unknown`,
   * `location_is_folded`, `attribute_key_empty`, `attribute_key_too_long`, `attribute_value_truncated`,
   * `function_id_zero`, `sample_type_dash`, `time_negative`. */
  readonly repaired: readonly Repair[];
}

const NO_VALUE_TYPE: ValueType = { type: '', unit: '' };

/** Bytes of a string that is not UTF-8 which its error shows. */
const MAX_SHOWN_BYTES = 256;

/** @param bytes decompressed; the caller recognises and undoes gzip
 * @throws FormatError for malformed bytes; HearthscopeError invalid_argument for a limit that is exceeded, which is a
 *   DecodeLimitError where Grafana Pyroscope has the limit too */
export function decodePprof(
  bytes: Uint8Array,
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
  options: PprofDecodeOptions = {},
): PprofDecodeResult {
  return new PprofDecoder(bytes, limits, options).decode();
}

class PprofDecoder {
  readonly #reader: ProtobufReader;
  readonly #limits: DecodeLimits;
  readonly #options: PprofDecodeOptions;
  readonly #report = new DecodeReport();
  readonly #messages: PprofMessages;

  #strings: string[] = [];
  #mappingRows = new IdTable(0);
  #functionRows = new IdTable(0);
  #locationRows = new IdTable(0);
  readonly #brokenLocations = new Set<number>();

  constructor(bytes: Uint8Array, limits: DecodeLimits, options: PprofDecodeOptions) {
    this.#reader = new ProtobufReader('pprof', bytes);
    this.#limits = limits;
    this.#options = options;
    this.#messages = new PprofMessages(this.#reader, limits);
  }

  decode(): PprofDecodeResult {
    const messages = this.#messages;
    this.#readStrings();
    const sampleTypes = this.#readValueTypes(messages.sampleTypes);
    const functions = this.#readFunctions();
    const mappings = this.#readMappings();
    const locations = this.#readLocations();
    const known: KnownLocations = {
      rows: this.#locationRows,
      broken: this.#brokenLocations,
      isDropping: this.#options.unknownIds === 'dropSamples',
    };
    const sampleReader = new PprofSampleReader(
      this.#reader,
      this.#strings,
      known,
      this.#limits,
      this.#report,
    );
    const tables = sampleReader.read(messages.samples, sampleTypes.length);
    const profile: Profile = {
      id: '',
      timeUnixNanos: this.#notNegative(messages.timeNanos),
      durationNanos: this.#notNegative(messages.durationNanos),
      sampleTypes: this.#withoutDashes(sampleTypes),
      periodType: this.#readValueTypes(messages.periodTypes).at(-1) ?? NO_VALUE_TYPE,
      period: messages.period,
      profileAttributes: this.#profileAttributes(),
      comments: Array.from(messages.comments.finish(), (index) => this.#string(index, 'comment')),
      strings: this.#symbolStrings(),
      mappings,
      functions,
      locations,
      links: [{ traceId: '', spanId: '' }],
      ...tables,
    };
    this.#report.repair('invalid_utf8', this.#reader.invalidUtf8Strings);
    return { profile, rejected: this.#report.rejected, repaired: this.#report.repaired };
  }

  #readStrings(): void {
    const reader = this.#reader;
    const { from, length } = this.#messages.strings;
    const strings = new Array<string>(length);
    const mustBeUtf8 = this.#options.invalidUtf8 === 'refuse';
    for (let row = 0; row < length; row++) {
      this.#messages.strings.seek(reader, row);
      strings[row] = reader.rest();
      if (mustBeUtf8 && reader.invalidUtf8Strings > 0) this.#refuseString(row);
    }
    this.#strings = strings;
    if (strings[0] !== '') reader.fail('string 0 should be empty string', from.data[0]);
  }

  #refuseString(row: number): never {
    const { from, to } = this.#messages.strings;
    const start = from.data[row]!;
    const shown = this.#reader.bytes.subarray(start, Math.min(to.data[row]!, start + MAX_SHOWN_BYTES));
    const hex = Array.from(shown, (byte) => byte.toString(16).padStart(2, '0')).join('');
    this.#reader.fail(`invalid utf8 string hex: ${hex}`, start);
  }

  /** @param field as clients know it from Grafana Pyroscope, where it has the field */
  #string(index: number, field: string): string {
    return this.#strings[this.#checkString(index, field)]!;
  }

  /** @param error where Grafana Pyroscope words it otherwise than for the other fields */
  #checkString(index: number, field: string, error = `${field} string index out of range`): number {
    if (index < 0 || index >= this.#strings.length) this.#reader.fail(error);
    return index;
  }

  /** The string table with over-long names cut; attributes have read their own values from the uncut one. */
  #symbolStrings(): string[] {
    const { maxSymbolLength } = this.#limits;
    return this.#strings.map((text) => {
      if (text.length <= maxSymbolLength) return text;
      this.#report.repair('symbol_truncated');
      return text.slice(-maxSymbolLength).toWellFormed();
    });
  }

  #readValueTypes(ranges: RangeList): ValueType[] {
    return Array.from({ length: ranges.length }, (_, row) => {
      ranges.seek(this.#reader, row);
      return this.#readValueType();
    });
  }

  /** Reads the ValueType that the reader is in. */
  #readValueType(): ValueType {
    const reader = this.#reader;
    let type = 0;
    let unit = 0;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.varint, 'ValueType.type');
          type = reader.index();
          break;
        case 2:
          reader.expect(tag, WireType.varint, 'ValueType.unit');
          unit = reader.index();
          break;
        default:
          reader.skip(tag);
      }
    }
    return { type: this.#string(type, 'sample type type'), unit: this.#string(unit, 'sample type unit') };
  }

  /** Before 1970, or backwards: a clock that was not set. It is as good as no time. */
  #notNegative(nanos: bigint): bigint {
    if (nanos >= 0n) return nanos;
    this.#report.repair('time_negative');
    return 0n;
  }

  #withoutDashes(sampleTypes: readonly ValueType[]): ValueType[] {
    return sampleTypes.map((sampleType, row) => {
      const { type, unit } = sampleType;
      if (!type.includes('-')) return sampleType;
      if (!this.#options.mendDotnet) {
        this.#reader.fail('sample type contains -', this.#messages.sampleTypes.from.data[row]);
      }
      this.#report.repair('sample_type_dash');
      return { type: type.replaceAll('-', '_'), unit };
    });
  }

  #readFunctions(): FunctionTable {
    const reader = this.#reader;
    const { length: count } = this.#messages.functions;
    const length = count + 1;
    const table = {
      length,
      name: new Uint32Array(length),
      systemName: new Uint32Array(length),
      filename: new Uint32Array(length),
      startLine: new Uint32Array(length),
    };
    const rows = new IdTable(count);
    let withId = 0;
    for (let row = 1; row < length; row++) {
      this.#messages.functions.seek(reader, row - 1);
      const start = reader.pos;
      let idLow = 0;
      let idHigh = 0;
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.varint, 'Function.id');
            reader.varint();
            idLow = reader.lo;
            idHigh = reader.hi;
            break;
          case 2:
            reader.expect(tag, WireType.varint, 'Function.name');
            table.name[row] = this.#checkString(reader.index(), 'function name');
            break;
          case 3:
            reader.expect(tag, WireType.varint, 'Function.system_name');
            table.systemName[row] = this.#checkString(
              reader.index(),
              'function system name',
              'function system name index string out of range',
            );
            break;
          case 4:
            reader.expect(tag, WireType.varint, 'Function.filename');
            table.filename[row] = this.#checkString(reader.index(), 'function file name');
            break;
          case 5:
            reader.expect(tag, WireType.varint, 'Function.start_line');
            table.startLine[row] = this.#lineNumber();
            break;
          default:
            reader.skip(tag);
        }
      }
      if ((idLow | idHigh) === 0 && this.#options.mendDotnet) continue;
      if ((idLow | idHigh) === 0) reader.fail('function id is 0', start);
      if (!rows.add(idLow, idHigh, row)) reader.fail('two functions have the same id', start);
      withId++;
    }
    if (withId !== count) this.#giveFunctionIds(rows, withId);
    this.#functionRows = rows;
    return table;
  }

  /** The functions of a .NET profile, none of which has an id, get those of the locations. */
  #giveFunctionIds(rows: IdTable, withId: number): void {
    const reader = this.#reader;
    const { functions, locations } = this.#messages;
    if (withId > 0 || functions.length !== locations.length) {
      reader.fail('function id is 0', functions.from.data[0]);
    }
    for (let row = 0; row < locations.length; row++) {
      locations.seek(reader, row);
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        if (tag >>> 3 !== 1) {
          reader.skip(tag);
          continue;
        }
        reader.expect(tag, WireType.varint, 'Location.id');
        reader.varint();
        rows.add(reader.lo, reader.hi, row + 1);
      }
    }
    this.#report.repair('function_id_zero', functions.length);
  }

  #readMappings(): MappingTable {
    const reader = this.#reader;
    const { length: count } = this.#messages.mappings;
    const length = count + 1;
    const table = {
      length,
      start: new BigUint64Array(length),
      limit: new BigUint64Array(length),
      fileOffset: new BigUint64Array(length),
      filename: new Uint32Array(length),
      buildId: new Uint32Array(length),
    };
    const rows = new IdTable(count);
    for (let row = 1; row < length; row++) {
      this.#messages.mappings.seek(reader, row - 1);
      const start = reader.pos;
      let idLow = 0;
      let idHigh = 0;
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.varint, 'Mapping.id');
            reader.varint();
            idLow = reader.lo;
            idHigh = reader.hi;
            break;
          case 2:
            reader.expect(tag, WireType.varint, 'Mapping.memory_start');
            table.start[row] = reader.uint64();
            break;
          case 3:
            reader.expect(tag, WireType.varint, 'Mapping.memory_limit');
            table.limit[row] = reader.uint64();
            break;
          case 4:
            reader.expect(tag, WireType.varint, 'Mapping.file_offset');
            table.fileOffset[row] = reader.uint64();
            break;
          case 5:
            reader.expect(tag, WireType.varint, 'Mapping.filename');
            table.filename[row] = this.#checkString(reader.index(), 'mapping file name');
            break;
          case 6:
            reader.expect(tag, WireType.varint, 'Mapping.build_id');
            table.buildId[row] = this.#checkString(reader.index(), 'mapping build id');
            break;
          default:
            reader.skip(tag);
        }
      }
      if ((idLow | idHigh) === 0) reader.fail('mapping id is 0', start);
      if (!rows.add(idLow, idHigh, row)) reader.fail('two mappings have the same id', start);
    }
    this.#mappingRows = rows;
    return table;
  }

  #readLocations(): LocationTable {
    const reader = this.#reader;
    const { length } = this.#messages.locations;
    const table = {
      length,
      mapping: new Uint32Array(length),
      address: new BigUint64Array(length),
      lineStart: new Uint32Array(length + 1),
      frameType: new Uint32Array(length),
    };
    const lines = { function: new Uint32Column(), number: new Uint32Column(), column: new Uint32Column() };
    const rows = new IdTable(length);
    for (let row = 0; row < length; row++) {
      this.#messages.locations.seek(reader, row);
      const start = reader.pos;
      let idLow = 0;
      let idHigh = 0;
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            reader.expect(tag, WireType.varint, 'Location.id');
            reader.varint();
            idLow = reader.lo;
            idHigh = reader.hi;
            break;
          case 2: {
            reader.expect(tag, WireType.varint, 'Location.mapping_id');
            reader.varint();
            const mapping = this.#mappingRows.find(reader.lo, reader.hi);
            if (mapping < 0 && (reader.lo | reader.hi) !== 0) this.#report.repair('mapping_id_unknown');
            table.mapping[row] = Math.max(mapping, 0);
            break;
          }
          case 3:
            reader.expect(tag, WireType.varint, 'Location.address');
            table.address[row] = reader.uint64();
            break;
          case 4:
            reader.expect(tag, WireType.lengthDelimited, 'Location.line');
            if (!this.#readLine(lines)) this.#brokenLocations.add(row);
            break;
          case 5:
            reader.expect(tag, WireType.varint, 'Location.is_folded');
            if (reader.bool()) this.#report.repair('location_is_folded');
            break;
          default:
            reader.skip(tag);
        }
      }
      if ((idLow | idHigh) === 0) reader.fail('location id is 0', start);
      if (!rows.add(idLow, idHigh, row)) reader.fail('two locations have the same id', start);
      table.lineStart[row + 1] = lines.function.length;
    }
    this.#locationRows = rows;
    return {
      ...table,
      lineFunction: lines.function.finish(),
      lineNumber: lines.number.finish(),
      lineColumn: lines.column.finish(),
    };
  }

  /** @returns false when its function is not there */
  #readLine(lines: { function: Uint32Column; number: Uint32Column; column: Uint32Column }): boolean {
    const reader = this.#reader;
    const start = reader.pos;
    const outer = reader.enter();
    let functionRow = 0;
    let number = 0;
    let column = 0;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1: {
          reader.expect(tag, WireType.varint, 'Line.function_id');
          reader.varint();
          functionRow = (reader.lo | reader.hi) === 0 ? 0 : this.#functionRows.find(reader.lo, reader.hi);
          if (functionRow < 0 && this.#options.unknownIds !== 'dropSamples') {
            reader.fail('a line names a function id that the profile lacks', start);
          }
          break;
        }
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
    lines.function.push(Math.max(functionRow, 0));
    lines.number.push(number);
    lines.column.push(column);
    const { maxTableRows } = this.#limits;
    if (lines.function.length > maxTableRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `pprof: the lines of all locations exceed the limit of ${maxTableRows}`,
      );
    }
    return functionRow >= 0;
  }

  /** Lines are int64 on the wire and uint32 in the column; what does not fit is no line of any file. */
  #lineNumber(): number {
    this.#reader.varint();
    if (this.#reader.hi === 0) return this.#reader.lo >>> 0;
    this.#report.repair('line_out_of_range');
    return 0;
  }

  #profileAttributes(): Attribute[] {
    const attributes: Attribute[] = [];
    const add = (key: string, index: number, field: string) => {
      const value = this.#string(index, field);
      if (value !== '') attributes.push({ key, value, unit: '' });
    };
    add(PprofAttribute.dropFrames, this.#messages.dropFrames, 'Profile.drop_frames');
    add(PprofAttribute.keepFrames, this.#messages.keepFrames, 'Profile.keep_frames');
    add(PprofAttribute.docUrl, this.#messages.docUrl, 'Profile.doc_url');
    add(PprofAttribute.defaultSampleType, this.#messages.defaultSampleType, 'Profile.default_sample_type');
    return attributes;
  }
}
