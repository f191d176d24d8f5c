// SPDX-License-Identifier: Apache-2.0
//
// The labels of pprof samples as attributes: a label with a string is a string attribute, any other an integer one.
// Most samples repeat the labels of others, so a label is turned into an attribute once.

import type { Attribute } from '../profile.ts';
import { UintListTable } from '../uint-list-table.ts';
import { type ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';

export class PprofLabels {
  readonly attributes: Attribute[] = [];
  readonly #reader: ProtobufReader;
  readonly #strings: readonly string[];
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport;
  /** [key, string, number low, number high, unit] → a row here; -1 in `#attributeOf` for labels that are left out. */
  readonly #labels = new UintListTable();
  readonly #attributeOf: number[] = [];
  readonly #scratch = new Uint32Array(5);

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

  /** Reads one Label. @returns the attribute's row, or -1 when the label has no usable key */
  read(): number {
    const reader = this.#reader;
    const scratch = this.#scratch.fill(0);
    const outer = reader.enter();
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.varint, 'Label.key');
          scratch[0] = this.#stringIndex('Label.key');
          break;
        case 2:
          reader.expect(tag, WireType.varint, 'Label.str');
          scratch[1] = this.#stringIndex('Label.str');
          break;
        case 3:
          reader.expect(tag, WireType.varint, 'Label.num');
          reader.varint();
          scratch[2] = reader.lo;
          scratch[3] = reader.hi;
          break;
        case 4:
          reader.expect(tag, WireType.varint, 'Label.num_unit');
          scratch[4] = this.#stringIndex('Label.num_unit');
          break;
        default:
          reader.skip(tag);
      }
    }
    reader.leave(outer);
    const before = this.#labels.length;
    const row = this.#labels.intern(scratch);
    if (row === before) this.#attributeOf.push(this.#add());
    const attribute = this.#attributeOf[row]!;
    if (attribute < 0) {
      this.#report.repair(
        this.#strings[scratch[0]!] === '' ? 'attribute_key_empty' : 'attribute_key_too_long',
      );
    }
    return attribute;
  }

  #stringIndex(field: string): number {
    const index = this.#reader.index();
    if (index < 0 || index >= this.#strings.length)
      this.#reader.fail(`sample label string index out of range: ${field}`);
    return index;
  }

  #add(): number {
    const [key, text, low, high, unit] = this.#scratch as unknown as [number, number, number, number, number];
    const name = this.#strings[key]!;
    if (name === '' || name.length > this.#limits.maxAttributeKeyLength) return -1;
    let value: string | bigint = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
    if (text !== 0) {
      value = this.#strings[text]!;
      if (value.length > this.#limits.maxAttributeValueLength) {
        value = value.slice(0, this.#limits.maxAttributeValueLength).toWellFormed();
        this.#report.repair('attribute_value_truncated');
      }
    }
    this.attributes.push({ key: name, value, unit: this.#strings[unit]! });
    return this.attributes.length - 1;
  }
}
