// SPDX-License-Identifier: Apache-2.0
//
// Numbers as people read them: three significant digits, the unit that keeps them short.

import { parseProfileType } from '@hearthscope/profile/profile-type';
import type { FileMetadata } from './api/adhoc.ts';

interface Scale {
  readonly factor: number;
  readonly suffix: string;
}

// Each scale is sorted from small to large; the largest whose factor is not above the value is used.
const NANOS: readonly Scale[] = [
  { factor: 1, suffix: 'ns' },
  { factor: 1e3, suffix: 'µs' },
  { factor: 1e6, suffix: 'ms' },
  { factor: 1e9, suffix: 's' },
  { factor: 60e9, suffix: 'min' },
  { factor: 3600e9, suffix: 'h' },
  { factor: 86_400e9, suffix: 'd' },
];
const BYTES: readonly Scale[] = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'].map((suffix, power) => ({
  factor: 1024 ** power,
  suffix,
}));
const COUNTS: readonly Scale[] = ['', 'k', 'M', 'G', 'T', 'P'].map((suffix, power) => ({
  factor: 1000 ** power,
  suffix,
}));

/** How the value of a profile type is read as a rate over time. */
export type RateKind =
  /** Nanoseconds of time per nanosecond: how many CPUs (or threads) were busy. */
  | 'cores'
  /** A quantity that accumulates, per second. */
  | 'perSecond'
  /** A level at an instant, such as bytes in use: no rate. */
  | 'instant';

/** What the page needs to know of a profile type to show it. */
export interface Measure {
  readonly title: string;
  /** Unit of the values, as the profile type names it: `nanoseconds`, `bytes`, `count`, … */
  readonly unit: string;
  readonly rate: RateKind;
}

const TITLES: Readonly<Record<string, string>> = {
  'process_cpu:cpu': 'CPU time',
  'process_cpu:samples': 'CPU samples',
  'off_cpu:off_cpu': 'Off-CPU time',
  'wall:wall': 'Wall time',
  'memory:alloc_space': 'Allocated bytes',
  'memory:alloc_objects': 'Allocated objects',
  'memory:inuse_space': 'Bytes in use',
  'memory:inuse_objects': 'Objects in use',
  'goroutines:goroutine': 'Goroutines',
  'goroutine:goroutine': 'Goroutines',
  'mutex:contentions': 'Mutex contentions',
  'mutex:delay': 'Mutex wait time',
  'block:contentions': 'Blocking events',
  'block:delay': 'Blocking time',
};

/** The rate at which "samples" are nanoseconds. */
const NANOS_PER_SECOND = 1e9;
const INSTANT_SAMPLE_TYPES = new Set(['inuse_space', 'inuse_objects', 'goroutine', 'goroutines']);

/** Reads a profile type id. One that does not parse is still shown, under its own text. */
export function measureOf(profileTypeId: string): Measure {
  try {
    const { name, sampleType } = parseProfileType(profileTypeId);
    const title = TITLES[`${name}:${sampleType.type}`] ?? plainTitle(name, sampleType.type);
    return { title, unit: sampleType.unit, rate: rateOf(sampleType.type, sampleType.unit) };
  } catch {
    return { title: profileTypeId, unit: '', rate: 'instant' };
  }
}

/** The short name of a profile type, such as `cpu`; undefined when the id does not parse. */
export function sampleTypeOf(profileTypeId: string): string | undefined {
  try {
    return parseProfileType(profileTypeId).sampleType.type;
  } catch {
    return undefined;
  }
}

/** How the values of a file are read, by what its flame graph says of them. */
export function measureOfFile({ name, units, sampleRate }: FileMetadata): Measure {
  // A file's duration is not known, so that nothing of it is a rate.
  const isTime = units === 'samples' && sampleRate === NANOS_PER_SECOND;
  return { title: plainTitle(name, name), unit: isTime ? 'nanoseconds' : units, rate: 'instant' };
}

function plainTitle(name: string, sampleType: string): string {
  const parts = name === sampleType ? [name] : [name, sampleType];
  return parts
    .filter((part) => part !== '')
    .join(' ')
    .replaceAll('_', ' ');
}

function rateOf(sampleType: string, unit: string): RateKind {
  if (INSTANT_SAMPLE_TYPES.has(sampleType)) return 'instant';
  return unit === 'nanoseconds' ? 'cores' : 'perSecond';
}

/** `1.24 s`, `3.5 MiB`, `12.3 k`. An unknown unit follows the number as it is. */
export function formatValue(value: number, unit: string): string {
  switch (unit) {
    case 'nanoseconds':
      return scaled(value, NANOS);
    case 'bytes':
      return scaled(value, BYTES);
    case 'count':
    case 'samples':
    case 'objects':
    case '':
      return scaled(value, COUNTS);
    default:
      return `${scaled(value, COUNTS)} ${unit}`;
  }
}

/** `0.42 cores`, `1.2 MiB/s`, or the level itself. `value` was measured over `durationMillis`. */
export function formatRate(value: number, durationMillis: number, measure: Measure): string {
  const rate = rateValue(value, durationMillis, measure.rate);
  switch (measure.rate) {
    case 'cores':
      return `${significant(rate)} ${significant(rate) === '1' ? 'core' : 'cores'}`;
    case 'perSecond':
      return `${formatValue(rate, measure.unit)}/s`;
    case 'instant':
      return formatValue(rate, measure.unit);
  }
}

/** The number behind {@link formatRate}: cores, units per second, or the value itself. */
export function rateValue(value: number, durationMillis: number, rate: RateKind): number {
  if (rate === 'instant') return value;
  if (durationMillis <= 0) return 0;
  return rate === 'cores' ? value / (durationMillis * 1e6) : value / (durationMillis / 1e3);
}

/** `12.3 %`; what is there but rounds to nothing is `<0.01 %`. `whole` 0 gives `0 %`. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const percent = (part / whole) * 100;
  if (percent < 0.01) return '<0.01 %';
  return `${percent >= 99.95 ? '100' : percent >= 10 ? percent.toFixed(1) : percent.toFixed(2)} %`;
}

function scaled(value: number, scales: readonly Scale[]): string {
  const magnitude = Math.abs(value);
  const index = Math.max(
    0,
    scales.findLastIndex(({ factor }) => magnitude >= factor),
  );
  const { factor, suffix } = scales[index]!;
  const next = scales[index + 1];
  const number = significant(value / factor);
  // What rounds up to the next unit is one of it: 1 s and not 1000 ms.
  const isNext = next !== undefined && Math.abs(Number(number)) * factor >= next.factor;
  const text = isNext ? String(Math.sign(value)) : number;
  const unit = isNext ? next.suffix : suffix;
  return unit === '' ? text : `${text} ${unit}`;
}

/** Three significant digits without exponent or trailing zeros; integers keep all their digits. */
function significant(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return value.toFixed(0);
  if (magnitude > 0 && magnitude < 0.001) return '<0.001';
  const decimals = magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3;
  return String(Number(value.toFixed(decimals)));
}
