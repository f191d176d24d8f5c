// SPDX-License-Identifier: Apache-2.0
//
// The dictionary that all profiles of one OTLP request share. Rows are taken over when a sample first reaches them, so
// there are no orphans, and interned, so there are no duplicates. Row 0 of each table is the zero value.

import { attributeKey } from '../attribute-key.ts';
import type { Attribute, AttributeValue, Profile } from '../profile.ts';
import { UintListTable } from '../uint-list-table.ts';
import { high32, low32, uint64Of } from '../uint64-lanes.ts';
import type { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { FRAME_TYPE_ATTRIBUTE, GNU_BUILD_ID_ATTRIBUTE } from './otlp-semantics.ts';

const NONE = -1;
/** Items of an interned location before its lines: mapping, address low and high, frame type attribute. */
const LOCATION_FIXED_ITEMS = 4;
const LINE_ITEMS = 3;
const MAPPING_ITEMS = 8;
const FUNCTION_ITEMS = 4;

/** Rows of one profile's tables in the dictionary, NONE while they have none. */
interface ProfileRows {
  readonly strings: Int32Array;
  readonly mappings: Int32Array;
  readonly functions: Int32Array;
  readonly locations: Int32Array;
  readonly stacks: Int32Array;
  readonly attributes: Int32Array;
  readonly links: Int32Array;
}

export class OtlpDictionaryWriter {
  readonly #strings: string[] = [''];
  readonly #stringRow = new Map<string, number>([['', 0]]);
  readonly #attributes: { key: number; value: AttributeValue; unit: number }[] = [
    { key: 0, value: '', unit: 0 },
  ];
  readonly #attributeRow = new Map<string, number>();
  readonly #links: { traceId: string; spanId: string }[] = [{ traceId: '', spanId: '' }];
  readonly #linkRow = new Map<string, number>();
  readonly #mappings = new UintListTable();
  readonly #functions = new UintListTable();
  readonly #locations = new UintListTable();
  readonly #stacks = new UintListTable();
  readonly #rows = new WeakMap<Profile, ProfileRows>();
  readonly #scratch: number[] = [];

  constructor() {
    this.#mappings.intern(new Array<number>(MAPPING_ITEMS).fill(0));
    this.#functions.intern(new Array<number>(FUNCTION_ITEMS).fill(0));
    this.#locations.intern(new Array<number>(LOCATION_FIXED_ITEMS).fill(0));
    this.#stacks.intern([]);
  }

  string(text: string): number {
    let row = this.#stringRow.get(text);
    if (row === undefined) {
      row = this.#strings.push(text) - 1;
      this.#stringRow.set(text, row);
    }
    return row;
  }

  attribute(attribute: Attribute): number {
    const identity = attributeKey(attribute);
    let row = this.#attributeRow.get(identity);
    if (row === undefined) {
      const { key, value, unit } = attribute;
      row = this.#attributes.push({ key: this.string(key), value, unit: this.string(unit) }) - 1;
      this.#attributeRow.set(identity, row);
    }
    return row;
  }

  stack(profile: Profile, stack: number): number {
    const rows = this.#rowsOf(profile);
    const known = rows.stacks[stack]!;
    if (known !== NONE) return known;
    const { locationStart, location } = profile.stacks;
    const list: number[] = [];
    for (let i = locationStart[stack]!; i < locationStart[stack + 1]!; i++) {
      list.push(this.#location(profile, rows, location[i]!));
    }
    const row = this.#stacks.intern(list);
    rows.stacks[stack] = row;
    return row;
  }

  attributeSet(profile: Profile, set: number): number[] {
    const rows = this.#rowsOf(profile);
    const { attributeStart, attribute } = profile.attributeSets;
    const list: number[] = [];
    for (let i = attributeStart[set]!; i < attributeStart[set + 1]!; i++) {
      const index = attribute[i]!;
      let row = rows.attributes[index]!;
      if (row === NONE) {
        row = this.attribute(profile.attributes[index]!);
        rows.attributes[index] = row;
      }
      list.push(row);
    }
    return list;
  }

  link(profile: Profile, link: number): number {
    if (link === 0) return 0;
    const rows = this.#rowsOf(profile);
    if (rows.links[link] !== NONE) return rows.links[link]!;
    const { traceId, spanId } = profile.links[link]!;
    let row = this.#linkRow.get(traceId + spanId);
    if (row === undefined) {
      row = this.#links.push({ traceId, spanId }) - 1;
      this.#linkRow.set(traceId + spanId, row);
    }
    rows.links[link] = row;
    return row;
  }

  /** Writes the fields of a ProfilesDictionary. */
  write(writer: ProtobufWriter): void {
    for (let row = 0; row < this.#mappings.length; row++)
      writer.row(1, () => this.#writeMapping(writer, row));
    for (let row = 0; row < this.#locations.length; row++)
      writer.row(2, () => this.#writeLocation(writer, row));
    for (let row = 0; row < this.#functions.length; row++)
      writer.row(3, () => this.#writeFunction(writer, row));
    for (const { traceId, spanId } of this.#links) {
      writer.row(4, () => {
        writer.blob(1, bytesOfHex(traceId));
        writer.blob(2, bytesOfHex(spanId));
      });
    }
    for (const text of this.#strings) writer.presentString(5, text);
    this.#attributes.forEach(({ key, value, unit }, row) => {
      writer.row(6, () => {
        if (row === 0) return;
        writer.uint32(1, key);
        writer.message(2, () => writeAnyValue(writer, value));
        writer.uint32(3, unit);
      });
    });
    for (let row = 0; row < this.#stacks.length; row++) {
      const { start, items } = this.#stacks;
      writer.row(7, () => writer.packedUint32(1, items.subarray(start[row], start[row + 1])));
    }
  }

  #rowsOf(profile: Profile): ProfileRows {
    let rows = this.#rows.get(profile);
    if (rows === undefined) {
      const none = (length: number) => new Int32Array(length).fill(NONE);
      rows = {
        strings: none(profile.strings.length),
        mappings: none(profile.mappings.length),
        functions: none(profile.functions.length),
        locations: none(profile.locations.length),
        stacks: none(profile.stacks.length),
        attributes: none(profile.attributes.length),
        links: none(profile.links.length),
      };
      this.#rows.set(profile, rows);
    }
    return rows;
  }

  #profileString(profile: Profile, rows: ProfileRows, index: number): number {
    if (rows.strings[index] === NONE) rows.strings[index] = this.string(profile.strings[index]!);
    return rows.strings[index]!;
  }

  #mapping(profile: Profile, rows: ProfileRows, index: number): number {
    if (rows.mappings[index] !== NONE) return rows.mappings[index]!;
    const { start, limit, fileOffset, filename, buildId } = profile.mappings;
    const buildIdText = profile.strings[buildId[index]!]!;
    const row = this.#mappings.intern([
      low32(start[index]!),
      high32(start[index]!),
      low32(limit[index]!),
      high32(limit[index]!),
      low32(fileOffset[index]!),
      high32(fileOffset[index]!),
      this.#profileString(profile, rows, filename[index]!),
      buildIdText === '' ? 0 : this.attribute({ key: GNU_BUILD_ID_ATTRIBUTE, value: buildIdText, unit: '' }),
    ]);
    rows.mappings[index] = row;
    return row;
  }

  #function(profile: Profile, rows: ProfileRows, index: number): number {
    if (rows.functions[index] !== NONE) return rows.functions[index]!;
    const { name, systemName, filename, startLine } = profile.functions;
    const row = this.#functions.intern([
      this.#profileString(profile, rows, name[index]!),
      this.#profileString(profile, rows, systemName[index]!),
      this.#profileString(profile, rows, filename[index]!),
      startLine[index]!,
    ]);
    rows.functions[index] = row;
    return row;
  }

  #location(profile: Profile, rows: ProfileRows, index: number): number {
    if (rows.locations[index] !== NONE) return rows.locations[index]!;
    const { mapping, address, lineStart, lineFunction, lineNumber, lineColumn, frameType } =
      profile.locations;
    const frameTypeText = profile.strings[frameType[index]!]!;
    const list = this.#scratch;
    list.length = 0;
    list.push(
      this.#mapping(profile, rows, mapping[index]!),
      low32(address[index]!),
      high32(address[index]!),
      frameTypeText === ''
        ? 0
        : this.attribute({ key: FRAME_TYPE_ATTRIBUTE, value: frameTypeText, unit: '' }),
    );
    for (let line = lineStart[index]!; line < lineStart[index + 1]!; line++) {
      const functionRow = this.#function(profile, rows, lineFunction[line]!);
      // A line that says nothing would be an empty message.
      if ((functionRow | lineNumber[line]! | lineColumn[line]!) === 0) continue;
      list.push(functionRow, lineNumber[line]!, lineColumn[line]!);
    }
    const row = this.#locations.intern(list);
    rows.locations[index] = row;
    return row;
  }

  #writeMapping(writer: ProtobufWriter, row: number): void {
    const { items } = this.#mappings;
    const at = row * MAPPING_ITEMS;
    writer.int64(1, uint64Of(items, at));
    writer.int64(2, uint64Of(items, at + 2));
    writer.int64(3, uint64Of(items, at + 4));
    writer.uint32(4, items[at + 6]!);
    if (items[at + 7] !== 0) writer.packedUint32(5, [items[at + 7]!]);
  }

  #writeFunction(writer: ProtobufWriter, row: number): void {
    const { items } = this.#functions;
    for (let item = 0; item < FUNCTION_ITEMS; item++)
      writer.uint32(item + 1, items[row * FUNCTION_ITEMS + item]!);
  }

  #writeLocation(writer: ProtobufWriter, row: number): void {
    const { start, items } = this.#locations;
    const at = start[row]!;
    writer.uint32(1, items[at]!);
    writer.int64(2, uint64Of(items, at + 1));
    for (let line = at + LOCATION_FIXED_ITEMS; line < start[row + 1]!; line += LINE_ITEMS) {
      writer.message(3, () => {
        writer.uint32(1, items[line]!);
        writer.uint32(2, items[line + 1]!);
        writer.uint32(3, items[line + 2]!);
      });
    }
    if (items[at + 3] !== 0) writer.packedUint32(4, [items[at + 3]!]);
  }
}

/** Writes the one field of an AnyValue; it is there even when the value is '', 0 or false. */
export function writeAnyValue(writer: ProtobufWriter, value: AttributeValue): void {
  switch (typeof value) {
    case 'string':
      writer.presentString(1, value);
      break;
    case 'boolean':
      writer.presentInt64(2, value ? 1n : 0n);
      break;
    case 'bigint':
      writer.presentInt64(3, value);
      break;
    default:
      writer.presentDouble(4, value);
  }
}

/** Writes a KeyValue per attribute into field `field`. A KeyValue has no unit; resources and scopes have none either. */
export function writeKeyValues(
  writer: ProtobufWriter,
  field: number,
  attributes: readonly Attribute[],
): void {
  for (const { key, value } of attributes) {
    writer.message(field, () => {
      writer.string(1, key);
      writer.message(2, () => writeAnyValue(writer, value));
    });
  }
}

export function bytesOfHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(i * 2, i * 2 + 2), 16),
  );
}
