// SPDX-License-Identifier: Apache-2.0
//
// Values as people who use pprof are used to reading them: `1.50s`, `512kB`, `7`.

interface Scale {
  readonly size: number;
  readonly suffix: string;
}

const TIMES: readonly Scale[] = [
  { size: 3.6e12, suffix: 'hrs' },
  { size: 6e10, suffix: 'mins' },
  { size: 1e9, suffix: 's' },
  { size: 1e6, suffix: 'ms' },
  { size: 1e3, suffix: 'us' },
  { size: 1, suffix: 'ns' },
];

const BYTES: readonly Scale[] = [
  { size: 2 ** 50, suffix: 'PB' },
  { size: 2 ** 40, suffix: 'TB' },
  { size: 2 ** 30, suffix: 'GB' },
  { size: 2 ** 20, suffix: 'MB' },
  { size: 2 ** 10, suffix: 'kB' },
  { size: 1, suffix: 'B' },
];

/** The size of one of a unit, and the scale that it belongs to. */
const UNITS: Readonly<Record<string, { readonly factor: number; readonly scales: readonly Scale[] }>> = {
  nanoseconds: { factor: 1, scales: TIMES },
  microseconds: { factor: 1e3, scales: TIMES },
  milliseconds: { factor: 1e6, scales: TIMES },
  seconds: { factor: 1e9, scales: TIMES },
  bytes: { factor: 1, scales: BYTES },
};

/** @param unit of a sample type; one that has no scale is left out for counts, and written behind the number otherwise */
export function formatValue(value: bigint, unit: string): string {
  const known = UNITS[unit];
  if (known === undefined) return unit === 'count' || unit === '' ? `${value}` : `${value}${unit}`;
  if (value === 0n) return '0';
  const amount = Number(value) * known.factor;
  const scale = known.scales.find(({ size }) => Math.abs(amount) >= size) ?? known.scales.at(-1)!;
  return `${shortest(amount / scale.size)}${scale.suffix}`;
}

/** `12.34%`; `100%` for all of it. */
export function percentage(part: bigint, whole: bigint): string {
  if (whole === 0n) return '0%';
  const percent = (Number(part) * 100) / Number(whole);
  return `${percent >= 99.95 && percent <= 100.05 ? '100' : shortest(percent)}%`;
}

/** At most two digits behind the point. */
function shortest(value: number): string {
  return value.toFixed(2).replace(/\.?0+$/, '');
}
