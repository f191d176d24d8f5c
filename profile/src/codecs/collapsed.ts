// SPDX-License-Identifier: Apache-2.0
//
// Collapsed stacks, the text that flame graph scripts read: one stack a line, `root;child;leaf count`.
//
// Escapes. A name may hold anything, but `;` and line breaks would be read as structure, so they are written as `%3B`,
// `%0A` and `%0D`, and a `%` that would be read as one of these (or as `%25`) as `%25`. Other percent signs stay, and
// reading undoes exactly these four. The count is what follows the last space, so spaces in names are fine.

import { FormatError, HearthscopeError } from '../errors.ts';
import { locationFrames } from '../frame-name.ts';
import type { Profile } from '../profile.ts';
import { ProfileBuilder, type ProfileHeader } from '../profile-builder.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';

const ESCAPED = /[;\n\r]|%(?=25|3B|0A|0D)/g;
const ESCAPES = /%(?:25|3B|0A|0D)/g;
const MAX_INT64 = 2n ** 63n - 1n;
/** More digits than the largest int64 has. */
const MAX_COUNT_DIGITS = 19;

function escapeName(name: string): string {
  return name.replace(ESCAPED, encodeURIComponent);
}

function unescapeName(text: string): string {
  return text.replace(ESCAPES, decodeURIComponent);
}

/** One line per distinct stack of function names, sorted, each ending in a line feed. Stacks without frames and sums of
 * zero have no line. @param valueType which of the profile's sample types to count */
export function encodeCollapsed(profile: Profile, valueType = 0): string {
  const { samples, stacks } = profile;
  const values = samples.values[valueType];
  if (values === undefined)
    throw new HearthscopeError('invalid_argument', `the profile has no sample type ${valueType}`);
  const { names, start, frame } = locationFrames(profile);
  const escaped = names.map(escapeName);
  const sumOfStack = new Map<number, bigint>();
  for (let row = 0; row < samples.length; row++) {
    const stack = samples.stack[row]!;
    sumOfStack.set(stack, (sumOfStack.get(stack) ?? 0n) + values[row]!);
  }
  const sumOfText = new Map<string, bigint>();
  for (const [stack, sum] of sumOfStack) {
    const frames: string[] = [];
    for (let i = stacks.locationStart[stack + 1]! - 1; i >= stacks.locationStart[stack]!; i--) {
      const location = stacks.location[i]!;
      for (let j = start[location + 1]! - 1; j >= start[location]!; j--) frames.push(escaped[frame[j]!]!);
    }
    if (frames.length === 0) continue;
    const text = frames.join(';');
    sumOfText.set(text, (sumOfText.get(text) ?? 0n) + sum);
  }
  return [...sumOfText]
    .filter(([, sum]) => sum !== 0n)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([text, sum]) => `${text} ${sum}\n`)
    .join('');
}

/** Reads collapsed stacks; empty lines are skipped. The profile has one sample type, `samples` in `count` unless the
 * header says otherwise; stacks deeper than the limit lose their leaf side.
 * @throws FormatError for a line without count, HearthscopeError invalid_argument for a limit that is exceeded */
export function decodeCollapsed(
  bytes: Uint8Array,
  header: Partial<ProfileHeader> = {},
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
): Profile {
  const builder = new ProfileBuilder({
    timeUnixNanos: 0n,
    durationNanos: 0n,
    sampleTypes: [{ type: 'samples', unit: 'count' }],
    periodType: { type: '', unit: '' },
    period: 0n,
    ...header,
  });
  const text = new TextDecoder('utf-8', { ignoreBOM: true });
  let total = 0n;
  let lines = 0;
  for (let from = 0; from < bytes.length; ) {
    const lineFeed = bytes.indexOf(0x0a, from);
    const end = lineFeed < 0 ? bytes.length : lineFeed;
    const line = text.decode(bytes.subarray(from, end)).trimEnd();
    if (line !== '') {
      if (++lines > limits.maxSamples) {
        throw new HearthscopeError('invalid_argument', `collapsed: more than ${limits.maxSamples} stacks`);
      }
      total += addLine(builder, line, from, limits);
      if (total > MAX_INT64) throw new FormatError('collapsed', from, 'the counts do not fit in 64 bits');
    }
    from = end + 1;
  }
  return builder.build();
}

/** @returns the line's count */
function addLine(builder: ProfileBuilder, line: string, offset: number, limits: DecodeLimits): bigint {
  const space = line.lastIndexOf(' ');
  const count = line.slice(space + 1);
  if (space < 0 || count.length > MAX_COUNT_DIGITS || !/^\d+$/.test(count)) {
    throw new FormatError('collapsed', offset, 'a line that does not end in a count');
  }
  const locations = line
    .slice(0, space)
    .split(';')
    .slice(0, limits.maxStackDepth)
    .map((name) =>
      builder.location({
        mapping: 0,
        address: 0n,
        lines: [{ function: builder.function({ name: unescapeName(name).slice(-limits.maxSymbolLength) }) }],
      }),
    );
  builder.addSample(builder.stack(locations.reverse()), [BigInt(count)]);
  return BigInt(count);
}
