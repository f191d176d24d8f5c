// SPDX-License-Identifier: Apache-2.0
//
// The samples of one OTLP profile, straight into columns. Each sample stands alone: one that is wrong is refused with a
// counted reason and the others stay.

import { BigInt64Column, BigUint64Column, Uint32Column } from '../column.ts';
import type { SampleTable } from '../profile.ts';
import { type ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import type { RangeList } from '../wire/range-list.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { FAULT_REASONS, Fault, type OtlpDictionary } from './otlp-dictionary.ts';
import { type Numbering, SAMPLE_ROLES, SampleRole } from './otlp-numbering.ts';
import type { ProfileTables } from './otlp-profile-tables.ts';

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** Sums of 32-bit halves move to bigint before they leave the exact range of number. */
const SAFE_SUM = 2 ** 52;

export class SampleReader {
  readonly #reader: ProtobufReader;
  readonly #numbering: Numbering;
  readonly #dictionary: OtlpDictionary;
  readonly #tables: ProfileTables;
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport;
  /** Attribute indexes of the sample being read. */
  readonly #attributes = new Uint32Column();

  constructor(
    reader: ProtobufReader,
    numbering: Numbering,
    dictionary: OtlpDictionary,
    tables: ProfileTables,
    limits: DecodeLimits,
    report: DecodeReport,
  ) {
    this.#reader = reader;
    this.#numbering = numbering;
    this.#dictionary = dictionary;
    this.#tables = tables;
    this.#limits = limits;
    this.#report = report;
  }

  /** Reads the samples of the profile that `tables` was begun for; leaves the reader anywhere. Refused samples have no row. */
  read(ranges: RangeList): SampleTable {
    const reader = this.#reader;
    const roles = SAMPLE_ROLES[this.#numbering];
    const attributes = this.#attributes;
    const values = new BigInt64Column();
    const stacks = new Uint32Column();
    const attributeSets = new Uint32Column();
    const links = new Uint32Column();
    const timestampStart = new Uint32Column();
    const timestamps = new BigUint64Column();
    const sum = new ValueSum(reader);
    timestampStart.push(0);

    for (let row = 0; row < ranges.length; row++) {
      ranges.seek(reader, row);
      const timestampsBefore = timestamps.length;
      let stack = 0;
      let link = 0;
      attributes.length = 0;
      sum.clear();
      while (reader.pos < reader.limit) {
        const tag = reader.tag();
        switch (roles[tag >>> 3]) {
          case SampleRole.stack:
            reader.expect(tag, WireType.varint, 'Sample.stack_index');
            stack = reader.index();
            break;
          case SampleRole.attributes:
            reader.indexes(tag, 'Sample.attribute_indices', attributes);
            break;
          case SampleRole.link:
            reader.expect(tag, WireType.varint, 'Sample.link_index');
            link = reader.index();
            break;
          case SampleRole.values:
            sum.add(tag);
            break;
          case SampleRole.timestamps:
            this.#readTimestamps(tag, timestamps);
            break;
          default:
            reader.skip(tag);
        }
      }
      const timestampCount = timestamps.length - timestampsBefore;
      const fault = this.#sampleFault(stack, link, attributes, sum, timestampCount);
      if (fault) {
        timestamps.length = timestampsBefore;
        continue;
      }
      values.push(sum.count === 0 ? BigInt(timestampCount) : sum.total);
      stacks.push(this.#tables.stack(stack));
      links.push(this.#tables.link(link));
      attributeSets.push(this.#tables.attributeSet(attributes));
      timestampStart.push(timestamps.length);
    }
    this.#tables.rowsMade += stacks.length;
    return {
      length: stacks.length,
      stack: stacks.finish(),
      values: [values.finish()],
      attributeSet: attributeSets.finish(),
      link: links.finish(),
      timestampStart: timestampStart.finish(),
      timestampUnixNanos: timestamps.finish(),
    };
  }

  #readTimestamps(tag: number, timestamps: BigUint64Column): void {
    const reader = this.#reader;
    if ((tag & 7) === WireType.fixed64) {
      timestamps.push(reader.fixed64());
      return;
    }
    reader.expect(tag, WireType.lengthDelimited, 'Sample.timestamps_unix_nano');
    const outer = reader.enter();
    timestamps.reserve((reader.limit - reader.pos) >>> 3);
    while (reader.pos < reader.limit) timestamps.push(reader.fixed64());
    reader.leave(outer);
  }

  /** Counts the first thing that is wrong with a sample. @returns whether there is one */
  #sampleFault(
    stack: number,
    link: number,
    attributes: Uint32Column,
    sum: ValueSum,
    timestampCount: number,
  ): boolean {
    const { stacks, links, attributes: table, attributeFault } = this.#dictionary;
    const { maxSampleAttributes } = this.#limits;
    const reject = (reason: string, message: string): boolean => {
      this.#report.reject('sample', reason, message);
      return true;
    };
    const rejectFault = (fault: number, message: string): boolean => reject(FAULT_REASONS[fault]!, message);

    if (stack < 0 || stack >= stacks.length) {
      return rejectFault(
        Fault.stack,
        `a sample names stack ${stack}, the stack table has ${stacks.length} rows`,
      );
    }
    if (stacks.fault[stack] !== Fault.none) {
      return rejectFault(stacks.fault[stack]!, `stack ${stack} leads to an index beyond its table`);
    }
    if (link < 0 || link >= links.length) {
      return rejectFault(Fault.link, `a sample names link ${link}, the link table has ${links.length} rows`);
    }
    if (attributes.length > maxSampleAttributes) {
      return reject(
        'sample_attributes_limit',
        `a sample exceeds the sample labels limit (max_profile_stacktrace_sample_labels, actual: ${attributes.length}, limit: ${maxSampleAttributes})`,
      );
    }
    for (let i = 0; i < attributes.length; i++) {
      const index = attributes.data[i]!;
      if (index >= table.length) {
        return rejectFault(
          Fault.attribute,
          `a sample names attribute ${index | 0}, the attribute table has ${table.length} rows`,
        );
      }
      if (attributeFault[index] !== Fault.none) {
        return rejectFault(
          attributeFault[index]!,
          `attribute ${index} names a string beyond the string table`,
        );
      }
    }
    if (sum.count === 0 && timestampCount === 0) {
      const hint =
        this.#numbering === '1.10' && attributes.length > 0 ? ', or the sender numbers as OTLP 1.9' : '';
      return reject('sample_value_required', `sample value is required${hint}`);
    }
    if (sum.count > 1 && timestampCount > 0 && sum.count !== timestampCount) {
      return reject(
        'value_count_mismatch',
        `a sample has ${sum.count} values and ${timestampCount} timestamps`,
      );
    }
    if (sum.total > MAX_INT64 || sum.total < MIN_INT64) {
      return reject('value_overflow', `the values of a sample sum to ${sum.total}`);
    }
    if (timestampCount > 0 && sum.differs) this.#report.repair('timestamp_values_summed');
    return false;
  }
}

/** Adds up the values of one sample, exactly. */
class ValueSum {
  count = 0;
  /** Whether not all values are the same. */
  differs = false;
  readonly #reader: ProtobufReader;
  #safe = 0;
  #big = 0n;
  #firstLow = 0;
  #firstHigh = 0;

  constructor(reader: ProtobufReader) {
    this.#reader = reader;
  }

  clear(): void {
    this.count = 0;
    this.differs = false;
    this.#safe = 0;
    this.#big = 0n;
  }

  get total(): bigint {
    return this.#big + BigInt(this.#safe);
  }

  /** Reads a `values` field, packed or one element. */
  add(tag: number): void {
    const reader = this.#reader;
    if ((tag & 7) === WireType.varint) {
      this.#addOne();
      return;
    }
    reader.expect(tag, WireType.lengthDelimited, 'Sample.values');
    const outer = reader.enter();
    while (reader.pos < reader.limit) this.#addOne();
    reader.leave(outer);
  }

  #addOne(): void {
    const reader = this.#reader;
    reader.varint();
    const { lo, hi } = reader;
    if (hi === 0) this.#safe += lo >>> 0;
    else this.#big += (BigInt(hi) << 32n) | BigInt(lo >>> 0);
    if (this.#safe > SAFE_SUM) {
      this.#big += BigInt(this.#safe);
      this.#safe = 0;
    }
    if (this.count++ === 0) {
      this.#firstLow = lo;
      this.#firstHigh = hi;
    } else if (lo !== this.#firstLow || hi !== this.#firstHigh) {
      this.differs = true;
    }
  }
}
