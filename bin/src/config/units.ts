// SPDX-License-Identifier: Apache-2.0
//
// Sizes ("512MiB") as people write them in flags, environment and files.

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export const SIZE_EXPECTED = 'a size such as "64KiB", "512MiB", "2GiB" or a number of bytes';

/** Bytes, or undefined when the text is not a size or not a safe integer of bytes. */
export function parseSizeBytes(text: string | number): number | undefined {
  if (typeof text === 'number') return Number.isSafeInteger(text) && text >= 0 ? text : undefined;
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  if (match === null) return undefined;
  const unit = match[2] === '' ? 1 : BYTES_PER_UNIT[match[2]!];
  if (unit === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `1.5 MiB`, for messages. */
export function formatBytes(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB'] as const) {
    const size = BYTES_PER_UNIT[unit]!;
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`;
  }
  return `${bytes} B`;
}
