// SPDX-License-Identifier: Apache-2.0
//
// The first pass over a pprof: where each message lies, and the fields that stand alone. Nothing is allocated for a
// table but its positions, and no more of those than the limits allow.

import { Uint32Column } from '../column.ts';
import { HearthscopeError } from '../errors.ts';
import { type ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import { RangeList } from '../wire/range-list.ts';
import { samplesLimit } from './decode-limit-error.ts';
import type { DecodeLimits } from './decode-limits.ts';

export class PprofMessages {
  readonly sampleTypes: RangeList;
  readonly samples: RangeList;
  readonly mappings: RangeList;
  readonly locations: RangeList;
  readonly functions: RangeList;
  readonly strings: RangeList;
  /** The last one counts. */
  readonly periodTypes: RangeList;
  /** String indexes, as the fields below whose type is `number`. */
  readonly comments = new Uint32Column();
  timeNanos = 0n;
  durationNanos = 0n;
  period = 0n;
  dropFrames = 0;
  keepFrames = 0;
  defaultSampleType = 0;
  docUrl = 0;
  readonly #reader: ProtobufReader;
  readonly #limits: DecodeLimits;

  /** @throws FormatError, HearthscopeError invalid_argument when a table is over its limit */
  constructor(reader: ProtobufReader, limits: DecodeLimits) {
    this.#reader = reader;
    this.#limits = limits;
    const { maxSamples, maxTableRows } = limits;
    this.sampleTypes = new RangeList('Profile.sample_type', maxTableRows);
    this.samples = new RangeList('Profile.sample', maxSamples);
    this.mappings = new RangeList('Profile.mapping', maxTableRows);
    this.locations = new RangeList('Profile.location', maxTableRows);
    this.functions = new RangeList('Profile.function', maxTableRows);
    this.strings = new RangeList('Profile.string_table', maxTableRows);
    this.periodTypes = new RangeList('Profile.period_type', maxTableRows);
    while (reader.pos < reader.limit) this.#noteField(reader.tag());
    this.#check();
  }

  #noteField(tag: number): void {
    const reader = this.#reader;
    switch (tag >>> 3) {
      case 1:
        this.sampleTypes.note(reader, tag);
        break;
      case 2:
        this.samples.note(reader, tag);
        break;
      case 3:
        this.mappings.note(reader, tag);
        break;
      case 4:
        this.locations.note(reader, tag);
        break;
      case 5:
        this.functions.note(reader, tag);
        break;
      case 6:
        this.strings.note(reader, tag);
        break;
      case 7:
        this.dropFrames = this.#stringIndex(tag, 'Profile.drop_frames');
        break;
      case 8:
        this.keepFrames = this.#stringIndex(tag, 'Profile.keep_frames');
        break;
      case 9:
        this.timeNanos = this.#int64(tag, 'Profile.time_nanos');
        break;
      case 10:
        this.durationNanos = this.#int64(tag, 'Profile.duration_nanos');
        break;
      case 11:
        this.periodTypes.note(reader, tag);
        break;
      case 12:
        this.period = this.#int64(tag, 'Profile.period');
        break;
      case 13:
        reader.indexes(tag, 'Profile.comment', this.comments);
        break;
      case 14:
        this.defaultSampleType = this.#stringIndex(tag, 'Profile.default_sample_type');
        break;
      case 15:
        this.docUrl = this.#stringIndex(tag, 'Profile.doc_url');
        break;
      default:
        reader.skip(tag);
    }
  }

  #int64(tag: number, field: string): bigint {
    this.#reader.expect(tag, WireType.varint, field);
    return this.#reader.int64();
  }

  #stringIndex(tag: number, field: string): number {
    this.#reader.expect(tag, WireType.varint, field);
    return this.#reader.index();
  }

  #check(): void {
    const { maxSamples, maxTableRows, maxDecodedRows } = this.#limits;
    if (this.samples.length > maxSamples) {
      throw samplesLimit('pprof', this.samples.length, maxSamples);
    }
    this.sampleTypes.check();
    this.mappings.check();
    this.locations.check();
    this.functions.check();
    this.strings.check();
    this.periodTypes.check();
    if (this.comments.length > maxTableRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `${this.comments.length} elements of Profile.comment exceed the limit of ${maxTableRows}`,
      );
    }
    const values = this.samples.length * this.sampleTypes.length;
    if (values > maxDecodedRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `${this.samples.length} samples of ${this.sampleTypes.length} types exceed the limit of ${maxDecodedRows} values`,
      );
    }
    if (this.sampleTypes.length === 0) this.#reader.fail('empty profile: no sample types');
  }
}
