// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../errors.ts';
import { encodeCollapsed } from './collapsed.ts';
import { DEFAULT_DECODE_LIMITS } from './decode-limits.ts';
import { DecodeReport } from './decode-report.ts';
import { decodePerfScript, isPerfScript } from './perf-script.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const collapsed = (text: string, report?: DecodeReport) =>
  encodeCollapsed(decodePerfScript(bytesOf(text), {}, DEFAULT_DECODE_LIMITS, report));

test('samples with stacks, commands with spaces, functions without offsets', () => {
  const text = `# captured on: today
java 12688/12764 [002] 6544038.708352:     250000 cpu-clock:
\t    7f1f6a5d8b3e Interpreter+0x2e (/tmp/perf-12688.map)
\t    7f1f6a1a2c10 JavaMain(void*, int)+0x10 (/usr/lib/libjvm.so)

V8 WorkerThread 25607 4794564.109216: cycles:
\tffffffffb37105ed update_curr+0x10d ([kernel.kallsyms])
\t          29d90 v8::(anonymous namespace)::Run()+0x4 (/usr/bin/node (deleted))
java 12688/12764 [002] 6544038.808352:     250000 cpu-clock:
\t    7f1f6a5d8b40 Interpreter+0x30 (/tmp/perf-12688.map)
\t    7f1f6a1a2c10 JavaMain(void*, int)+0x10 (/usr/lib/libjvm.so)`;
  assert.equal(
    collapsed(text),
    'V8 WorkerThread;v8::(anonymous namespace)::Run();update_curr 1\njava;JavaMain(void*, int);Interpreter 2\n',
  );
});

test('frames without symbol are named by binary and address', () => {
  const text =
    'app 1 1.0: cycles:\n\t 3fa48f [unknown] ([unknown])\n\t 99 [unknown] (/usr/lib/libc.so.6)\n\n';
  assert.equal(collapsed(text), 'app;libc.so.6+0x99;0x3fa48f 1\n');
});

test('a sample without stack counts for its command', () => {
  assert.equal(collapsed('app 1/2 1.0: cycles:\n\napp 1/2 1.0: cycles:\r\n\r\n'), 'app 2\n');
});

test('bad lines cost themselves, or are thrown when nobody counts', () => {
  const text = 'no sample\n\t 1 lost (x)\napp 1 1.0: cycles:\n\t nonsense\n\t 2 kept (x)\n';
  const report = new DecodeReport();
  assert.equal(collapsed(text, report), 'app;kept 1\n');
  assert.deepEqual(report.rejected, [
    {
      what: 'sample',
      reason: 'malformed_line',
      count: 3,
      message: 'perf script: a line that begins no sample at byte 0',
    },
  ]);
  assert.throws(
    () => collapsed(text),
    (error) => error instanceof FormatError && error.offset === 0,
  );
});

test('the format is told from others by its first line', () => {
  assert.ok(isPerfScript(bytesOf('# comment\n\njava 24636/25607 [000] 4794564.109216: cycles:\n')));
  assert.ok(isPerfScript(bytesOf('java 12688 [002] 6544038.708352: cpu-clock:\n')));
  for (const text of ['', '\n', 'swapper;start_kernel;rest_init 1\n', '{"a":1}', ` ${'a 1'.repeat(9)}`]) {
    assert.equal(isPerfScript(bytesOf(text)), false, text);
  }
});

test('long lines of anything are refused quickly', () => {
  for (const unit of ['a 1 ', '1 ', ' ', '(', '\t1 (', ')']) {
    const report = new DecodeReport();
    collapsed(`app 1 1.0: cycles:\n\t 1 x${unit.repeat(300_000)}\n${unit.repeat(300_000)}\n`, report);
    assert.ok(report.rejected.length <= 1);
  }
});

test('limits hold at their edge', () => {
  const bytes = bytesOf('app 1 1.0: cycles:\n\t 1 a (x)\n\t 2 b (x)\n\napp 1 1.0: cycles:\n\t 1 c (x)\n');
  const decode = (limits: object) => decodePerfScript(bytes, {}, { ...DEFAULT_DECODE_LIMITS, ...limits });
  assert.equal(encodeCollapsed(decode({ maxStackDepth: 3 })), 'app;b;a 1\napp;c 1\n');
  assert.equal(encodeCollapsed(decode({ maxStackDepth: 2 })), 'app;b 1\napp;c 1\n');
  assert.equal(decode({ maxSamples: 2 }).samples.length, 2);
  assert.throws(() => decode({ maxSamples: 1 }), /actual: 2, limit: 1/);
});
