// SPDX-License-Identifier: Apache-2.0
//
// Sizes in the messages that clients of Pyroscope know: one decimal below ten, none from there on.

const IEC_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const SI_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `4.0 MiB`: powers of 1024. */
export function iecBytes(bytes: number): string {
  return byteText(bytes, 1024, IEC_UNITS);
}

/** `4.2 MB`: powers of 1000. */
export function siBytes(bytes: number): string {
  return byteText(bytes, 1000, SI_UNITS);
}

function byteText(bytes: number, base: number, units: readonly string[]): string {
  if (bytes < 10) return `${Math.floor(bytes)} B`;
  let power = 0;
  while (power < units.length - 1 && bytes >= base ** (power + 1)) power++;
  const value = Math.round((bytes / base ** power) * 10) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[power]}`;
}
