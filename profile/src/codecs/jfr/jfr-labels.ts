// SPDX-License-Identifier: Apache-2.0
//
// The labels that the Java agent sends beside a recording, as protobuf. Events refer to them by a context id.
//
//   LabelsSnapshot { contexts = 1: map<int64, Context>   strings = 2: map<int64, string> }
//   Context        { labels = 1: map<int64, int64> }     keys and values are keys of `strings`
//
// Ids are any int64, kept as two lanes. A later entry of a map replaces an earlier one, as protobuf says; since ids are
// dense and each comes once, the earlier one is kept here and the other counted.

import { Uint32Column } from '../../column.ts';
import { HearthscopeError } from '../../errors.ts';
import type { Attribute } from '../../profile.ts';
import { ProtobufReader, WireType } from '../../wire/protobuf-reader.ts';
import type { DecodeLimits } from '../decode-limits.ts';
import type { DecodeReport } from '../decode-report.ts';
import { IdTable } from '../pprof-id-table.ts';

/** Where the value of each entry of a map lies. */
class MapEntries {
  readonly #keyLow = new Uint32Column();
  readonly #keyHigh = new Uint32Column();
  readonly #from = new Uint32Column();
  readonly #to = new Uint32Column();
  #rows: IdTable | undefined;

  get length(): number {
    return this.#keyLow.length;
  }

  /** Reads one entry, of which the value is length-delimited. */
  read(reader: ProtobufReader, tag: number, field: string): void {
    reader.expect(tag, WireType.lengthDelimited, field);
    const outer = reader.enter();
    let keyLow = 0;
    let keyHigh = 0;
    let from = reader.limit;
    let to = from;
    while (reader.pos < reader.limit) {
      const inner = reader.tag();
      if (inner >>> 3 === 1) {
        reader.expect(inner, WireType.varint, `${field} key`);
        reader.varint();
        keyLow = reader.lo;
        keyHigh = reader.hi;
      } else if (inner >>> 3 === 2) {
        reader.expect(inner, WireType.lengthDelimited, `${field} value`);
        const length = reader.length();
        from = reader.pos;
        to = from + length;
        reader.pos = to;
      } else {
        reader.skip(inner);
      }
    }
    reader.leave(outer);
    this.#keyLow.push(keyLow);
    this.#keyHigh.push(keyHigh);
    this.#from.push(from);
    this.#to.push(to);
  }

  /** @returns how many entries have a key that an earlier one has */
  finish(): number {
    this.#rows = new IdTable(this.length);
    let repeated = 0;
    for (let row = 0; row < this.length; row++) {
      if (!this.#rows.add(this.#keyLow.data[row]!, this.#keyHigh.data[row]!, row)) repeated++;
    }
    return repeated;
  }

  /** The row of a key, or -1. */
  find(keyLow: number, keyHigh: number): number {
    return this.#rows!.find(keyLow, keyHigh);
  }

  /** Goes to the value of a row. */
  seek(reader: ProtobufReader, row: number): void {
    reader.seek(this.#from.data[row]!, this.#to.data[row]!);
  }
}

export class JfrLabels {
  readonly #reader: ProtobufReader;
  readonly #contexts = new MapEntries();
  readonly #strings = new MapEntries();
  /** Of each context. */
  readonly #labelsOf: readonly (readonly Attribute[])[];
  /** By row of the strings, as many contexts share a few. */
  readonly #texts: (string | undefined)[] = [];
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport;

  /** @param bytes a LabelsSnapshot, decompressed; empty for none
   * @throws FormatError, HearthscopeError invalid_argument over a limit */
  constructor(bytes: Uint8Array, limits: DecodeLimits, report: DecodeReport) {
    this.#limits = limits;
    this.#report = report;
    const reader = new ProtobufReader('jfr labels', bytes);
    this.#reader = reader;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      if (tag >>> 3 === 1) this.#contexts.read(reader, tag, 'LabelsSnapshot.contexts');
      else if (tag >>> 3 === 2) this.#strings.read(reader, tag, 'LabelsSnapshot.strings');
      else reader.skip(tag);
      const rows = Math.max(this.#contexts.length, this.#strings.length);
      if (rows > limits.maxTableRows) {
        throw new HearthscopeError(
          'invalid_argument',
          `jfr labels: more than ${limits.maxTableRows} contexts or strings, which is the limit`,
        );
      }
    }
    report.repair('jfr_label_repeated', this.#contexts.finish() + this.#strings.finish());
    this.#labelsOf = Array.from({ length: this.#contexts.length }, (_, row) => this.#readContext(row));
  }

  /** The labels of a context, none when it is unknown. Those over a limit are left out or cut, and counted. */
  context(idLow: number, idHigh: number): readonly Attribute[] {
    return this.#labelsOf[this.#contexts.find(idLow, idHigh)] ?? [];
  }

  /** The string with an id, '' when there is none. */
  string(idLow: number, idHigh: number): string {
    const row = this.#strings.find(idLow, idHigh);
    if (row < 0) return '';
    this.#texts[row] ??= this.#readString(row);
    return this.#texts[row];
  }

  #readContext(row: number): Attribute[] {
    const reader = this.#reader;
    const attributes: Attribute[] = [];
    this.#contexts.seek(reader, row);
    const end = reader.limit;
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag >>> 3 !== 1) {
        reader.skip(tag);
        continue;
      }
      reader.expect(tag, WireType.lengthDelimited, 'Context.labels');
      const label = this.#label();
      if (label !== undefined && attributes.length === this.#limits.maxSampleAttributes) {
        this.#report.repair('attribute_left_out');
      } else if (label !== undefined) {
        attributes.push(label);
      }
    }
    return attributes;
  }

  #readString(row: number): string {
    const reader = this.#reader;
    this.#strings.seek(reader, row);
    const before = reader.invalidUtf8Strings;
    const text = reader.rest();
    this.#report.repair('invalid_utf8', reader.invalidUtf8Strings - before);
    const { maxAttributeValueLength } = this.#limits;
    if (text.length <= maxAttributeValueLength) return text;
    this.#report.repair('attribute_value_truncated');
    return text.slice(0, maxAttributeValueLength).toWellFormed();
  }

  /** Reads an entry of Context.labels. */
  #label(): Attribute | undefined {
    const reader = this.#reader;
    const outer = reader.enter();
    const ids = [0, 0, 0, 0] as [number, number, number, number];
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      const field = tag >>> 3;
      if (field === 1 || field === 2) {
        reader.expect(tag, WireType.varint, 'Context.labels');
        reader.varint();
        ids[field * 2 - 2] = reader.lo;
        ids[field * 2 - 1] = reader.hi;
      } else {
        reader.skip(tag);
      }
    }
    const { limit } = reader;
    const key = this.string(ids[0], ids[1]);
    const value = this.string(ids[2], ids[3]);
    reader.seek(limit, outer);
    if (key === '') {
      this.#report.repair('attribute_key_empty');
      return undefined;
    }
    if (key.length > this.#limits.maxAttributeKeyLength) {
      this.#report.repair('attribute_key_too_long');
      return undefined;
    }
    return { key, value, unit: '' };
  }
}
