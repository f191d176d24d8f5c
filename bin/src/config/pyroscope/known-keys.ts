// SPDX-License-Identifier: Apache-2.0
//
// Finds what a key, a flag or a variable of Pyroscope means.

import { variableOf } from '../settings.ts';
import { INTRODUCTION_KEYS } from './introduction-keys.ts';
import { ignored, type PyroscopeKey } from './pyroscope-key.ts';
import { IGNORED_FLAGS, REAL_KEYS } from './real-keys.ts';

export const PYROSCOPE_PREFIX = 'PYROSCOPE_';

const ALL_KEYS: readonly PyroscopeKey[] = [...REAL_KEYS, ...INTRODUCTION_KEYS];
const byKey: ReadonlyMap<string, PyroscopeKey> = new Map(ALL_KEYS.map((known) => [known.key, known]));
const byFlag: ReadonlyMap<string, PyroscopeKey> = new Map(
  ALL_KEYS.flatMap((known) => (known.flag === undefined ? [] : [[known.flag, known] as const])),
);
/** The names that may stand beneath a key. */
const children = new Map<string, Set<string>>();
for (const { key } of ALL_KEYS) {
  const parts = key.split('.');
  for (let depth = 0; depth < parts.length; depth++) {
    const parent = parts.slice(0, depth).join('.');
    if (!children.has(parent)) children.set(parent, new Set());
    children.get(parent)!.add(parts[depth]!);
  }
}

const byVariable: ReadonlyMap<string, PyroscopeKey> = new Map(
  ALL_KEYS.flatMap((known) => [
    [variableOf(PYROSCOPE_PREFIX, known.key), known] as const,
    ...(known.flag === undefined ? [] : [[variableOf(PYROSCOPE_PREFIX, known.flag), known] as const]),
  ]),
);

export function keyAt(path: string): PyroscopeKey | undefined {
  return byKey.get(path);
}

/** Names that may stand beneath a key; '' is the top of the file. */
export function namesBeneath(path: string): readonly string[] {
  return [...(children.get(path) ?? [])];
}

/** @param name without dashes */
export function keyOfFlag(name: string): PyroscopeKey | undefined {
  const known = byFlag.get(name);
  if (known !== undefined) return known;
  for (const [because, names] of Object.entries(IGNORED_FLAGS)) {
    if (names.some((one) => name === one || (/[.-]$/.test(one) && name.startsWith(one)))) {
      return ignored(name, name, because);
    }
  }
  return undefined;
}

export function flagNames(): readonly string[] {
  return [...byFlag.keys()];
}

export function keyOfVariable(name: string): PyroscopeKey | undefined {
  return byVariable.get(name);
}

export function variableNames(): readonly string[] {
  return [...byVariable.keys()];
}
