// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { KernelSymbolizer } from './kernel-symbolizer.ts';
import { SymbolCounters } from './symbol-counters.ts';

const directory = mkdtempSync(join(tmpdir(), 'hearthscope-kernel-'));
after(() => rmSync(directory, { recursive: true }));

const minute = 60_000;

/** A symbolizer over files that the test writes, with a clock that the test moves. */
function underTest(): {
  ask: (...addresses: bigint[]) => string[];
  write: (kallsyms: string, modules?: string) => void;
  wait: (millis: number) => void;
  reads: () => Record<string, number> | undefined;
} {
  let now = 0;
  const kallsymsPath = join(directory, 'kallsyms');
  const modulesPath = join(directory, 'modules');
  const counters = new SymbolCounters();
  const kernel = new KernelSymbolizer({ counters, now: () => now, kallsymsPath, modulesPath });
  return {
    ask: (...addresses) => {
      const { names, modules } = kernel.symbolize(BigUint64Array.from(addresses));
      return names.map((name, i) => (modules[i] === '' ? name : `${name} of ${modules[i]}`));
    },
    write: (kallsyms, modules = '') => {
      writeFileSync(kallsymsPath, kallsyms);
      writeFileSync(modulesPath, modules);
    },
    wait: (millis) => {
      now += millis;
    },
    reads: () => counters.take().kernel_reads,
  };
}

const schedule = 'ffffffff81000000 T schedule\n';
const program = 'ffffffffc0000000 t bpf_prog_1_a\t[bpf]\n';

test('functions of the running kernel', (t) => {
  const line = readFileSync('/proc/kallsyms', 'latin1')
    .split('\n')
    .find((text) => / [Tt] vfs_read$/.test(text));
  const address = BigInt(`0x${line?.slice(0, 16) ?? '0'}`);
  if (address === 0n) return t.skip('the kernel hides its addresses from this user');
  const counters = new SymbolCounters();
  const kernel = new KernelSymbolizer({ counters });
  const { names, modules } = kernel.symbolize(BigUint64Array.of(address, address + 4n, 0x1000n));
  assert.deepEqual(names, ['vfs_read', 'vfs_read', '']);
  assert.deepEqual(modules, ['', '', '']);
  assert.deepEqual(counters.take(), {
    kernel_reads: { first: 1 },
    addresses: { kernel_named: 2, kernel_unnamed: 1 },
  });
  assert.ok(kernel.bytes > 100_000 && kernel.bytes < 8_000_000);
});

test('a BPF program that is loaded later gets its name, at most once a minute', () => {
  const { ask, write, wait, reads } = underTest();
  write(schedule);
  assert.deepEqual(ask(0xffffffff81000000n), ['schedule']);
  write(schedule + program);
  assert.deepEqual(ask(0xffffffffc0000000n), [''], 'not within the minute');
  wait(minute);
  assert.deepEqual(ask(0xffffffffc0000000n), ['bpf_prog_1_a of bpf']);
  assert.deepEqual(reads(), { first: 1, unnamed_address: 1 });
});

test('addresses that stay nameless do not make it read again and again', () => {
  const { ask, write, wait, reads } = underTest();
  write(schedule);
  ask(0xffffffffc0000000n);
  for (let i = 0; i < 20; i++) {
    wait(minute);
    ask(0xffffffffc0000000n);
  }
  assert.deepEqual(reads(), { first: 1 }, 'it was nameless when the file was read');
  for (let i = 0; i < 60; i++) {
    wait(minute);
    ask(0xffffffffc0000000n + BigInt(i));
  }
  assert.ok(reads()!.unnamed_address! <= 8, 'nor do new ones every time');
});

test('a changed list of modules, and BPF programs of some age, make it read again', () => {
  const { ask, write, wait, reads } = underTest();
  write(schedule + program);
  ask(0xffffffffc0000000n);
  wait(9 * minute);
  ask(0xffffffffc0000000n);
  assert.deepEqual(reads(), { first: 1 });
  write(schedule + program.replace('1_a', '2_b'));
  wait(minute);
  assert.deepEqual(ask(0xffffffffc0000000n), ['bpf_prog_2_b of bpf']);
  assert.deepEqual(reads(), { bpf_aged: 1 });
  write('ffffffff81000000 T schedule_too\n', 'ext4 1 0 - Live 0xffffffffc0201000\n');
  wait(minute);
  assert.deepEqual(ask(0xffffffff81000000n), ['schedule_too']);
  assert.deepEqual(reads(), { modules_changed: 1 });
});

test('hidden addresses and a missing file are counted, and names read before stay', () => {
  const { ask, write, wait, reads } = underTest();
  write('0000000000000000 T schedule\n');
  assert.deepEqual(ask(0xffffffff81000000n), ['']);
  assert.deepEqual(reads(), { restricted: 1 });
  write(schedule, 'changed');
  wait(minute);
  assert.deepEqual(ask(0xffffffff81000000n), ['schedule']);
  rmSync(join(directory, 'kallsyms'));
  wait(minute);
  assert.deepEqual(ask(0xffffffff81000000n, 0xffffffffc0000000n), ['schedule', '']);
  assert.deepEqual(reads(), { modules_changed: 1, ENOENT: 1 });
});
