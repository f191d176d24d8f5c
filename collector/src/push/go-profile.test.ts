// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import type { Profile } from '@hearthscope/profile/profile';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import { repairGoProfile } from './go-profile.ts';
import { repairTruncatedGoStacks } from './go-truncated-stacks.ts';
import { withoutShapes } from './go-type-parameters.ts';
import { profileLanguage } from './profile-language.ts';

const HEAP = { sampleTypes: [{ type: 'inuse_space', unit: 'bytes' }] };

test('lists of shapes are cut out of names, and nothing else', () => {
  const cases = [
    ['main.work', 'main.work'],
    ['sync.(*Map[go.shape.int]).Load', 'sync.(*Map).Load'],
    ['a.F[go.shape.struct { X [4]int; Y map[string]int },go.shape.int].func1', 'a.F.func1'],
    ['a.F[go.shape.int].G[go.shape.string]', 'a.F.G'],
    ['a.F[int]', 'a.F[int]'],
    ['a.F[go.shape.struct { X [4]int', 'a.F[go.shape.struct { X [4]int'],
    ['a.F[go.shape.int].G[go.shape.', 'a.F.G[go.shape.'],
  ];
  for (const [name, short] of cases) assert.equal(withoutShapes(name!), short);
});

test('the language is told by the agent, else by the first string that gives a sign', () => {
  const language = (name: string, spy?: string) =>
    profileLanguage(
      spy === undefined ? [] : [{ name: 'pyroscope_spy', value: spy }],
      profileFromText(`${name} 1`),
    );
  assert.equal(language('x', 'gospy'), 'go');
  assert.equal(language('main.go', 'pyspy'), 'python');
  assert.equal(language('main.go', 'toString'), 'go');
  assert.equal(language('main.go'), 'go');
  assert.equal(language('app.py;main.go'), 'python');
  assert.equal(language('java/lang/Object.wait'), 'java');
  assert.equal(language('x'), 'unknown');
});

/** `f1;f2;…` root first: frames `from` to `to` of one long call path. */
function path(from: number, to: number, leaf = ''): string {
  const frames = Array.from({ length: to - from + 1 }, (_, i) => `f${from + i}`);
  return [...frames, ...(leaf === '' ? [] : [leaf])].join(';');
}

function stacksOf(profile: Profile): string[] {
  const { strings, functions, locations, stacks, samples } = profile;
  return Array.from(samples.stack, (stack) =>
    Array.from(
      stacks.location.subarray(stacks.locationStart[stack], stacks.locationStart[stack + 1]),
      (location) => strings[functions.name[locations.lineFunction[locations.lineStart[location]!]!]!]!,
    )
      .reverse()
      .join(';'),
  );
}

function repaired(lines: readonly string[], header = HEAP): string[] {
  const profile = profileFromText(lines.map((line) => `${line} 1`).join('\n'), header);
  return stacksOf(repairTruncatedGoStacks(profile).profile);
}

test('frames that were cut off are taken from a stack that overlaps by sixteen', () => {
  const whole = path(1, 28);
  assert.deepEqual(repaired([whole, path(4, 31, 'x')]), [whole, path(1, 31, 'x')]);
  assert.deepEqual(repaired([whole, path(9, 36)]), [whole, path(1, 36)], 'eight frames are found');
  assert.deepEqual(repaired([whole, path(10, 37)]), [whole, path(10, 37)], 'nine are not');
  const shallow = path(4, 26);
  assert.deepEqual(repaired([whole, shallow]), [whole, shallow], 'a stack of 23 frames is not trusted');
});

test('what is found of a stack that was itself cut off is passed on', () => {
  assert.deepEqual(repaired([path(1, 28), path(8, 35), path(15, 42), path(22, 49)]), [
    path(1, 28),
    path(1, 35),
    path(1, 42),
    path(1, 49),
  ]);
});

test('of several continuations the longest is taken', () => {
  const base = path(5, 30);
  const short = `r1;${base}`;
  const long = `q1;q2;q3;${base}`;
  assert.deepEqual(repaired([base, short, long]), [`q1;q2;q3;${base}`, short, long]);
});

test('profiles that are too shallow to be cut off, too deep, or of another kind are left alone', () => {
  const lines = [path(1, 24), path(4, 27)];
  assert.deepEqual(repaired(lines), lines, 'no stack has the 28 frames of a heap profile that was cut');
  const deep = [path(1, 28), path(4, 31), path(1, 33)];
  assert.deepEqual(repaired(deep), deep, 'a stack of 33 says that the limit is not 32');
  const cpu = { sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }] };
  assert.deepEqual(repaired([path(1, 59), path(4, 62)], cpu), [path(1, 59), path(4, 62)]);
  assert.deepEqual(repaired([path(1, 60), path(4, 62)], cpu), [path(1, 60), path(1, 62)]);
  const wall = { sampleTypes: [{ type: 'wall', unit: 'nanoseconds' }] };
  assert.deepEqual(repaired([path(1, 60), path(4, 62)], wall), [path(1, 60), path(4, 62)]);
});

test('deep recursion ends, and is left as it is', () => {
  const recursion = (calls: number, root: string) => [root, ...new Array(calls).fill('f')].join(';');
  const lines = [recursion(31, 'main'), recursion(32, 'f'), recursion(30, 'f')];
  assert.deepEqual(repaired(lines), lines);
});

test('names that become equal make stacks that overlap', () => {
  const generic = (shape: string) => path(1, 28).replace('f20', `f20[go.shape.${shape}]`);
  const text = `${generic('int')} 1\n${generic('string').split(';').slice(3).join(';')};x;y;z 1`;
  const report = new DecodeReport();
  const profile = repairGoProfile(profileFromText(text, HEAP), report);
  assert.deepEqual(stacksOf(profile), [path(1, 28), `${path(1, 28)};x;y;z`]);
  assert.deepEqual(report.repaired, [
    { reason: 'go_type_parameters', count: 2 },
    { reason: 'go_stack_completed', count: 1 },
  ]);
});
