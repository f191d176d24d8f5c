// SPDX-License-Identifier: Apache-2.0
//
// The samples of a pprof, straight into columns. By far the most of a profile is here, so the loops are written for speed.

import { Uint32Column } from '../column.ts';
import type { Profile, SampleTable } from '../profile.ts';
import { UintListTable } from '../uint-list-table.ts';
import { type ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import type { RangeList } from '../wire/range-list.ts';
import { AttributeSets } from './attribute-sets.ts';
import { sampleLabelsLimit } from './decode-limit-error.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import type { IdTable } from './pprof-id-table.ts';
import { PprofLabels } from './pprof-labels.ts';

export type PprofSampleTables = Pick<Profile, 'stacks' | 'attributes' | 'attributeSets' | 'samples'>;

/** The locations that samples refer to. */
export interface KnownLocations {
  readonly rows: IdTable;
  /** Rows of locations that cannot be used. */
  readonly broken: ReadonlySet<number>;
  /** Whether a sample with a location that is broken or not there is left out; else it refuses the profile. */
  readonly isDropping: boolean;
}

export class PprofSampleReader {
  readonly #reader: ProtobufReader;
  readonly #strings: readonly string[];
  readonly #known: KnownLocations;
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport;
  /** Whether the sample being read names a location that is not there. */
  #isUnknown = false;

  constructor(
    reader: ProtobufReader,
    strings: readonly string[],
    known: KnownLocations,
    limits: DecodeLimits,
    report: DecodeReport,
  ) {
    this.#reader = reader;
    this.#strings = strings;
    this.#known = known;
    this.#limits = limits;
    this.#report = report;
  }

  /** @param ranges the Sample messages @param valueCount sample types of the profile */
  read(ranges: RangeList, valueCount: number): PprofSampleTables {
    const reader = this.#reader;
    const { length } = ranges;
    const { maxStackDepth, maxSampleAttributes } = this.#limits;
    const stacks = new UintListTable(ranges.byteLength);
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
    let row = 0;
    for (let message = 0; message < length; message++) {
      ranges.seek(reader, message);
      const start = reader.pos;
      this.#isUnknown = false;
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
              reader.skip(tag);
              break;
            }
            const attribute = labels.read();
            if (attribute >= 0) sampleLabels.push(attribute);
            break;
          }
          default:
            reader.skip(tag);
        }
      }
      if (labelsRead > maxSampleAttributes) throw sampleLabelsLimit('pprof', labelsRead, maxSampleAttributes);
      if (valuesRead !== valueCount) {
        reader.fail(
          `sample value length mismatch: ${valuesRead} values for ${valueCount} sample types`,
          start,
        );
      }
      if (this.#isBroken(locations)) continue;
      const depth = locations.length;
      if (depth > maxStackDepth) this.#report.repair('stack_truncated');
      samples.stack[row] = stacks.intern(locations.data, Math.max(0, depth - maxStackDepth), depth);
      samples.attributeSet[row] = attributeSets.row(sampleLabels);
      row++;
    }
    return {
      stacks: { length: stacks.length, locationStart: stacks.finishStart(), location: stacks.finishItems() },
      attributes: labels.attributes,
      attributeSets: attributeSets.finish(),
      samples: row === length ? samples : firstRows(samples, row),
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
    const { dense } = this.#known.rows;
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
    const row = this.#known.rows.find(reader.lo, reader.hi);
    if (row >= 0) return row;
    if (!this.#known.isDropping) reader.fail('a sample names a location id that the profile lacks', at);
    this.#isUnknown = true;
    return 0;
  }

  /** Counts a sample that cannot be used. */
  #isBroken(locations: Uint32Column): boolean {
    const { broken } = this.#known;
    if (this.#isUnknown) {
      this.#report.reject(
        'sample',
        'location_id_unknown',
        'a sample names a location id that the profile lacks',
      );
      return true;
    }
    if (broken.size === 0) return false;
    for (let i = 0; i < locations.length; i++) {
      if (!broken.has(locations.data[i]!)) continue;
      this.#report.reject(
        'sample',
        'function_id_unknown',
        'a line names a function id that the profile lacks',
      );
      return true;
    }
    return false;
  }
}

/** The columns were made for samples some of which were left out. */
function firstRows(samples: SampleTable, length: number): SampleTable {
  return {
    ...samples,
    length,
    stack: samples.stack.slice(0, length),
    values: samples.values.map((column) => column.slice(0, length)),
    attributeSet: samples.attributeSet.slice(0, length),
    link: samples.link.slice(0, length),
    timestampStart: samples.timestampStart.slice(0, length + 1),
  };
}
