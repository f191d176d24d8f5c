// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutProfileInSteps } from './cut-profile.ts';
import { cutTree } from './cut-tree.ts';
import { type GoPgoShape, goPgoProfileInSteps } from './go-pgo.ts';
import type { Profile } from './profile.ts';
import { buildStackTree, type StackTree, stackSums } from './stack-tree.ts';
import { finish } from './steps.ts';
import { profileFromText } from './testing/text-profile.ts';

const cut = (profile: Profile, maxNodes: number) =>
  finish(cutProfileInSteps(profile, stackSums(profile), maxNodes));
const forGo = (profile: Profile, shape: GoPgoShape) =>
  finish(goPgoProfileInSteps(profile, stackSums(profile), shape));

/** `root;leaf self` of each node with a value of its own, sorted. */
function leaves(tree: StackTree): string[] {
  const paths: string[] = [''];
  for (let node = 1; node < tree.length; node++) {
    paths.push(`${paths[tree.parent[node]!]};${tree.names[tree.name[node]!]}`);
  }
  return paths.flatMap((path, node) => (tree.self[node] === 0n ? [] : [`${path} ${tree.self[node]}`])).sort();
}

const leavesOf = (profile: Profile) => leaves(buildStackTree(stackSums(profile)));

test('small frames at the leaf become one location', () => {
  const profile = profileFromText('main;big 100\nmain;small;a 2\nmain;small;b 1\nmain 5');
  const small = cut(profile, 2);
  assert.deepEqual(leavesOf(small), [';main 5', ';main;big 100', ';main;other 3']);
  assert.equal(small.samples.length, 3);
  assert.deepEqual(leavesOf(cut(profile, 0)), leavesOf(profile));
});

test('an inlined function is not cut out of its location', () => {
  const profile = profileFromText('main;tiny<work 1\nmain;work 10\nmain 50');
  // `work` stays, but the location in which `tiny` is inlined does not.
  assert.deepEqual(leavesOf(cut(profile, 2)), [';main 50', ';main;other 1', ';main;work 10']);
});

test('what samples do not refer to is left out', () => {
  const profile = profileFromText('main;used 1\nmain;unused 1');
  const sums = stackSums(profile);
  const used = finish(cutProfileInSteps(profile, { ...sums, value: BigInt64Array.of(1n, 0n) }, 0));
  assert.equal(used.locations.length, 2);
  assert.ok(!used.strings.includes('unused') && !used.strings.includes('other'));
});

test('property: a cut profile has the flame graph of the cut tree', () => {
  const line = fc.tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', 'main'), { minLength: 1, maxLength: 5 }),
    fc.integer({ min: 1, max: 9 }),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.integer({ min: 1, max: 12 }), (lines, maxNodes) => {
      const profile = profileFromText(
        lines.map(([frames, value]) => `${frames.join(';')} ${value}`).join('\n'),
      );
      const tree = buildStackTree(stackSums(profile));
      assert.deepEqual(leavesOf(cut(profile, maxNodes)), leaves(cutTree(tree, maxNodes)));
    }),
  );
});

test('stacks for Go end a few locations above the leaf', () => {
  const profile = profileFromText('main;a;x;y 1\nmain;b;x;y 2\ny 4');
  assert.deepEqual(leavesOf(forGo(profile, { keepLocations: 2, aggregateCallees: false })), [
    ';x;y 3',
    ';y 4',
  ]);
  assert.deepEqual(leavesOf(forGo(profile, { keepLocations: 0, aggregateCallees: true })), leavesOf(profile));
});
