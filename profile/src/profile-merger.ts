// SPDX-License-Identifier: Apache-2.0
//
// Adds profiles of the same type together, sample by sample: what is equal in content (strings, functions, locations,
// stacks, attributes, links) becomes one row, whatever index it had in its source, and samples that are equal in stack,
// attributes and link are summed. Only rows that a sample refers to are taken over.

import type { Profile } from './profile.ts';
import { ProfileBuilder, type ProfileHeader } from './profile-builder.ts';
import { finish, type Steps } from './steps.ts';

const UNKNOWN = -1;
/** Samples handled in one step. */
const SAMPLES_PER_STEP = 512;

/** Row of the result by row of the source. */
class RowMap {
  readonly #row: Uint32Array;
  /** For which result each row was noted, so that starting the next costs nothing. */
  readonly #result: Uint32Array;

  constructor(length: number) {
    this.#row = new Uint32Array(length);
    this.#result = new Uint32Array(length);
  }

  get(row: number, result: number): number {
    return this.#result[row] === result ? this.#row[row]! : UNKNOWN;
  }

  /** @returns the row of the result */
  set(row: number, result: number, merged: number): number {
    this.#row[row] = merged;
    this.#result[row] = result;
    return merged;
  }
}

export class ProfileMerger {
  readonly #builder: ProfileBuilder;

  constructor(header: ProfileHeader) {
    this.#builder = new ProfileBuilder(header);
  }

  /** @param profile with the sample types of the header
   * @param rows rows of its sample table; all when absent
   * @param source made of this profile, or of one with the same tables: for those who merge parts of one large profile
   *   into many small ones
   * @throws HearthscopeError internal when a sum leaves int64: callers who do not know their values check them before */
  add(profile: Profile, rows?: ArrayLike<number>, source = new MergeSource(profile)): void {
    finish(this.addInSteps(profile, rows, source));
  }

  *addInSteps(profile: Profile, rows?: ArrayLike<number>, source = new MergeSource(profile)): Steps<void> {
    const { samples } = profile;
    source.begin(this.#builder);
    const count = rows === undefined ? samples.length : rows.length;
    const values = new Array<bigint>(samples.values.length);
    for (let i = 0; i < count; i++) {
      if (i % SAMPLES_PER_STEP === 0) yield;
      const row = rows === undefined ? i : rows[i]!;
      for (let type = 0; type < values.length; type++) values[type] = samples.values[type]![row]!;
      const firstTimestamp = samples.timestampStart[row]!;
      const endTimestamp = samples.timestampStart[row + 1]!;
      this.#builder.addSample(source.stack(samples.stack[row]!), values, {
        attributeSet: source.attributeSet(samples.attributeSet[row]!),
        link: source.link(samples.link[row]!),
        ...(firstTimestamp < endTimestamp && {
          timestampsUnixNanos: [...samples.timestampUnixNanos.subarray(firstTimestamp, endTimestamp)],
        }),
      });
    }
  }

  build(): Profile {
    return this.#builder.build();
  }
}

/** The rows of one source, each taken over once for each result. */
export class MergeSource {
  readonly #profile: Profile;
  readonly #mappings: RowMap;
  readonly #functions: RowMap;
  readonly #locations: RowMap;
  readonly #stacks: RowMap;
  readonly #attributeSets: RowMap;
  readonly #links: RowMap;
  #builder!: ProfileBuilder;
  #result = 0;
  readonly #stackLocations: number[] = [];

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#mappings = new RowMap(profile.mappings.length);
    this.#functions = new RowMap(profile.functions.length);
    this.#locations = new RowMap(profile.locations.length);
    this.#stacks = new RowMap(profile.stacks.length);
    this.#attributeSets = new RowMap(profile.attributeSets.length);
    this.#links = new RowMap(profile.links.length);
  }

  /** Starts the next result. */
  begin(builder: ProfileBuilder): void {
    this.#builder = builder;
    this.#result++;
  }

  stack(row: number): number {
    const known = this.#stacks.get(row, this.#result);
    if (known !== UNKNOWN) return known;
    const { locationStart, location } = this.#profile.stacks;
    const list = this.#stackLocations;
    list.length = 0;
    for (let i = locationStart[row]!; i < locationStart[row + 1]!; i++) {
      list.push(this.#location(location[i]!));
    }
    return this.#stacks.set(row, this.#result, this.#builder.stack(list));
  }

  attributeSet(row: number): number {
    const known = this.#attributeSets.get(row, this.#result);
    if (known !== UNKNOWN) return known;
    const { attributeSets, attributes } = this.#profile;
    const items = attributeSets.attribute.subarray(
      attributeSets.attributeStart[row],
      attributeSets.attributeStart[row + 1],
    );
    return this.#attributeSets.set(
      row,
      this.#result,
      this.#builder.attributeSet(Array.from(items, (item) => this.#builder.attribute(attributes[item]!))),
    );
  }

  link(row: number): number {
    const known = this.#links.get(row, this.#result);
    if (known !== UNKNOWN) return known;
    const { traceId, spanId } = this.#profile.links[row]!;
    return this.#links.set(row, this.#result, this.#builder.link(traceId, spanId));
  }

  #location(row: number): number {
    const known = this.#locations.get(row, this.#result);
    if (known !== UNKNOWN) return known;
    const { strings, locations } = this.#profile;
    const lines = [];
    for (let i = locations.lineStart[row]!; i < locations.lineStart[row + 1]!; i++) {
      lines.push({
        function: this.#function(locations.lineFunction[i]!),
        line: locations.lineNumber[i]!,
        column: locations.lineColumn[i]!,
      });
    }
    return this.#locations.set(
      row,
      this.#result,
      this.#builder.location({
        mapping: this.#mapping(locations.mapping[row]!),
        address: locations.address[row]!,
        frameType: strings[locations.frameType[row]!]!,
        lines,
      }),
    );
  }

  #mapping(row: number): number {
    const known = this.#mappings.get(row, this.#result);
    if (known !== UNKNOWN) return known;
    const { strings, mappings } = this.#profile;
    return this.#mappings.set(
      row,
      this.#result,
      this.#builder.mapping({
        start: mappings.start[row]!,
        limit: mappings.limit[row]!,
        fileOffset: mappings.fileOffset[row]!,
        filename: strings[mappings.filename[row]!]!,
        buildId: strings[mappings.buildId[row]!]!,
      }),
    );
  }

  #function(row: number): number {
    const known = this.#functions.get(row, this.#result);
    if (known !== UNKNOWN) return known;
    const { strings, functions } = this.#profile;
    return this.#functions.set(
      row,
      this.#result,
      this.#builder.function({
        name: strings[functions.name[row]!]!,
        systemName: strings[functions.systemName[row]!]!,
        filename: strings[functions.filename[row]!]!,
        startLine: functions.startLine[row]!,
      }),
    );
  }
}
