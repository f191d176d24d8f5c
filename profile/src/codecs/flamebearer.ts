// SPDX-License-Identifier: Apache-2.0
//
// Reads flamebearer JSON, in which Pyroscope exports flame graphs: a level of the graph is a flat list of bars, each
//
//   single:  offset, total, self, name
//   double:  offset, total, self of the left side, offset, total, self of the right side, name
//
// where the offset is the distance from the end of the bar before it, and the bars of a level lie within those of the
// level above. Level 0 is the bar of everything and no frame. What was cut from the graph when it was exported is a
// frame `other`.

import type { Profile } from '../profile.ts';
import type { ProfileHeader } from '../profile-builder.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { JsonDocument } from './json-text.ts';
import { NamedStacks, ROOT } from './named-stacks.ts';

const FORMAT = 'flamebearer';
const MAX_VERSION = 1;
/** Offset, total, self. */
const VALUES_OF_SIDE = 3;

export interface FlamebearerMetadata {
  /** '' where the file does not say. */
  readonly name: string;
  readonly spyName: string;
  readonly units: string;
  /** 0 where the file does not say. */
  readonly sampleRateHz: number;
}

/** Each profile has one sample type: the name and the units of the metadata, `samples` and `count` where they are absent. */
export type FlamebearerFile =
  | { readonly format: 'single'; readonly metadata: FlamebearerMetadata; readonly profile: Profile }
  | {
      readonly format: 'double';
      readonly metadata: FlamebearerMetadata;
      readonly left: Profile;
      readonly right: Profile;
    };

/** The bars of one level, left to right. */
interface Level {
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** For each side, the stacks that the bars are the leaves of. */
  readonly nodes: readonly Uint32Array[];
}

/** @param report counts what was changed
 * @throws HearthscopeError invalid_argument, with the level and the bar, when the file contradicts itself or exceeds a
 * limit */
export function decodeFlamebearer(
  bytes: Uint8Array,
  limits: DecodeLimits,
  report: DecodeReport,
): FlamebearerFile {
  const json = new JsonDocument(FORMAT, bytes, limits);
  const { root } = json;
  const version = json.number(root.version, 'version');
  if (version > MAX_VERSION) throw json.error(`unsupported version ${version}`);
  const metadataInput = json.object(root.metadata, 'metadata');
  const { format } = metadataInput;
  const metadata: FlamebearerMetadata = {
    name: json.string(metadataInput.name, 'metadata.name'),
    spyName: json.string(metadataInput.spyName, 'metadata.spyName'),
    units: json.string(metadataInput.units, 'metadata.units'),
    sampleRateHz: json.number(metadataInput.sampleRate, 'metadata.sampleRate'),
  };
  const read = (sides: number) => new LevelReader(json, sides, metadata, limits, report).read();
  if (format === 'single') {
    const [profile] = read(1) as [Profile];
    return { format, metadata, profile };
  }
  if (format === 'double') {
    const [left, right] = read(2) as [Profile, Profile];
    return { format, metadata, left, right };
  }
  throw json.error(`unsupported format ${String(format).slice(0, 200)}`);
}

class LevelReader {
  readonly #json: JsonDocument;
  readonly #names: readonly string[];
  readonly #levels: readonly unknown[];
  /** Trees in the file: one, or left and right. */
  readonly #sides: readonly NamedStacks[];
  /** Numbers of one bar. */
  readonly #stride: number;

  constructor(
    json: JsonDocument,
    sides: number,
    { name, units }: FlamebearerMetadata,
    limits: DecodeLimits,
    report: DecodeReport,
  ) {
    this.#json = json;
    const graph = json.object(json.root.flamebearer, 'flamebearer');
    const names = json.array(graph.names, 'flamebearer.names');
    if (names.length > limits.maxTableRows) {
      throw json.error(`${names.length} names exceed the limit of ${limits.maxTableRows}`);
    }
    this.#names = names.map((value, row) => json.string(value, `flamebearer.names[${row}]`));
    this.#levels = json.array(graph.levels, 'flamebearer.levels');
    if (this.#levels.length === 0) throw json.error('a profile must have at least one profiling level');
    const header: Partial<ProfileHeader> = {
      sampleTypes: [{ type: name === '' ? 'samples' : name, unit: units === '' ? 'count' : units }],
    };
    this.#sides = Array.from({ length: sides }, () => new NamedStacks(FORMAT, header, limits, report));
    this.#stride = VALUES_OF_SIDE * sides + 1;
  }

  /** One profile for each side. */
  read(): Profile[] {
    let parents: Level | undefined;
    this.#levels.forEach((input, depth) => {
      parents = this.#readLevel(this.#json.array(input, `flamebearer.levels[${depth}]`), depth, parents);
    });
    return this.#sides.map((stacks) => stacks.build());
  }

  /** Both sides have the same bars, so their offsets and totals together are the places of one graph. */
  #readLevel(values: readonly unknown[], depth: number, parents: Level | undefined): Level {
    const stride = this.#stride;
    if (values.length % stride !== 0) {
      throw this.#json.error(
        `a profile level should have a multiple of ${stride} values, but there's a level with ${values.length} values`,
      );
    }
    const length = values.length / stride;
    const level: Level = {
      start: new Float64Array(length),
      end: new Float64Array(length),
      nodes: this.#sides.map(() => new Uint32Array(length).fill(ROOT)),
    };
    let position = 0;
    let parent = 0;
    for (let bar = 0; bar < length; bar++) {
      const at = bar * stride;
      let total = 0;
      for (let value = at; value < at + stride - 1; value += VALUES_OF_SIDE) {
        position += this.#count(values, value, depth);
        total += this.#count(values, value + 1, depth);
      }
      level.start[bar] = position;
      position += total;
      level.end[bar] = position;
      if (parents === undefined) {
        this.#addSelf(values, at, depth, level, bar);
      } else if (total > 0) {
        while (parents.end[parent]! <= level.start[bar]!) parent++;
        const isInside = parents.start[parent]! <= level.start[bar]! && position <= parents.end[parent]!;
        if (!isInside) throw this.#json.error(`levels[${depth}][${at}] lies outside of all bars above it`);
        const name = this.#name(values, at + stride - 1, depth);
        this.#sides.forEach((stacks, side) => {
          level.nodes[side]![bar] = stacks.child(parents.nodes[side]![parent]!, stacks.name(name));
        });
        this.#addSelf(values, at, depth, level, bar);
      }
    }
    return level;
  }

  #addSelf(values: readonly unknown[], at: number, depth: number, level: Level, bar: number): void {
    this.#sides.forEach((stacks, side) => {
      const self = this.#count(values, at + VALUES_OF_SIDE * side + 2, depth);
      if (self > 0) stacks.add(level.nodes[side]![bar]!, BigInt(self));
    });
  }

  /** A number that is whole, not negative, and of which no bits are lost. */
  #count(values: readonly unknown[], at: number, depth: number): number {
    const value = values[at];
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw this.#json.error(`levels[${depth}][${at}] is ${JSON.stringify(value)}, expected a whole number`);
    }
    return value as number;
  }

  #name(values: readonly unknown[], at: number, depth: number): string {
    const index = this.#count(values, at, depth);
    const name = this.#names[index];
    if (name === undefined) {
      throw this.#json.error(
        `invalid name index ${index} in levels[${depth}][${at}], it should be smaller than ${this.#names.length}`,
      );
    }
    return name;
  }
}
