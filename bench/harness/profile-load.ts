// SPDX-License-Identifier: Apache-2.0
//
// Profiles like those of a fleet, for benchmarks of what receives and stores them. A service is a population of stacks with
// weights, either real (a pprof that was taken of a program) or made up in the shape of one; each profile of it is so many
// draws. So two profiles of a service share most of their stacks and none of their counts, as in life. A share of the draws
// may be stacks that were never seen before, which is what programs that recurse over their input look like.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { SampleSelector } from '@hearthscope/collector/select-samples';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import { Uint32Column } from '@hearthscope/profile/column';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';

/** A draw of a CPU profile: what one tick of a 100 Hz timer stands for. */
const TICK_NANOS = 10_000_000n;
export const PROFILE_SECONDS = 15;
/** As clients send it, where speed matters more than size. */
const GZIP_LEVEL = 5;

export interface ServiceOptions {
  readonly name: string;
  readonly seed: number;
  /** Distinct stacks. */
  readonly stacks: number;
  /** Samples of the timer in one profile; equal stacks become one. */
  readonly draws: number;
  /** Of the draws, how many are of a stack that is new: 0 to 1. */
  readonly newStacks: number;
}

export interface EncodedProfile {
  /** gzip. */
  readonly bytes: Uint8Array;
  /** Rows: distinct stacks. */
  readonly samples: number;
}

/** Numbers in 0 .. 1 that are the same in every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class LoadedService {
  readonly name: string;
  readonly #population: Profile;
  /** Running sums of the weights of the population's samples. */
  readonly #cumulative: Float64Array;
  readonly #draws: number;
  readonly #newStacks: number;
  readonly #random: () => number;

  constructor(population: Profile, { name, seed, draws, newStacks }: Omit<ServiceOptions, 'stacks'>) {
    this.name = name;
    this.#population = population;
    this.#draws = draws;
    this.#newStacks = newStacks;
    this.#random = randomNumbers(seed);
    const weights = population.samples.values[0]!;
    this.#cumulative = new Float64Array(weights.length);
    let sum = 0;
    for (let row = 0; row < weights.length; row++) {
      sum += Number(weights[row]!);
      this.#cumulative[row] = sum;
    }
  }

  profile(timeUnixNanos: bigint): EncodedProfile {
    const ticks = new Map<number, number>();
    let fresh = 0;
    for (let draw = 0; draw < this.#draws; draw++) {
      if (this.#random() < this.#newStacks) {
        fresh++;
        continue;
      }
      const row = this.#draw();
      ticks.set(row, (ticks.get(row) ?? 0) + 1);
    }
    const { stacks, samples } = this.#population;
    const location = new Uint32Column();
    const locationStart = new Uint32Column();
    const values: bigint[] = [];
    locationStart.push(0);
    const endStack = (ticksOfStack: number) => {
      locationStart.push(location.length);
      values.push(BigInt(ticksOfStack) * TICK_NANOS);
    };
    for (const [row, ticksOfRow] of ticks) {
      const stack = samples.stack[row]!;
      for (let i = stacks.locationStart[stack]!; i < stacks.locationStart[stack + 1]!; i++) {
        location.push(stacks.location[i]!);
      }
      endStack(ticksOfRow);
    }
    for (let i = 0; i < fresh; i++) {
      this.#pushNewStack(location);
      endStack(1);
    }
    const { length } = values;
    const drawn: Profile = {
      ...this.#population,
      timeUnixNanos,
      durationNanos: BigInt(PROFILE_SECONDS) * 1_000_000_000n,
      stacks: { length, location: location.finish(), locationStart: locationStart.finish() },
      samples: {
        length,
        stack: Uint32Array.from(values, (_, row) => row),
        values: [BigInt64Array.from(values)],
        attributeSet: new Uint32Array(length),
        link: new Uint32Array(length),
        timestampStart: new Uint32Array(length + 1),
        timestampUnixNanos: new BigUint64Array(0),
      },
    };
    // Only what the samples refer to is sent.
    const profile = new SampleSelector(drawn).select(values.map((_, row) => row));
    return { bytes: gzipSync(encodePprof(profile), { level: GZIP_LEVEL }), samples: length };
  }

  #draw(): number {
    const wanted = this.#random() * this.#cumulative.at(-1)!;
    let [low, high] = [0, this.#cumulative.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#cumulative[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The callers of a known stack, and a walk of its own from there, leaf first. */
  #pushNewStack(location: Uint32Column): void {
    const { stacks, samples } = this.#population;
    const known = samples.stack[this.#draw()]!;
    const [from, to] = [stacks.locationStart[known]!, stacks.locationStart[known + 1]!];
    const walk = 3 + Math.floor(this.#random() * 10);
    for (let step = 0; step < walk; step++) {
      // What is on a known stack anyway, as recursion goes through the same functions again.
      location.push(stacks.location[Math.floor(this.#random() ** 2 * stacks.location.length)]!);
    }
    for (let i = from + Math.floor(this.#random() * (to - from)); i < to; i++) {
      location.push(stacks.location[i]!);
    }
  }
}

/** How much more often the hottest places are on a stack than others. */
const PLACE_SKEW = 5;
const CPU = { type: 'cpu', unit: 'nanoseconds' } as const;

/** A service whose stacks are a random call tree of some thousand places, with weights by rank (Zipf, exponent 1). */
export function madeUpService(options: ServiceOptions): LoadedService {
  const random = randomNumbers(options.seed ^ 0x5bd1e995);
  const builder = new ProfileBuilder({
    timeUnixNanos: 0n,
    durationNanos: 0n,
    sampleTypes: [CPU],
    periodType: CPU,
    period: TICK_NANOS,
  });
  const places = Math.max(300, Math.min(1500, options.stacks >> 3));
  const mapping = builder.mapping({
    start: 0x400000n,
    limit: 0x4000000n,
    fileOffset: 0n,
    filename: `/usr/bin/${options.name}`,
    buildId: '',
  });
  const locations = Array.from({ length: places }, (_, i) =>
    builder.location({
      mapping,
      address: 0x400000n + BigInt(i * 64),
      lines: [
        {
          function: builder.function({
            name: `${options.name}/internal/package${i % 37}.(*Receiver${i % 211}).method${i >> 1}`,
            filename: `/src/${options.name}/package${i % 37}/file${i % 7}.go`,
            startLine: 10 + (i % 400),
          }),
          line: 12 + (i % 400),
        },
      ],
    }),
  );
  let previous: number[] = [];
  for (let rank = 1; rank <= options.stacks; rank++) {
    // Root first while it is made: it leaves the stack before it somewhere, most often deep down.
    const kept = Math.floor(random() ** 0.2 * previous.length);
    const depth = Math.max(kept + 1, 8 + Math.floor(random() * 35));
    const stack = previous.slice(0, kept);
    while (stack.length < depth) stack.push(locations[Math.floor(random() ** PLACE_SKEW * places)]!);
    previous = stack;
    builder.addSample(builder.stack(stack.toReversed()), [BigInt(Math.max(1, Math.round(1e9 / rank)))]);
  }
  return new LoadedService(builder.build(), options);
}

/** A service for each pprof in a folder; of several sample types the last is the weight, as it is time or bytes. */
export function realServices(
  directory: string,
  options: Omit<ServiceOptions, 'name' | 'stacks'>,
): LoadedService[] {
  return readdirSync(directory)
    .sort()
    .map((file, number) => {
      const packed = readFileSync(join(directory, file));
      const { profile } = decodePprof(packed[0] === 0x1f ? gunzipSync(packed) : packed);
      const population: Profile = {
        ...profile,
        sampleTypes: [CPU],
        periodType: CPU,
        period: TICK_NANOS,
        samples: { ...profile.samples, values: [profile.samples.values.at(-1)!] },
      };
      return new LoadedService(population, {
        ...options,
        name: `real-${number}`,
        seed: options.seed + number,
      });
    });
}
