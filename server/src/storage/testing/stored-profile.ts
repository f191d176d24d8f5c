// SPDX-License-Identifier: Apache-2.0
//
// Profiles ready to be stored, for tests and benchmarks: written as text, or made up in any number with a chosen shape.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { type Label, labelSet, SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { Attribute } from '@hearthscope/profile/profile';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { parseProfileType, profileTypeLabels } from '@hearthscope/profile/profile-type';
import { finish } from '@hearthscope/profile/steps';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import type { Log } from '../log.ts';
import type { Pace, TimeRange } from '../store.ts';

export const CPU_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

export interface StoredProfileOptions {
  readonly service?: string;
  readonly type?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly timeMillis?: number;
  /** 32 hex digits. */
  readonly id?: string;
  readonly attributes?: readonly Attribute[];
}

/** A profile of lines `root;leaf value`; see `profileFromText`. */
export function storedProfile(text: string, options: StoredProfileOptions = {}): NormalisedProfile {
  const { service = 'web', type = CPU_TYPE, timeMillis = 1_000_000, id = '', attributes = [] } = options;
  return {
    labels: seriesLabels(service, type, options.labels),
    profile: profileFromText(text, {
      id,
      timeUnixNanos: BigInt(timeMillis) * 1_000_000n,
      profileAttributes: attributes,
    }),
  };
}

export function seriesLabels(service: string, type: string, labels: Readonly<Record<string, string>> = {}) {
  const own: Label[] = Object.entries(labels).map(([name, value]) => ({ name, value }));
  return labelSet([
    ...profileTypeLabels(parseProfileType(type)),
    { name: SERVICE_NAME_LABEL, value: service },
    ...own,
  ]);
}

export interface SyntheticShape {
  /** Distinct stacks to draw from. */
  readonly stacks: number;
  readonly depth: number;
  readonly samplesPerProfile: number;
}

/** An endless supply of profiles of one service that draw from one set of stacks; the same for the same seed. */
export class SyntheticProfiles {
  readonly #shape: SyntheticShape;
  readonly #random: () => number;

  constructor(shape: SyntheticShape, seed: number) {
    this.#shape = shape;
    this.#random = xorshift(seed);
  }

  next(timeMillis: number, service = 'synthetic'): NormalisedProfile {
    const { stacks, depth, samplesPerProfile } = this.#shape;
    const builder = new ProfileBuilder({
      timeUnixNanos: BigInt(timeMillis) * 1_000_000n,
      durationNanos: 15_000_000_000n,
      sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
      periodType: { type: 'cpu', unit: 'nanoseconds' },
      period: 10_000_000n,
    });
    const mapping = builder.mapping({
      start: 0x400000n,
      limit: 0x800000n,
      fileOffset: 0n,
      filename: `/usr/bin/${service}`,
      buildId: 'abcdef',
    });
    for (let i = 0; i < samplesPerProfile; i++) {
      // Squared: a few stacks are hot and most are rare.
      const stack = Math.floor(this.#random() ** 2 * stacks);
      const locations = Array.from({ length: depth }, (_, level) => {
        // Stacks share their callers: the further from the leaf, the fewer there are.
        const name = `${service}_function_${level}_${stack >> level}`;
        return builder.location({
          mapping,
          address: 0n,
          frameType: 'native',
          lines: [{ function: builder.function({ name, filename: 'main.c' }), line: level }],
        });
      });
      builder.addSample(builder.stack(locations), [
        10_000_000n * BigInt(1 + Math.floor(this.#random() * 10)),
      ]);
    }
    return { labels: seriesLabels(service, CPU_TYPE, { 'host.name': 'h1' }), profile: builder.build() };
  }
}

function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Does all work in one go. */
export const AT_ONCE: Pace = { run: async (steps) => finish(steps) };

export const ALL_TIME: TimeRange = { startMillis: 1, endMillis: Number.MAX_SAFE_INTEGER };

/** Keeps what is logged. */
export class RecordingLog implements Log {
  readonly lines: { level: string; fields: object; message: string }[] = [];

  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }

  messages(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}
