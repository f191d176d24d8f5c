// SPDX-License-Identifier: Apache-2.0
//
// Chooses stacks by the names of the functions on them.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { compileRegularExpression } from '@hearthscope/profile/regular-expression/regular-expression';
import type { StackSums } from '@hearthscope/profile/stack-tree';
import type { Steps } from '@hearthscope/profile/steps';
import type { FrameFilter } from './requests.ts';

/** Names and expressions of one filter. */
export const MAX_FRAME_CONDITIONS = 100;

/** Stacks handled in one step. */
const STACKS_PER_STEP = 1024;
/** Names handled in one step. */
const NAMES_PER_STEP = 512;

export interface StackFilter {
  /** Function names, root first. */
  readonly callSite: readonly string[];
  readonly frames: FrameConditions | undefined;
}

/** Undefined when every stack passes.
 * @throws HearthscopeError invalid_argument for an expression that cannot be read */
export function stackFilter(
  callSite: readonly string[],
  frameFilter: FrameFilter | undefined,
): StackFilter | undefined {
  const frames = frameFilter && frameConditions(frameFilter);
  return callSite.length === 0 && frames === undefined ? undefined : { callSite, frames };
}

/** A flag for each stack: 1 when it passes. */
export function* passingStacks(sums: StackSums, filter: StackFilter): Steps<Uint8Array> {
  const { names, start, frame, value } = sums;
  const atCallSite = callSiteTest(sums, filter.callSite);
  const withFrames = filter.frames && (yield* frameTest(names, filter.frames));
  const passing = new Uint8Array(value.length);
  for (let stack = 0; stack < value.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    const first = start[stack]!;
    const end = start[stack + 1]!;
    const passes = atCallSite(first, end) && (withFrames?.(frame, first, end) ?? true);
    passing[stack] = passes ? 1 : 0;
  }
  return passing;
}

/** Whether the frames `first .. end`, leaf first, begin with the call site at their root. */
function callSiteTest(
  { names, frame }: StackSums,
  callSite: readonly string[],
): (first: number, end: number) => boolean {
  const path = callSite.map((name) => names.indexOf(name));
  if (path.includes(-1)) return () => false;
  return (first, end) => end - first >= path.length && path.every((name, i) => frame[end - 1 - i] === name);
}

interface FrameConditions {
  readonly included: readonly ((name: string) => boolean)[];
  readonly excluded: readonly ((name: string) => boolean)[];
}

function frameConditions(filter: FrameFilter): FrameConditions | undefined {
  const count = Object.values(filter).reduce(
    (sum, conditions: readonly string[]) => sum + conditions.length,
    0,
  );
  if (count === 0) return undefined;
  if (count > MAX_FRAME_CONDITIONS) {
    throw new HearthscopeError(
      'invalid_argument',
      `a frame filter of ${count} names and expressions is too long, the limit is ${MAX_FRAME_CONDITIONS}`,
    );
  }
  const named = (text: string) => (name: string) => name === text;
  // Anywhere in the name, where selectors mean all of a value.
  const matching = (expression: string) => compileRegularExpression(`(?s:.*)(?:${expression})(?s:.*)`);
  return {
    included: [...filter.includeNames.map(named), ...filter.includeRegexes.map(matching)],
    excluded: [...filter.excludeNames.map(named), ...filter.excludeRegexes.map(matching)],
  };
}

/** Each name is tried once, however often it is on a stack. */
function* frameTest(
  names: readonly string[],
  { included, excluded }: FrameConditions,
): Steps<(frame: Uint32Array, first: number, end: number) => boolean> {
  const isExcluded = new Uint8Array(names.length);
  /** The conditions that each name meets; none for nearly all. */
  const met = new Map<number, number[]>();
  for (let name = 0; name < names.length; name++) {
    if (name % NAMES_PER_STEP === 0) yield;
    const text = names[name]!;
    if (excluded.some((condition) => condition(text))) isExcluded[name] = 1;
    const conditions = included.flatMap((condition, i) => (condition(text) ? [i] : []));
    if (conditions.length > 0) met.set(name, conditions);
  }
  /** The test that met each condition last. */
  const metIn = new Uint32Array(included.length);
  let test = 0;
  return (frame, first, end) => {
    test++;
    let missing = included.length;
    for (let at = first; at < end; at++) {
      const name = frame[at]!;
      if (isExcluded[name] === 1) return false;
      for (const condition of met.get(name) ?? []) {
        if (metIn[condition] === test) continue;
        metIn[condition] = test;
        missing--;
      }
    }
    return missing === 0;
  };
}
