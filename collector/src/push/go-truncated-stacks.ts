// SPDX-License-Identifier: Apache-2.0
//
// Go's profilers keep a limited number of frames of each stack and lose those next to the root, so one call path ends in
// many roots and no flame graph of it can be read. What is missing is often in a stack beside it:
//
//   truncated   leaf … c d e f                 │ its 16 frames nearest to the root ("anchor") …
//   another     leaf …   c d e f g main goexit │ … are found here, three frames further from the root
//   repaired    leaf … c d e f g main goexit   │ so those three are what was cut off
//
// A stack is trusted only when it is at least 24 deep, and anchors are looked for at most 8 frames from a root: a deeper
// overlap is found through stacks between, each of which is itself repaired by the next.

import type { Profile, StackTable } from '@hearthscope/profile/profile';
import { UintListTable } from '@hearthscope/profile/uint-list-table';

const ANCHOR_FRAMES = 16;
const MAX_MISSING_FRAMES = 8;
/** A stack is looked at by its frames nearest to the root: an anchor and all that may be missing behind it. */
const ROOT_FRAMES = ANCHOR_FRAMES + MAX_MISSING_FRAMES;
/** Steps from stack to stack. Only deep recursion, whose anchors are all alike, takes as many. */
const MAX_STEPS = 56;

const HEAP_TYPES: ReadonlySet<string> = new Set([
  'alloc_objects',
  'alloc_space',
  'inuse_objects',
  'inuse_space',
]);
/** Heap stacks had at most 32 frames before Go 1.23 and 128 since; some that were cut are a few frames shorter. */
const HEAP_TRUNCATED_DEPTH = 28;
const HEAP_WHOLE_DEPTH = 33;
/** CPU stacks have at most 64. */
const CPU_TRUNCATED_DEPTH = 60;

/** Whether a stack of a Go profile may have been cut off: one is about as deep as the profiler goes, and for heap
 * profiles, none is deeper. */
function mayBeTruncated({ sampleTypes, stacks }: Profile): boolean {
  const isHeap = sampleTypes.some(({ type }) => HEAP_TYPES.has(type));
  if (!isHeap && !sampleTypes.some(({ type }) => type === 'cpu')) return false;
  let deepest = 0;
  for (let stack = 0; stack < stacks.length; stack++) deepest = Math.max(deepest, depthOf(stacks, stack));
  return isHeap
    ? deepest >= HEAP_TRUNCATED_DEPTH && deepest < HEAP_WHOLE_DEPTH
    : deepest >= CPU_TRUNCATED_DEPTH;
}

function depthOf({ locationStart }: StackTable, stack: number): number {
  return locationStart[stack + 1]! - locationStart[stack]!;
}

/** Where the frames that a root end lacks are: `missing` frames at the root side of root end `of`. */
interface Continuation {
  readonly of: number;
  readonly missing: number;
}

/** @param profile whose equal locations are one row, see {@link ../profile-merger}; its stacks may be equal afterwards
 * @returns the profile itself when nothing could be repaired */
export function repairTruncatedGoStacks(profile: Profile): { profile: Profile; repaired: number } {
  if (!mayBeTruncated(profile)) return { profile, repaired: 0 };
  const { stacks } = profile;
  const ends = new RootEnds(stacks);
  const continuations = findContinuations(ends);
  const locationStart = new Uint32Array(stacks.length + 1);
  const location: number[] = [];
  let repaired = 0;
  for (let stack = 0; stack < stacks.length; stack++) {
    const start = stacks.locationStart[stack]!;
    const end = stacks.locationStart[stack + 1]!;
    for (let item = start; item < end; item++) location.push(stacks.location[item]!);
    const missing = ends.missingFrames(stack, continuations);
    if (missing.length > 0) repaired++;
    for (const frame of missing) location.push(frame);
    locationStart[stack + 1] = location.length;
  }
  if (repaired === 0) return { profile, repaired };
  return {
    profile: {
      ...profile,
      stacks: { length: stacks.length, locationStart, location: Uint32Array.from(location) },
    },
    repaired,
  };
}

/** The distinct ends of the stacks, {@link ROOT_FRAMES} long. Most stacks share theirs with many others. */
class RootEnds {
  readonly #ends = new UintListTable();
  /** The end of each stack, or -1 for one that is too short. */
  readonly #endOf: Int32Array;

  constructor(stacks: StackTable) {
    this.#endOf = new Int32Array(stacks.length).fill(-1);
    for (let stack = 0; stack < stacks.length; stack++) {
      const to = stacks.locationStart[stack + 1]!;
      if (depthOf(stacks, stack) >= ROOT_FRAMES) {
        this.#endOf[stack] = this.#ends.intern(stacks.location, to - ROOT_FRAMES, to);
      }
    }
  }

  get length(): number {
    return this.#ends.length;
  }

  /** The row in `anchors` of the frames of an end that are `fromRoot` frames from its root. */
  internAnchor(anchors: UintListTable, end: number, fromRoot: number): number {
    const to = this.#ends.start[end + 1]! - fromRoot;
    return anchors.intern(this.#ends.items, to - ANCHOR_FRAMES, to);
  }

  /** What is to be put behind the root of a stack: step by step what each end has more than the one before. */
  missingFrames(stack: number, continuations: readonly (Continuation | undefined)[]): readonly number[] {
    const frames: number[] = [];
    let end = this.#endOf[stack]!;
    for (let step = 0; end >= 0; step++) {
      const next = continuations[end];
      if (next === undefined) break;
      if (step === MAX_STEPS) return [];
      end = next.of;
      const to = this.#ends.start[end + 1]!;
      for (let item = to - next.missing; item < to; item++) frames.push(this.#ends.items[item]!);
    }
    return frames;
  }
}

/** For each root end the one that has the most frames behind its anchor, if any has. */
function findContinuations(ends: RootEnds): (Continuation | undefined)[] {
  const anchors = new UintListTable();
  const best: Continuation[] = [];
  for (let end = 0; end < ends.length; end++) {
    for (let missing = 1; missing <= MAX_MISSING_FRAMES; missing++) {
      const anchor = ends.internAnchor(anchors, end, missing);
      if (best[anchor] === undefined || missing > best[anchor].missing) best[anchor] = { of: end, missing };
    }
  }
  return Array.from({ length: ends.length }, (_, end) => {
    const found = best[ends.internAnchor(anchors, end, 0)];
    return found?.of === end ? undefined : found;
  });
}
