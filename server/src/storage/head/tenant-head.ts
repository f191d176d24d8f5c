// SPDX-License-Identifier: Apache-2.0
//
// The profiles of one tenant in memory: typed-array tables that queries scan. Storing a profile takes two steps. First,
// before anything is written to disk, it is prepared: its symbols are interned, its indexes translated and its memory
// taken from the budget, which is where a full head refuses it. Then, once it is durable, its rows are appended, which
// cannot fail. A profile that is prepared but never appended leaves at most symbols behind.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { int64Sum } from '@hearthscope/profile/int64-sum';
import type { Profile } from '@hearthscope/profile/profile';
import { AttributeTable } from './attribute-table.ts';
import { type Hex128, ID_WORDS, wordsOfHex } from './binary-id.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { stackRows, Translation } from './profile-symbols.ts';
import { PROFILE_BYTES, ProfileTable } from './profile-table.ts';
import { ROW_BYTES, ROW_CHUNK_BYTES, RowTable, type SampleRows } from './row-table.ts';
import { SeriesIndex } from './series-index.ts';
import { StackTable } from './stack-table.ts';
import { SymbolTable } from './symbol-table.ts';

/** The columns of the profile table double, so half of them may be empty. */
const BYTES_PER_PROFILE = PROFILE_BYTES * 2;

/** A profile whose place in the head is paid for. */
export interface PreparedProfile {
  readonly series: number;
  readonly rows: SampleRows;
  readonly timeUnixNanos: bigint;
  readonly durationNanos: bigint;
  readonly total: bigint;
  readonly attributeSet: number;
  readonly id: Hex128;
  readonly reservedBytes: number;
}

export class TenantHead {
  readonly symbols: SymbolTable;
  readonly stacks: StackTable;
  readonly attributes: AttributeTable;
  readonly series: SeriesIndex;
  readonly profiles = new ProfileTable();
  readonly rows = new RowTable();
  readonly #budget: MemoryBudget;

  constructor(budget: MemoryBudget) {
    budget.take(ROW_CHUNK_BYTES);
    this.#budget = budget;
    this.symbols = new SymbolTable(budget);
    this.stacks = new StackTable(this.symbols, budget);
    this.attributes = new AttributeTable(this.symbols.strings, budget);
    this.series = new SeriesIndex(budget);
  }

  /** @throws HearthscopeError unavailable when the head is full; invalid_argument when the profile's values sum up to
   * more than an int64 holds */
  prepare({ labels, profile }: NormalisedProfile): PreparedProfile {
    const values = profile.samples.values[0]!;
    const total = sumOf(values);
    const reservedBytes = BYTES_PER_PROFILE + values.length * ROW_BYTES;
    this.#budget.take(reservedBytes);
    try {
      return {
        series: this.series.intern(labels),
        rows: this.#translate(profile),
        timeUnixNanos: profile.timeUnixNanos,
        durationNanos: profile.durationNanos,
        total,
        attributeSet: this.attributes.internSet(
          Uint32Array.from(profile.profileAttributes, (attribute) => this.attributes.intern(attribute)),
        ),
        id: wordsOfHex(profile.id, ID_WORDS),
        reservedBytes,
      };
    } catch (error) {
      this.#budget.give(reservedBytes);
      throw error;
    }
  }

  /** Makes a prepared profile visible to queries. */
  commit({ rows, ...prepared }: PreparedProfile): void {
    this.profiles.append({ ...prepared, firstRow: this.rows.append(rows), rowCount: rows.stack.length });
  }

  /** Gives the memory of a profile back that is not going to be committed. */
  release(prepared: PreparedProfile): void {
    this.#budget.give(prepared.reservedBytes);
  }

  /** Indexes into the profile's tables become indexes into those of the tenant. */
  #translate(profile: Profile): SampleRows {
    const { samples, attributeSets, attributes, links } = profile;
    const rows = stackRows(profile, this.symbols, this.stacks);
    const attributeRows = new Translation(attributes.length, (index) =>
      this.attributes.intern(attributes[index]!),
    );
    const { attribute, attributeStart } = attributeSets;
    const setRows = new Translation(attributeSets.length, (set) =>
      this.attributes.internSet(
        attributeRows.column(attribute.subarray(attributeStart[set]!, attributeStart[set + 1]!)),
      ),
    );
    const linkRows = new Translation(links.length, (link) => this.attributes.internLink(links[link]!));
    return {
      stack: samples.stack.map((stack) => rows[stack]!),
      attributeSet: setRows.column(samples.attributeSet),
      link: linkRows.column(samples.link),
      value: samples.values[0]!,
    };
  }
}

function sumOf(values: BigInt64Array): bigint {
  const sum = int64Sum(values);
  if (BigInt.asIntN(64, sum) !== sum) {
    throw new HearthscopeError(
      'invalid_argument',
      `the sum ${sum} of a profile's values does not fit into an int64`,
    );
  }
  return sum;
}
