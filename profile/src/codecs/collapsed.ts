// SPDX-License-Identifier: Apache-2.0
//
// Collapsed stacks, the text that flame graph scripts read: one stack a line, `root;child;leaf count`.
//
// Escapes. A name may hold anything, but `;` and line breaks would be read as structure, so they are written as `%3B`,
// `%0A` and `%0D`, and a `%` that would be read as one of these (or as `%25`) as `%25`. Other percent signs stay, and
// reading undoes exactly these four. The count is what follows the last space, so spaces in names are fine. The format
// `lines` of old clients is the same without counts.

import { FormatError, HearthscopeError } from '../errors.ts';
import { locationFrames } from '../frame-name.ts';
import type { Profile } from '../profile.ts';
import type { ProfileHeader } from '../profile-builder.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { NamedStacks, ROOT, type StackNode } from './named-stacks.ts';
import { textLines } from './text-lines.ts';

const ESCAPED = /[;\n\r]|%(?=25|3B|0A|0D)/g;
const ESCAPES = /%(?:25|3B|0A|0D)/g;
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
 * @param report counts lines that cannot be read (`malformed_line`) and what was changed; without it such a line is thrown
 * @throws FormatError for a line without count, HearthscopeError invalid_argument for a limit that is exceeded */
export function decodeCollapsed(
  bytes: Uint8Array,
  header: Partial<ProfileHeader> = {},
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
  report?: DecodeReport,
): Profile {
  const stacks = new NamedStacks('collapsed', header, limits, report);
  for (const { text, offset } of textLines('collapsed', bytes, report)) {
    const line = text.trimEnd();
    if (line === '') continue;
    const space = line.lastIndexOf(' ');
    const count = line.slice(space + 1);
    if (space < 0 || count.length > MAX_COUNT_DIGITS || !/^\d+$/.test(count)) {
      stacks.malformed(new FormatError('collapsed', offset, 'a line that does not end in a count'));
      continue;
    }
    stacks.add(stackOfText(stacks, line.slice(0, space), limits), BigInt(count), offset);
  }
  return stacks.build();
}

/** Reads stacks without counts, one a line as in collapsed stacks; each stands for one sample. Empty lines are skipped.
 * @param report counts what was changed
 * @throws HearthscopeError invalid_argument for a limit that is exceeded */
export function decodeStackLines(
  bytes: Uint8Array,
  header: Partial<ProfileHeader> = {},
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
  report?: DecodeReport,
): Profile {
  const stacks = new NamedStacks('lines', header, limits, report);
  for (const { text, offset } of textLines('lines', bytes, report)) {
    if (text !== '') stacks.add(stackOfText(stacks, text, limits), 1n, offset);
  }
  return stacks.build();
}

/** An empty name at the end is none: some writers put a `;` behind every frame. */
function stackOfText(stacks: NamedStacks, text: string, { maxStackDepth }: DecodeLimits): StackNode {
  const path = text.endsWith(';') ? text.slice(0, -1) : text;
  let node = ROOT;
  if (path === '') return node;
  for (const name of path.split(';', maxStackDepth + 1)) {
    node = stacks.child(node, stacks.name(unescapeName(name)));
  }
  return node;
}
