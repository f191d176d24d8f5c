// SPDX-License-Identifier: Apache-2.0
//
// Damaged names: nothing is thrown, and what comes back is within the limits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { demangle } from './demangle.ts';
import { demangleLimits } from './demangle-limits.ts';
import { rareNames } from './testing/rare-names.ts';

const seeds = [
  ...rareNames.map(([mangled]) => mangled),
  '_ZNSt6vectorIN4llvm9StringRefESaIS1_EE17_M_realloc_insertIJRKS1_EEEvN9__gnu_cxx17__normal_iteratorIPS1_S3_EEDpOT_',
  '_RINvNtCs123_5crate3mod4workNtB4_4TypejE',
  '_RNvXCs123_5crateDINtB2_5TraithEp4ItemjEL_NtB2_5Other4drop',
  '_RIC1aKVNtC1b1CS1xh1_1yb0_EFG_RL0_hEuE',
  '_ZN70_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0123456789abcdefE.llvm.1',
];

const piece = fc.oneof(
  fc.constantFrom(...'EINSTKPRVOCDLJXZFAMUBQW_0123456789abcdefghijklmnopqrstuvwxyz$.'),
  fc.constantFrom(
    'S_',
    'S0_',
    'T_',
    'T0_',
    'TL0__',
    'Dp',
    'DT',
    'Ul',
    'E_',
    'J',
    'cv',
    'sr',
    'rQ',
    'fL',
    'B_',
    'L_Z',
    '\u00e9',
    '\0',
  ),
);

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: readonly string[];
  readonly repeat: number;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(200),
  remove: fc.nat(4),
  insert: fc.array(piece, { maxLength: 4 }),
  repeat: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(2000) }),
});

function damaged(name: string, edits: readonly Edit[]): string {
  return edits.reduce((text, { at, remove, insert, repeat }) => {
    const position = Math.min(text.length, 2 + at);
    return text.slice(0, position) + insert.join('').repeat(repeat) + text.slice(position + remove);
  }, name);
}

test('damaged names', () => {
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 4 }), (name, edits) => {
      const text = damaged(name, edits);
      for (const mode of ['simplified', 'templates', 'full'] as const) {
        const shown = demangle(text, mode);
        assert.ok(shown === text || shown.length <= demangleLimits.maxOutputLength + 64);
      }
    }),
    { numRuns: 5000 },
  );
});

test('names that were never any', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('_Z', '_ZN', '_R', '_RNv', ''),
      fc.array(piece, { maxLength: 60 }),
      (start, pieces) => {
        const shown = demangle(start + pieces.join(''), 'full');
        assert.equal(typeof shown, 'string');
      },
    ),
    { numRuns: 5000 },
  );
});
