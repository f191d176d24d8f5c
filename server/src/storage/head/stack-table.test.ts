// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import { MemoryBudget } from './memory-budget.ts';
import { locationTranslation } from './profile-symbols.ts';
import { StackTable } from './stack-table.ts';
import { SymbolTable } from './symbol-table.ts';

function tables(): { symbols: SymbolTable; stacks: StackTable } {
  const budget = new MemoryBudget(Number.MAX_SAFE_INTEGER);
  const symbols = new SymbolTable(budget);
  return { symbols, stacks: new StackTable(symbols, budget) };
}

/** The locations of `root;…;leaf`, leaf first. */
function locationsOf(symbols: SymbolTable, stack: string): Uint32Array {
  const profile = profileFromText(`${stack} 1`);
  return locationTranslation(profile, symbols).column(profile.stacks.location);
}

const KNOWN_IDS = ['4e6ba9530eef1041', '339e2e3499663631', '3d69927e39408dcd', 'ebcbff50474c55bf'];

test('ids are known answers: they are stored, and must not change', () => {
  const { symbols, stacks } = tables();
  const id = (stack: string) => stacks.id(stacks.intern(locationsOf(symbols, stack))).toString(16);
  assert.deepEqual(['main', 'main;work', 'main;work<inlined', 'main;syscall@kernel'].map(id), KNOWN_IDS);
});

test('an id depends on the content and not on what was stored before', () => {
  const first = tables();
  const second = tables();
  for (const stack of ['x', 'y;main', 'work']) second.stacks.intern(locationsOf(second.symbols, stack));
  const id = ({ symbols, stacks }: ReturnType<typeof tables>) =>
    stacks.id(stacks.intern(locationsOf(symbols, 'main;work')));
  assert.equal(id(first), id(second));
});

test('equal stacks have one row, in any order of arrival', () => {
  const { symbols, stacks } = tables();
  const texts = Array.from({ length: 3000 }, (_, i) => `main;f${i % 700};g${i % 11};h${i % 3}`);
  const rows = texts.map((text) => stacks.intern(locationsOf(symbols, text)));
  assert.equal(stacks.length, new Set(texts).size);
  texts.forEach((text, i) => {
    assert.equal(stacks.intern(locationsOf(symbols, text)), rows[i]);
  });
  assert.equal(stacks.collisions, 0);
});

test('stacks whose hashes are equal are told apart, counted, and found again', () => {
  const { symbols, stacks } = tables();
  const texts = ['a', 'b', 'c'].map((name) => `main;${name}`);
  const locations = texts.map((text) => locationsOf(symbols, text));
  // Gives all leaves one hash, as a collision of the hash function would.
  const [leaf] = locations[0]!;
  const { words } = symbols.locationHash;
  for (const own of locations) symbols.locationHash.set(own[0]!, words[leaf! * 2]!, words[leaf! * 2 + 1]!);
  const rows = locations.map((own) => stacks.intern(own));
  assert.deepEqual(rows, [0, 1, 2]);
  assert.equal(stacks.collisions, 3);
  assert.equal(new Set(rows.map((row) => stacks.id(row))).size, 3);
  assert.deepEqual(
    locations.map((own) => stacks.intern(own)),
    rows,
  );
});

test('stacks made to collide without end are refused', () => {
  const { symbols, stacks } = tables();
  assert.throws(
    () => {
      for (let i = 0; i < 100; i++) {
        const locations = locationsOf(symbols, `f${i}`);
        symbols.locationHash.set(locations[0]!, 1, 2);
        stacks.intern(locations);
      }
    },
    (error) => error instanceof HearthscopeError && error.code === 'invalid_argument',
  );
});

test('the empty stack is a stack', () => {
  const { stacks } = tables();
  assert.equal(stacks.intern(new Uint32Array(0)), 0);
  assert.equal(stacks.intern(new Uint32Array(0)), 0);
  assert.equal(stacks.node[0], 0);
});
