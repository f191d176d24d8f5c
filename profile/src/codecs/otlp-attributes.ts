// SPDX-License-Identifier: Apache-2.0
//
// OTLP attributes. Strings, integers, doubles and booleans stay what they are; what the columnar profile has no type for
// becomes text as OpenTelemetry recommends for systems without such types: arrays and maps as JSON, bytes as base64, an
// empty value as ''. No attribute is left out because of the kind of its value.

import type { Attribute, AttributeValue } from '../profile.ts';
import { type ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';

/** Arrays and maps nested deeper are refused. */
export const MAX_VALUE_DEPTH = 16;

export class AttributeReader {
  /** Set when a value named a string that the dictionary does not have; the caller reads and clears it. */
  badString = false;
  readonly #reader: ProtobufReader;
  readonly #strings: readonly string[];
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport;

  /** @param strings the dictionary's string table, for values and keys given by index */
  constructor(
    reader: ProtobufReader,
    strings: readonly string[],
    limits: DecodeLimits,
    report: DecodeReport,
  ) {
    this.#reader = reader;
    this.#strings = strings;
    this.#limits = limits;
    this.#report = report;
  }

  /** Reads the KeyValue that the reader is in and adds it to `attributes`, unless a limit or a bad index forbids it (counted). */
  keyValueInto(attributes: Attribute[]): void {
    this.badString = false;
    const { key, value } = this.#keyValue(0);
    if (this.badString) {
      this.badString = false;
      this.#report.repair('attribute_string_out_of_range');
      return;
    }
    if (attributes.length >= this.#limits.maxResourceAttributes) {
      this.#report.repair('resource_attributes_truncated');
      return;
    }
    const attribute = this.accept(key, typeof value === 'object' ? value.json : value, '');
    if (attribute !== null) attributes.push(attribute);
  }

  /** Reads a length-delimited AnyValue. @throws FormatError when it is nested deeper than MAX_VALUE_DEPTH */
  anyValue(): AttributeValue {
    const value = this.#anyValue(0);
    return typeof value === 'object' ? value.json : value;
  }

  /** The attribute within the limits, or null when its key is empty or too long. */
  accept(key: string, value: AttributeValue, unit: string): Attribute | null {
    const { maxAttributeKeyLength, maxAttributeValueLength } = this.#limits;
    if (key === '') {
      this.#report.repair('attribute_key_empty');
      return null;
    }
    if (key.length > maxAttributeKeyLength) {
      this.#report.repair('attribute_key_too_long');
      return null;
    }
    if (typeof value !== 'string' || value.length <= maxAttributeValueLength) return { key, value, unit };
    this.#report.repair('attribute_value_truncated');
    return { key, value: value.slice(0, maxAttributeValueLength).toWellFormed(), unit };
  }

  #keyValue(depth: number): { key: string; value: AttributeValue | Json } {
    const reader = this.#reader;
    let key = '';
    let value: AttributeValue | Json = '';
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.lengthDelimited, 'KeyValue.key');
          key = reader.string();
          break;
        case 2:
          reader.expect(tag, WireType.lengthDelimited, 'KeyValue.value');
          value = this.#anyValue(depth);
          break;
        case 3:
          reader.expect(tag, WireType.varint, 'KeyValue.key_strindex');
          key = this.#stringAt(reader.index());
          break;
        default:
          reader.skip(tag);
      }
    }
    return { key, value };
  }

  #anyValue(depth: number): AttributeValue | Json {
    const reader = this.#reader;
    let value: AttributeValue | Json = '';
    const outer = reader.enter();
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.lengthDelimited, 'AnyValue.string_value');
          value = reader.string();
          break;
        case 2:
          reader.expect(tag, WireType.varint, 'AnyValue.bool_value');
          value = reader.bool();
          break;
        case 3:
          reader.expect(tag, WireType.varint, 'AnyValue.int_value');
          value = reader.int64();
          break;
        case 4:
          reader.expect(tag, WireType.fixed64, 'AnyValue.double_value');
          value = reader.double();
          break;
        case 5:
          reader.expect(tag, WireType.lengthDelimited, 'AnyValue.array_value');
          value = { json: `[${this.#elements(depth).join(',')}]` };
          break;
        case 6:
          reader.expect(tag, WireType.lengthDelimited, 'AnyValue.kvlist_value');
          value = { json: `{${this.#members(depth).join(',')}}` };
          break;
        case 7:
          reader.expect(tag, WireType.lengthDelimited, 'AnyValue.bytes_value');
          value = base64(reader.blob());
          break;
        case 8:
          reader.expect(tag, WireType.varint, 'AnyValue.string_value_strindex');
          value = this.#stringAt(reader.index());
          break;
        default:
          reader.skip(tag);
      }
    }
    reader.leave(outer);
    return value;
  }

  /** The JSON of each value of an ArrayValue. */
  #elements(depth: number): string[] {
    return this.#repeated(depth, 'ArrayValue.values', () => jsonOf(this.#anyValue(depth + 1)));
  }

  /** `"key":value` for each pair of a KeyValueList. */
  #members(depth: number): string[] {
    return this.#repeated(depth, 'KeyValueList.values', () => {
      const outer = this.#reader.enter();
      const { key, value } = this.#keyValue(depth + 1);
      this.#reader.leave(outer);
      return `${JSON.stringify(key)}:${jsonOf(value)}`;
    });
  }

  #repeated(depth: number, field: string, read: () => string): string[] {
    const reader = this.#reader;
    if (depth === MAX_VALUE_DEPTH) reader.fail(`attribute value nested deeper than ${MAX_VALUE_DEPTH}`);
    const parts: string[] = [];
    const outer = reader.enter();
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      if (tag >>> 3 === 1) {
        reader.expect(tag, WireType.lengthDelimited, field);
        parts.push(read());
      } else {
        reader.skip(tag);
      }
    }
    reader.leave(outer);
    return parts;
  }

  #stringAt(index: number): string {
    const text = this.#strings[index];
    if (text === undefined && index !== 0) this.badString = true;
    return text ?? '';
  }
}

/** Text that is JSON already and must not be quoted when it is nested in more JSON. */
interface Json {
  readonly json: string;
}

function jsonOf(value: AttributeValue | Json): string {
  switch (typeof value) {
    case 'object':
      return value.json;
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? JSON.stringify(value) : JSON.stringify(String(value));
    default:
      return JSON.stringify(value);
  }
}

function base64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
