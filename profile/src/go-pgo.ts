// SPDX-License-Identifier: Apache-2.0
//
// Profiles as Go's compiler wants them for profile-guided optimisation: it looks at the few frames next to the leaf, and
// not at the line within the function that was running.

import type { Profile } from './profile.ts';
import { RestackedProfile } from './restacked-profile.ts';
import type { StackSums } from './stack-tree.ts';
import type { Steps } from './steps.ts';

export interface GoPgoShape {
  /** Locations next to the leaf that stay; 0 for all. */
  readonly keepLocations: number;
  /** Whether stacks that differ only in the line of the leaf are one. */
  readonly aggregateCallees: boolean;
}

/** Stacks handled in one step. */
const STACKS_PER_STEP = 1024;

/** @param profile with one sample type and one sample a stack
 * @param sums of the profile's stacks; those without value are left out */
export function* goPgoProfileInSteps(
  profile: Profile,
  sums: StackSums,
  { keepLocations, aggregateCallees }: GoPgoShape,
): Steps<Profile> {
  const { stacks } = profile;
  const leaves = aggregateCallees ? withoutLeafLines(profile) : undefined;
  const restacked = new RestackedProfile(leaves?.profile ?? profile);
  for (let stack = 0; stack < stacks.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    const value = sums.value[stack]!;
    const first = stacks.locationStart[stack]!;
    const end = stacks.locationStart[stack + 1]!;
    if (value === 0n || first === end) continue;
    const kept = keepLocations > 0 ? Math.min(end, first + keepLocations) : end;
    const locations = stacks.location.slice(first, kept);
    if (leaves !== undefined) locations[0]! += leaves.offset;
    restacked.add(locations, value);
  }
  return yield* restacked.buildInSteps();
}

/** The profile with each location twice: `offset` rows further down is the same one as a leaf, its innermost line 0.
 * Those that nobody uses go when the profile is built, and equal ones become one. */
function withoutLeafLines(profile: Profile): { readonly profile: Profile; readonly offset: number } {
  const { locations } = profile;
  const offset = locations.length;
  const lineNumber = locations.lineNumber.slice();
  for (let location = 0; location < offset; location++) {
    const line = locations.lineStart[location]!;
    if (line < locations.lineStart[location + 1]!) lineNumber[line] = 0;
  }
  const lines = locations.lineFunction.length;
  return {
    offset,
    profile: {
      ...profile,
      locations: {
        length: offset * 2,
        mapping: joined(locations.mapping, locations.mapping),
        address: BigUint64Array.from({ length: offset * 2 }, (_, i) => locations.address[i % offset]!),
        lineStart: joined(
          locations.lineStart,
          locations.lineStart.subarray(1).map((line) => line + lines),
        ),
        lineFunction: joined(locations.lineFunction, locations.lineFunction),
        lineNumber: joined(locations.lineNumber, lineNumber),
        lineColumn: joined(locations.lineColumn, locations.lineColumn),
        frameType: joined(locations.frameType, locations.frameType),
      },
    },
  };
}

function joined(a: Uint32Array, b: Uint32Array): Uint32Array {
  const both = new Uint32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
