// SPDX-License-Identifier: Apache-2.0
//
// A profile cut to about so many nodes of its flame graph. Frames towards the leaf that are too small to stay are replaced
// by one location `other`, so every total that is left is still right.

import { cutNodesInSteps, minimumTotalInSteps, OTHER_NAME } from './cut-tree.ts';
import type { LocationTable, Profile } from './profile.ts';
import { RestackedProfile } from './restacked-profile.ts';
import { type StackSums, StackTreeBuilder } from './stack-tree.ts';
import type { Steps } from './steps.ts';

/** Stacks handled in one step. */
const STACKS_PER_STEP = 1024;

/** @param profile with one sample type and one sample a stack
 * @param sums of the profile's stacks; those without value are left out
 * @param maxNodes as in `cutTree`; 0 for all */
export function* cutProfileInSteps(profile: Profile, sums: StackSums, maxNodes: number): Steps<Profile> {
  const builder = new StackTreeBuilder();
  const nodes = yield* builder.addSumsInSteps(sums);
  const tree = yield* builder.buildInSteps();
  const minTotal = yield* minimumTotalInSteps(tree.total.subarray(1), maxNodes);
  const depth = new Uint32Array(tree.length);
  const cut = yield* cutNodesInSteps(tree, (node) => tree.total[node]! >= minTotal);
  const isKept = (node: number) =>
    cut === undefined || cut.nodes.names[cut.nodes.name[cut.nodeOf[node]!]!] !== OTHER_NAME;
  for (let node = 1; node < tree.length; node++) {
    const above = depth[tree.parent[node]!]!;
    depth[node] = isKept(node) ? above + 1 : above;
  }
  const other = otherLocation(profile);
  const restacked = new RestackedProfile(other.profile);
  for (let stack = 0; stack < nodes.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    const value = sums.value[stack]!;
    if (value === 0n) continue;
    restacked.add(keptLocations(profile, stack, depth[nodes[stack]!]!, other.location), value);
  }
  return yield* restacked.buildInSteps();
}

/** The locations at the root that have `frames` frames together; a location is not cut in the middle. */
function keptLocations(
  { stacks, locations }: Profile,
  stack: number,
  frames: number,
  other: number,
): ArrayLike<number> {
  const first = stacks.locationStart[stack]!;
  const end = stacks.locationStart[stack + 1]!;
  let left = frames;
  let at = end;
  while (at > first) {
    const size = framesOf(locations, stacks.location[at - 1]!);
    if (size > left) break;
    left -= size;
    at--;
  }
  const kept = stacks.location.subarray(at, end);
  return at === first ? kept : [other, ...kept];
}

function framesOf({ lineStart }: LocationTable, location: number): number {
  return Math.max(1, lineStart[location + 1]! - lineStart[location]!);
}

/** The profile with one more location, of a function `other`. */
function otherLocation(profile: Profile): { readonly profile: Profile; readonly location: number } {
  const { strings, functions, locations } = profile;
  const name = strings.length;
  const line = locations.lineFunction.length;
  return {
    location: locations.length,
    profile: {
      ...profile,
      strings: [...strings, OTHER_NAME],
      functions: {
        length: functions.length + 1,
        name: with32(functions.name, name),
        systemName: with32(functions.systemName, name),
        filename: with32(functions.filename, 0),
        startLine: with32(functions.startLine, 0),
      },
      locations: {
        length: locations.length + 1,
        mapping: with32(locations.mapping, 0),
        address: with64(locations.address, 0n),
        lineStart: with32(locations.lineStart, line + 1),
        lineFunction: with32(locations.lineFunction, functions.length),
        lineNumber: with32(locations.lineNumber, 0),
        lineColumn: with32(locations.lineColumn, 0),
        frameType: with32(locations.frameType, 0),
      },
    },
  };
}

function with32(column: Uint32Array, value: number): Uint32Array {
  const longer = new Uint32Array(column.length + 1);
  longer.set(column);
  longer[column.length] = value;
  return longer;
}

function with64(column: BigUint64Array, value: bigint): BigUint64Array {
  const longer = new BigUint64Array(column.length + 1);
  longer.set(column);
  longer[column.length] = value;
  return longer;
}
