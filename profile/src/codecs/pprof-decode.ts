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
import { UintListTable } from '../uint-list-table.ts';
import { ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import type { RangeList } from '../wire/range-list.ts';
import { AttributeSets } from './attribute-sets.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import { DecodeReport, type Repair } from './decode-report.ts';
import { PprofAttribute } from './pprof-attributes.ts';
import { IdTable } from './pprof-id-table.ts';
import { PprofLabels } from './pprof-labels.ts';
import { PprofMessages } from './pprof-messages.ts';

export interface PprofDecodeResult {
  /** Rows of strings, functions, mappings and locations are those of the file; stacks and attribute sets are distinct. */
  readonly profile: Profile;
  /** `invalid_utf8`, `stack_truncated`, `symbol_truncated`, `line_out_of_range`, `mapping_id_unknown`,
   * `location_is_folded`, `attribute_key_empty`, `attribute_key_too_long`, `attribute_value_truncated`. */
  readonly repaired: readonly Repair[];
}

const NO_VALUE_TYPE: ValueType = { type: '', unit: '' };

/** @param bytes decompressed; the caller recognises and undoes gzip
 * @throws FormatError for malformed bytes, HearthscopeError invalid_argument for a limit that is exceeded */
export function decodePprof(
  bytes: Uint8Array,
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
): PprofDecodeResult {
  return new PprofDecoder(bytes, limits).decode();
}

class PprofDecoder {
  readonly #reader: ProtobufReader;
  readonly #limits: DecodeLimits;
  readonly #report = new DecodeReport();
  readonly #messages: PprofMessages;

  #strings: string[] = [];
  #mappingRows = new IdTable(0);
  #functionRows = new IdTable(0);
  #locationRows = new IdTable(0);

  constructor(bytes: Uint8Array, limits: DecodeLimits) {
    this.#reader = new ProtobufReader('pprof', bytes);
    this.#limits = limits;
    this.#messages = new PprofMessages(this.#reader, limits);
  }

  decode(): PprofDecodeResult {
    const messages = this.#messages;
    this.#readStrings();
    const sampleTypes = this.#readSampleTypes();
    const functions = this.#readFunctions();
    const mappings = this.#readMappings();
    const locations = this.#readLocations();
    const { stacks, attributes, attributeSets, samples } = this.#readSamples(sampleTypes.length);
    const profile: Profile = {
      id: '',
      timeUnixNanos: messages.timeNanos,
      durationNanos: messages.durationNanos,
      sampleTypes,
      periodType: this.#readValueTypes(messages.periodTypes).at(-1) ?? NO_VALUE_TYPE,
      period: messages.period,
      profileAttributes: this.#profileAttributes(),
      comments: Array.from(messages.comments.finish(), (index) => this.#string(index, 'comment')),
      strings: this.#symbolStrings(),
      mappings,
      functions,
      locations,
      stacks,
      attributes,
      attributeSets,
      links: [{ traceId: '', spanId: '' }],
      samples,
    };
    this.#report.repair('invalid_utf8', this.#reader.invalidUtf8Strings);
    return { profile, repaired: this.#report.repaired };
  }

  #readStrings(): void {
    const reader = this.#reader;
    const { from, length } = this.#messages.strings;
    const strings = new Array<string>(length);
    for (let row = 0; row < length; row++) {
      this.#messages.strings.seek(reader, row);
      strings[row] = reader.rest();
    }
    this.#strings = strings;
    if (strings[0] !== '') reader.fail('string 0 should be empty string', from.data[0]);
  }

  #string(index: number, field: string): string {
    const value = this.#strings[index];
    if (value === undefined) this.#reader.fail(`${field}: string index out of range`);
    return value;
  }

  #checkString(index: number, field: string): number {
    if (index < 0 || index >= this.#strings.length) this.#reader.fail(`${field}: string index out of range`);
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
    return { type: this.#string(type, 'ValueType.type'), unit: this.#string(unit, 'ValueType.unit') };
  }

  #readSampleTypes(): ValueType[] {
    const { sampleTypes } = this.#messages;
    const types = this.#readValueTypes(sampleTypes);
    const row = types.findIndex(({ type }) => type.includes('-'));
    if (row >= 0) this.#reader.fail('sample type contains -', sampleTypes.from.data[row]);
    return types;
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
            table.name[row] = this.#checkString(reader.index(), 'Function.name');
            break;
          case 3:
            reader.expect(tag, WireType.varint, 'Function.system_name');
            table.systemName[row] = this.#checkString(reader.index(), 'Function.system_name');
            break;
          case 4:
            reader.expect(tag, WireType.varint, 'Function.filename');
            table.filename[row] = this.#checkString(reader.index(), 'Function.filename');
            break;
          case 5:
            reader.expect(tag, WireType.varint, 'Function.start_line');
            table.startLine[row] = this.#lineNumber();
            break;
          default:
            reader.skip(tag);
        }
      }
      if ((idLow | idHigh) === 0) reader.fail('function id is 0', start);
      if (!rows.add(idLow, idHigh, row)) reader.fail('two functions have the same id', start);
    }
    this.#functionRows = rows;
    return table;
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
            table.filename[row] = this.#checkString(reader.index(), 'Mapping.filename');
            break;
          case 6:
            reader.expect(tag, WireType.varint, 'Mapping.build_id');
            table.buildId[row] = this.#checkString(reader.index(), 'Mapping.build_id');
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
            this.#readLine(lines);
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

  #readLine(lines: { function: Uint32Column; number: Uint32Column; column: Uint32Column }): void {
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
          if (functionRow < 0) reader.fail('a line names a function id that the profile lacks', start);
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
    lines.function.push(functionRow);
    lines.number.push(number);
    lines.column.push(column);
    const { maxTableRows } = this.#limits;
    if (lines.function.length > maxTableRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `pprof: the lines of all locations exceed the limit of ${maxTableRows}`,
      );
    }
  }

  /** Lines are int64 on the wire and uint32 in the column; what does not fit is no line of any file. */
  #lineNumber(): number {
    this.#reader.varint();
    if (this.#reader.hi === 0) return this.#reader.lo >>> 0;
    this.#report.repair('line_out_of_range');
    return 0;
  }

  #readSamples(valueCount: number): Pick<Profile, 'stacks' | 'attributes' | 'attributeSets' | 'samples'> {
    const reader = this.#reader;
    const { length } = this.#messages.samples;
    const { maxStackDepth, maxSampleAttributes } = this.#limits;
    const stacks = new UintListTable(this.#messages.samples.byteLength);
    const attributeSets = new AttributeSets();
    const labels = new PprofLabels(reader, this.#strings, this.#limits, this.#report);
    const samples = {
      length,
      stack: new Uint32Array(length),
      values: Array.from({ length: valueCount }, () => new BigInt64Array(length)),
      attributeSet: new Uint32Array(length),
      link: new Uint32Array(length),
      timestampStart: new Uint32Array(length + 1),
      timestampUnixNanos: new BigUint64Array(0),
    };
    const locations = new Uint32Column();
    const sampleLabels: number[] = [];
    for (let row = 0; row < length; row++) {
      this.#messages.samples.seek(reader, row);
      const start = reader.pos;
      locations.length = 0;
      sampleLabels.length = 0;
      let valuesRead = 0;
      let labelsRead = 0;
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (tag >>> 3) {
          case 1:
            this.#readLocationIds(tag, locations);
            break;
          case 2: {
            const packed = (tag & 7) === WireType.lengthDelimited;
            if (!packed) reader.expect(tag, WireType.varint, 'Sample.value');
            const outer = packed ? reader.enter() : reader.limit;
            do {
              if (packed && reader.pos >= reader.limit) break;
              const value = reader.int64();
              if (valuesRead < valueCount) samples.values[valuesRead]![row] = value;
              valuesRead++;
            } while (packed);
            reader.leave(outer);
            break;
          }
          case 3: {
            reader.expect(tag, WireType.lengthDelimited, 'Sample.label');
            if (++labelsRead > maxSampleAttributes) {
              throw new HearthscopeError(
                'invalid_argument',
                `pprof: a sample exceeds the sample labels limit (max_profile_stacktrace_sample_labels, limit: ${maxSampleAttributes})`,
              );
            }
            const attribute = labels.read();
            if (attribute >= 0) sampleLabels.push(attribute);
            break;
          }
          default:
            reader.skip(tag);
        }
      }
      if (valuesRead !== valueCount) {
        reader.fail(
          `sample value length mismatch: ${valuesRead} values for ${valueCount} sample types`,
          start,
        );
      }
      const depth = locations.length;
      if (depth > maxStackDepth) this.#report.repair('stack_truncated');
      samples.stack[row] = stacks.intern(locations.data, Math.max(0, depth - maxStackDepth), depth);
      samples.attributeSet[row] = attributeSets.row(sampleLabels);
    }
    return {
      stacks: { length: stacks.length, locationStart: stacks.finishStart(), location: stacks.finishItems() },
      attributes: labels.attributes,
      attributeSets: attributeSets.finish(),
      samples,
    };
  }

  /** The hottest loop: location ids of one or two bytes are read in place, others by the general path. */
  #readLocationIds(tag: number, locations: Uint32Column): void {
    const reader = this.#reader;
    if ((tag & 7) === WireType.varint) {
      locations.push(this.#locationRow());
      return;
    }
    reader.expect(tag, WireType.lengthDelimited, 'Sample.location_id');
    const outer = reader.enter();
    const { bytes, limit } = reader;
    locations.reserve(limit - reader.pos);
    const { data } = locations;
    const { dense } = this.#locationRows;
    let count = locations.length;
    let pos = reader.pos;
    while (pos < limit) {
      let id = bytes[pos]!;
      let next = pos + 1;
      if (id >= 0x80 && next < limit) {
        id = (id & 0x7f) | (bytes[next]! << 7);
        if (bytes[next]! >= 0x80) id = dense.length;
        next++;
      }
      const row = id < dense.length ? dense[id]! : 0;
      if (row === 0) {
        reader.pos = pos;
        data[count++] = this.#locationRow();
        pos = reader.pos;
      } else {
        data[count++] = row - 1;
        pos = next;
      }
    }
    reader.pos = pos;
    locations.length = count;
    reader.leave(outer);
  }

  #locationRow(): number {
    const reader = this.#reader;
    const at = reader.pos;
    reader.varint();
    const row = this.#locationRows.find(reader.lo, reader.hi);
    if (row < 0) reader.fail('a sample names a location id that the profile lacks', at);
    return row;
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
