// SPDX-License-Identifier: Apache-2.0
//
// Unwinding on the real kernel: a program without frame pointers, by a table written by hand; and the memory of tables.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NativeError, type ProcessEvent, Sampler, type SamplerOptions, STOP_REASONS } from './index.ts';
import { FramelessProgram } from './testing/frameless-program.ts';
import { command, tableOf } from './testing/simulated-walk.ts';
import { cannotSample, type RunningWorkload, type Stack, samplesIn, stacksOf } from './testing/workload.ts';

const skip = cannotSample();
const program = skip === false ? new FramelessProgram() : null!;
after(() => program?.remove());

const PAGE_BYTES = 4096n;
const NOT_BUILT = -2;

function start(t: { after(work: () => void): void }, options: Partial<SamplerOptions>): Sampler {
  const sampler = Sampler.start({
    frequencyHz: 499,
    excludeSelf: true,
    onProcessEvents: () => {},
    ...options,
  });
  t.after(() => sampler.stop());
  return sampler;
}

function run(t: { after(work: () => void): void }): RunningWorkload {
  const workload = program.run();
  t.after(() => workload.child.kill());
  return workload;
}

/** Says of the program what its snapshot and the table (an id, or -1 to -3) say. */
function setMappings(sampler: Sampler, event: ProcessEvent, table: number): void {
  const own = event.snapshot!.mappings.filter(({ path }) => path === program.path);
  sampler.setProcessMappings(event.pid, event.startTimeNanos, event.generation, {
    starts: BigUint64Array.from(own, ({ start: address }) => address),
    pageCounts: Uint32Array.from(own, ({ start: address, limit }) => Number((limit - address) / PAGE_BYTES)),
    tables: new Int32Array(own.length).fill(table),
    firstPages: Int32Array.from(own, ({ start: address }) => Number(address / PAGE_BYTES)),
  });
}

/** Stacks of the program itself, not of what it was before exec. */
function programStacks(stacks: Stack[], pid: number): Stack[] {
  return stacks.filter((stack) => stack.pid === pid && stack.comm === 'frameless');
}

function shapeOf({ userFrames, stopReason }: Stack): string {
  return [...userFrames.map((address) => program.functionOf(address)), STOP_REASONS[stopReason]].join(' ');
}

const isOfProgram = (event: ProcessEvent) =>
  event.snapshot?.mappings.some(({ path }) => path === program.path) === true;

test('a program without frame pointers is walked by its table, from its first sample on', {
  skip,
}, async (t) => {
  const sampler: Sampler = start(t, {
    onProcessEvents: (events) => {
      for (const event of events.filter(isOfProgram)) setMappings(sampler, event, table);
    },
  });
  const table = sampler.addUnwindTable(program.table());
  const workload = run(t);
  await sleep(500);
  workload.child.kill();
  await workload.finished;
  const stacks = [...stacksOf(sampler.takeBatch()), ...stacksOf(sampler.takeBatch())];
  const shapes = new Map<string, number>();
  const own = programStacks(stacks, workload.pid).filter(
    (stack) => STOP_REASONS[stack.stopReason] !== 'no_user_stack',
  );
  for (const stack of own) shapes.set(shapeOf(stack), (shapes.get(shapeOf(stack)) ?? 0) + stack.count);
  const complete = shapes.get('inner outer _start end_of_stack') ?? 0;
  t.diagnostic(JSON.stringify([...shapes]));
  assert.ok(complete > 50);
  // What else there is are samples of the beginning, in exec and before the first call.
  assert.ok(complete >= 0.97 * samplesIn(own));
  assert.ok(sampler.counters().captures! > 0, 'its first samples came before its mappings');
});

test('a stack that leads to a table not built yet waits for it', { skip }, async (t) => {
  const wanted: ProcessEvent[] = [];
  let known: ProcessEvent | undefined;
  const sampler: Sampler = start(t, {
    onProcessEvents: (events) => {
      for (const event of events) {
        if (isOfProgram(event)) {
          known = event;
          setMappings(sampler, event, NOT_BUILT);
        }
        if (event.kind === 'needs-table') wanted.push(event);
      }
    },
  });
  const workload = run(t);
  await sleep(300);
  const early = programStacks(stacksOf(sampler.takeBatch()), workload.pid);
  assert.ok(!early.some((stack) => STOP_REASONS[stack.stopReason] === 'end_of_stack'));
  assert.ok(sampler.unwindUsage().capturedBytes > 0);
  const asked = wanted.filter(({ pid }) => pid === workload.pid);
  assert.ok(asked.length >= 1);
  assert.equal(program.functionOf(asked[0]!.address), 'inner');
  assert.ok(asked.length <= 3, 'not for each sample');

  setMappings(sampler, known!, sampler.addUnwindTable(program.table()));
  const late = programStacks(stacksOf(sampler.takeBatch()), workload.pid);
  assert.ok(late.some((stack) => shapeOf(stack) === 'inner outer _start end_of_stack'));
  const { captures_walked, captures_expired } = sampler.counters();
  assert.ok(captures_walked! >= 10, `${captures_walked} walked, ${captures_expired} expired`);
});

test('a table that is never built costs a stack its frames, not the sample', { skip }, async (t) => {
  const sampler: Sampler = start(t, {
    onProcessEvents: (events) => {
      for (const event of events.filter(isOfProgram)) setMappings(sampler, event, NOT_BUILT);
    },
  });
  const workload = run(t);
  await sleep(1200);
  workload.child.kill();
  await workload.finished;
  const waited = programStacks(stacksOf(sampler.takeBatch()), workload.pid);
  sampler.stop();
  const rest = programStacks(stacksOf(sampler.takeBatch()), workload.pid);
  const pending = [...waited, ...rest].filter((stack) => shapeOf(stack) === 'inner table_pending');
  assert.ok(samplesIn(pending) > 50);
  assert.ok(sampler.counters().captures_expired! > 10);
  assert.ok(sampler.counters().captures_refused! > 0, 'no more than its share is kept');
});

test('a removed table is asked for again', { skip }, async (t) => {
  const wanted: ProcessEvent[] = [];
  const sampler: Sampler = start(t, {
    onProcessEvents: (events) => {
      for (const event of events.filter(isOfProgram)) setMappings(sampler, event, table);
      wanted.push(...events.filter(({ kind }) => kind === 'needs-table'));
    },
  });
  const table = sampler.addUnwindTable(program.table());
  const workload = run(t);
  await sleep(200);
  sampler.takeBatch();
  assert.ok(!wanted.some(({ pid }) => pid === workload.pid));
  sampler.removeUnwindTable(table);
  await sleep(200);
  sampler.takeBatch();
  assert.equal(wanted.filter(({ pid }) => pid === workload.pid).length, 1);
  assert.throws(() => sampler.removeUnwindTable(table), { name: 'NativeError', code: 'EINVAL' });
});

test('memory for tables has a limit, and what is removed can be used again', { skip }, (t) => {
  const sampler = start(t, { maxUnwindBytes: 4 * 1024 * 1024 });
  const machine = program.table().machine;
  // 512 pages of 256 rows: half a MiB, and 4 KiB of pages.
  const entries = Array.from({ length: 512 * 256 }, (_, i): [number, number] => [
    i * 16 + 8,
    i % 2 === 0 ? command.end : command.framePointer,
  ]);
  const table = tableOf(machine, 512, entries);
  const ids: number[] = [];
  const fill = (): NativeError => {
    try {
      for (;;) ids.push(sampler.addUnwindTable(table));
    } catch (error) {
      return error as NativeError;
    }
  };
  const { code, message } = fill();
  assert.equal(code, 'ENOSPC', message);
  assert.match(message, /maxUnwindBytes/);
  assert.equal(ids.length, 7);
  assert.ok(sampler.unwindUsage().tableBytes <= 4 * 1024 * 1024);
  assert.equal(sampler.unwindUsage().tables, 7);
  for (let round = 0; round < 3; round++) {
    sampler.removeUnwindTable(ids.shift()!);
    ids.push(sampler.addUnwindTable(table));
  }
  for (const id of ids) sampler.removeUnwindTable(id);
  assert.equal(sampler.unwindUsage().tableBytes, 0);
  const { bpfMapBytes } = sampler.unwindUsage();
  assert.ok(bpfMapBytes > 4 * 1024 * 1024 && bpfMapBytes < 32 * 1024 * 1024, `${bpfMapBytes} bytes of maps`);
});

test('columns of wrong types, lengths and machines are refused', { skip }, (t) => {
  const sampler = start(t, {});
  const table = program.table();
  const add = (change: object) => () => sampler.addUnwindTable({ ...table, ...change });
  const refused = { name: 'NativeError', code: 'EINVAL' };
  assert.throws(add({ machine: table.machine === 'arm64' ? 'x86-64' : 'arm64' }), refused);
  assert.throws(add({ rowRule: new Uint32Array(3) }), {
    ...refused,
    message: /rowRule must be a Uint16Array/,
  });
  assert.throws(add({ rowOffset: new Uint16Array(1) }), { ...refused, message: /rowOffset has 1 entries/ });
  assert.throws(add({ pageFirstRow: new Uint32Array(1) }), refused);
  assert.throws(add({ rules: new Uint8Array(17) }), refused);
  const set = (count: number, change: object) => () =>
    sampler.setProcessMappings(1, 1n, 0, {
      starts: new BigUint64Array(count).map((_, i) => BigInt(i + 1) * 8192n),
      pageCounts: new Uint32Array(count).fill(1),
      tables: new Int32Array(count).fill(-1),
      firstPages: new Int32Array(count),
      ...change,
    });
  set(4096, {})();
  assert.throws(set(4097, {}), { ...refused, message: /number of mappings/ });
  assert.throws(set(2, { tables: new Int32Array(1) }), refused);
  assert.throws(set(1, { starts: BigUint64Array.of(4097n) }), { ...refused, message: /misaligned/ });
  assert.equal(sampler.unwindUsage().processes, 1);
  sampler.forgetProcess(1, 1n);
  assert.equal(sampler.unwindUsage().processes, 0);
});

test('the event that ticks can be chosen and asked for', { skip }, (t) => {
  assert.equal(start(t, { event: 'cpu-clock' }).event, 'cpu-clock');
  assert.match(start(t, {}).event, /^(cycles|cpu-clock)$/);
  assert.throws(() => start(t, { event: 'instructions' as 'auto' }), {
    code: 'EINVAL',
    message: /event must be/,
  });
});
