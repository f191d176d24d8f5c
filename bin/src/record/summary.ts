// SPDX-License-Identifier: Apache-2.0
//
// What a person wants to know when a recording ends.

import type { Profile } from '@hearthscope/profile/profile';
import { formatBytes } from '../config/units.ts';
import type { OutputFormat } from './options.ts';

const SAMPLE_COUNT_TYPE = 'samples';
const PID_ATTRIBUTE = 'process.pid';

export interface Recorded {
  readonly profile: Profile;
  /** The sampler's, by name. */
  readonly counters: Readonly<Record<string, number>>;
  readonly output: string;
  readonly format: OutputFormat;
  readonly fileBytes: number;
}

/** One line with the figures, one with what to do next. */
export function recordSummary({ profile, counters, output, format, fileBytes }: Recorded): string {
  const lost = lostSamples(counters);
  const figures = [
    plural(Number(sampleCount(profile)), 'sample', 'samples'),
    `${lost} lost`,
    plural(processCount(profile), 'process', 'processes'),
    `${(Number(profile.durationNanos) / 1e9).toFixed(1)} s`,
  ].join(', ');
  const hint =
    format === 'pprof'
      ? `open it with \`go tool pprof -http=: ${output}\` or drop it on https://www.speedscope.app`
      : `open it with \`flamegraph.pl ${output} > flame.svg\` or drop it on https://www.speedscope.app`;
  return `${output}: ${figures}, ${formatBytes(fileBytes)}\n${hint}\n`;
}

/** Every counter of samples that were taken or due but are not in the profile. */
export function lostSamples(counters: Readonly<Record<string, number>>): number {
  let lost = 0;
  for (const [name, count] of Object.entries(counters)) if (name.startsWith('lost_')) lost += count;
  return lost;
}

function sampleCount(profile: Profile): bigint {
  const column = profile.sampleTypes.findIndex(({ type }) => type === SAMPLE_COUNT_TYPE);
  let total = 0n;
  for (const value of profile.samples.values[column] ?? []) total += value;
  return total;
}

function processCount(profile: Profile): number {
  const pids = new Set<unknown>();
  for (const { key, value } of profile.attributes) if (key === PID_ATTRIBUTE) pids.add(value);
  return pids.size;
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
