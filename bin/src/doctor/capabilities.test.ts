// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveCapabilities, missingCapabilities } from './capabilities.ts';

const status = (hex: string) =>
  `Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t${hex}\nCapBnd:\t000001ffffffffff\n`;

test('bits are decoded by name', () => {
  assert.deepEqual(effectiveCapabilities(status('0000000000000000')), []);
  assert.deepEqual(effectiveCapabilities(status('000000c000080000')), [
    'CAP_SYS_PTRACE',
    'CAP_PERFMON',
    'CAP_BPF',
  ]);
  assert.equal(effectiveCapabilities(status('000001ffffffffff')).length, 41);
  assert.deepEqual(effectiveCapabilities(status('8000000000000000')), ['CAP_63']);
  assert.deepEqual(effectiveCapabilities('no such line'), []);
});

test('what is missing tells whether it is required', () => {
  const all = missingCapabilities([]);
  assert.deepEqual(
    all.filter(({ required }) => required).map(({ name }) => name),
    ['CAP_BPF', 'CAP_PERFMON', 'CAP_SYS_PTRACE'],
  );
  // CAP_SYS_ADMIN stands for the two that were split off from it.
  const missing = missingCapabilities(['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE', 'CAP_DAC_OVERRIDE']);
  assert.deepEqual(
    missing.map(({ name }) => name),
    ['CAP_SYSLOG'],
  );
});
