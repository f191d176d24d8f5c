// SPDX-License-Identifier: Apache-2.0
//
// How the values of configuration keys are read and written. They come from YAML, or as text from flags; nothing is
// trusted about their shape.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { DURATION_EXPECTED, parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';

/** The values of one kind of key. */
export interface ValueKind<T> {
  /** `an integer`, to complete "expected …". */
  readonly expected: string;
  /** @param where the key, for messages. @throws HearthscopeError invalid_argument */
  parse(value: unknown, where: string): T;
  /** What YAML and JSON say for the value. */
  format(value: T): unknown;
}

export function valueError(where: string, expected: string, value: unknown): HearthscopeError {
  return new HearthscopeError('invalid_argument', `${where}: expected ${expected}, got ${shown(value)}`);
}

const MAX_SHOWN_LENGTH = 100;

/** A value as a message shows it. Lists and mappings may be huge, or hold themselves, and are only named. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}

/** A kind whose values are read by a function that gives undefined for what it cannot read. */
function simpleKind<T>(
  expected: string,
  read: (value: unknown) => T | undefined,
  format: (value: T) => unknown = (value) => value,
): ValueKind<T> {
  return {
    expected,
    parse: (value, where) => {
      const parsed = read(value);
      if (parsed === undefined) throw valueError(where, expected, value);
      return parsed;
    },
    format,
  };
}

function numberOf(value: unknown): number {
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : (value as number);
}

export const COUNT: ValueKind<number> = simpleKind('an integer from 0 on', (value) => {
  const count = numberOf(value);
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
});

const MEBIBYTE = 1_048_576;

/** A number of mebibytes, kept in bytes. */
export const MEBIBYTES: ValueKind<number> = simpleKind(
  'a number of MiB from 0 on',
  (value) => {
    const bytes = Math.trunc(numberOf(value) * MEBIBYTE);
    return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
  },
  (bytes) => bytes / MEBIBYTE,
);

/** Kept in milliseconds. */
export const DURATION: ValueKind<number> = simpleKind(
  `${DURATION_EXPECTED}, or 0`,
  (value) => (value === 0 || value === '0' ? 0 : parseDurationMillis(String(value))),
  formatDuration,
);

export const SWITCH: ValueKind<boolean> = simpleKind('true or false', (value) =>
  value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined,
);

export const PROBABILITY: ValueKind<number> = simpleKind('a number from 0 to 1', (value) => {
  const probability = numberOf(value);
  return typeof probability === 'number' && probability >= 0 && probability <= 1 ? probability : undefined;
});

export const TEXT: ValueKind<string> = simpleKind('a text', (value) =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined,
);

export function oneOf<T extends string>(choices: readonly T[]): ValueKind<T> {
  return simpleKind(`one of ${choices.join(', ')}`, (value) => choices.find((choice) => choice === value));
}

/** A mapping of names to values. In a flag it is JSON. @throws HearthscopeError invalid_argument */
export function mappingOf(value: unknown, where: string): Readonly<Record<string, unknown>> {
  const content = fromJson(value);
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw valueError(where, 'a mapping of names to values', value);
  }
  return content as Readonly<Record<string, unknown>>;
}

/** A list of at most so many items. In a flag it is JSON. @throws HearthscopeError invalid_argument */
export function listOf(value: unknown, where: string, maxItems: number): readonly unknown[] {
  const content = fromJson(value);
  if (!Array.isArray(content)) throw valueError(where, 'a list', value);
  if (content.length > maxItems) {
    throw new HearthscopeError(
      'invalid_argument',
      `${where}: ${content.length} items, at most ${maxItems} are allowed`,
    );
  }
  return content;
}

function fromJson(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** `1d12h`, `0s`. */
export function formatDuration(millis: number): string {
  let rest = millis;
  let text = '';
  for (const [unit, size] of DURATION_UNITS) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text === '' ? '0s' : text;
}
