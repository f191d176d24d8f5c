// SPDX-License-Identifier: Apache-2.0
//
// The sampler on the real kernel: each test samples a program whose behaviour is known.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { NativeError, type SampleBatch, Sampler, type SamplerOptions, STOP_REASONS } from './index.ts';
import {
  cannotSample,
  EventLog,
  RunningWorkload,
  samplesIn,
  stacksOf,
  WorkloadProgram,
  walkByFramePointers,
} from './testing/workload.ts';

const skip = cannotSample();
const program = skip === false ? new WorkloadProgram() : null!;
after(() => program?.remove());

const BEGIN_OF_KERNEL_ADDRESSES = 2n ** 63n;
const NANOS_PER_TICK = 10_000_000n;

function start(t: { after(work: () => void): void }, options: Partial<SamplerOptions> = {}): Sampler {
  const sampler: Sampler = Sampler.start({
    frequencyHz: 499,
    excludeSelf: true,
    ...options,
    onProcessEvents: (events) => {
      options.onProcessEvents?.(events);
      walkByFramePointers(sampler, events);
    },
  });
  t.after(() => sampler.stop());
  return sampler;
}

/** Pids with more samples than a process gets that only starts others. */
function pidsWithSamples(batch: SampleBatch): number[] {
  const samples = new Map<number, number>();
  for (const { pid, count } of stacksOf(batch)) samples.set(pid, (samples.get(pid) ?? 0) + count);
  return [...samples].filter(([, count]) => count > 20).map(([pid]) => pid);
}

/** Keeps this process busy for this much CPU time. */
function burnHere(cpuMillis: number): void {
  const before = process.cpuUsage();
  while (process.cpuUsage(before).user < cpuMillis * 1000);
}

test('a busy program is sampled with its identity and its CPU time', { skip }, async (t) => {
  const sampler = start(t, { frequencyHz: 999 });
  const workload = program.run('burn', 1500);
  const { cpuMillis } = await workload.finished;
  const batch = sampler.takeBatch();
  const stacks = stacksOf(batch).filter((stack) => stack.pid === workload.pid);

  // Its first samples may be from before exec, when it was still a copy of this process.
  const burning = stacks.filter((stack) => stack.comm === 'workload');
  assert.ok(samplesIn(burning) > 0.9 * samplesIn(stacks));
  for (const stack of stacks) {
    assert.equal(stack.tid, workload.pid);
    assert.equal(Number(stack.startTimeNanos / NANOS_PER_TICK), workload.startTicks);
    assert.ok(stack.cgroupId >= 1n);
  }
  // A clock that ticks every 1.001 ms hits a program that runs without pause to within a tick per time slice. Slices
  // are 3 ms or longer where it shares its CPU, and errors of both signs cancel: 5 % is far outside.
  const expected = (cpuMillis * 999) / 1000;
  const samples = samplesIn(stacks);
  assert.ok(Math.abs(samples - expected) < 0.05 * expected, `${samples} samples, ${expected} expected`);
  assert.ok(batch.endUnixNanos - batch.startUnixNanos > 1_500_000_000n);
  assert.equal(batch.frequencyHz, 999);
});

test('kernel frames come first, user frames behind them', { skip }, async (t) => {
  const sampler = start(t);
  const workload = program.run('system', 400);
  await workload.finished;
  const own = stacksOf(sampler.takeBatch()).filter((stack) => stack.pid === workload.pid);
  const stacks = own.filter((stack) => stack.comm === 'workload');
  const inKernel = stacks.filter((stack) => stack.kernelFrames.length > 0);
  assert.ok(samplesIn(inKernel) > 0.5 * samplesIn(stacks), 'mostly in the kernel');
  for (const stack of inKernel) {
    assert.ok(stack.kernelFrames.every((address) => address >= BEGIN_OF_KERNEL_ADDRESSES));
  }
  assert.ok(
    stacks.every((stack) => stack.userFrames.every((address) => address < BEGIN_OF_KERNEL_ADDRESSES)),
  );
  assert.ok(
    inKernel.some((stack) => stack.userFrames.length >= 2),
    'user stacks are found below system calls',
  );
});

test('a stack deeper than the limit is cut and says so', { skip }, async (t) => {
  const sampler = start(t);
  const deep = program.run('recurse', 300, 700);
  const shallow = program.run('recurse', 300, 60);
  await Promise.all([deep.finished, shallow.finished]);
  const pids = [deep.pid, shallow.pid];
  const stacks = stacksOf(sampler.takeBatch()).filter((stack) => pids.includes(stack.pid));
  const cut = stacks.filter((stack) => STOP_REASONS[stack.stopReason] === 'truncated_max_frames');
  assert.ok(cut.length > 0);
  assert.ok(cut.every((stack) => stack.pid === deep.pid && stack.userFrames.length === 512));
  assert.ok(sampler.counters().user_stack_truncated! >= samplesIn(cut));
  const deepest = Math.max(...stacks.filter((s) => s.pid === shallow.pid).map((s) => s.userFrames.length));
  assert.ok(deepest >= 62 && deepest < 512, `60 recursions give ${deepest} frames`);
});

test('each tick of the clock is accounted for; the idle task is not stored', { skip }, async (t) => {
  const sampler = start(t);
  await program.run('burn', 300).finished;
  sampler.stop();
  const counters = sampler.counters();
  const { ticks, idle, self_excluded, filtered, samples, lost_ring_full, lost_batch_full } = counters;
  assert.equal(ticks, idle! + self_excluded! + filtered! + samples! + lost_ring_full!);
  const stacks = stacksOf(sampler.takeBatch());
  assert.equal(samplesIn(stacks), samples! - lost_batch_full!);
  assert.ok(stacks.every((stack) => stack.pid !== 0));
});

test('this process is left out on request, and seen by a second sampler without', { skip }, async (t) => {
  const without = start(t);
  const withSelf = start(t, { excludeSelf: false });
  burnHere(300);
  assert.ok(stacksOf(without.takeBatch()).every((stack) => stack.pid !== process.pid));
  assert.ok(without.counters().self_excluded! > 50);
  const self = stacksOf(withSelf.takeBatch()).filter((stack) => stack.pid === process.pid);
  assert.ok(samplesIn(self) > 50);
});

test('only followed processes and their descendants are sampled', { skip }, async (t) => {
  const born = program.run('grandchild', 600);
  const stranger = program.run('burn', 500);
  await sleep(100); // the grandchild lives before the sampler does
  const ofOne = start(t, { follow: [{ pid: born.pid, sampleItself: true }] });
  const ofOurs = start(t, { follow: [{ pid: process.pid, sampleItself: false }], excludeSelf: false });
  const later = program.run('grandchild', 300);
  burnHere(100);
  await Promise.all([born.finished, stranger.finished, later.finished]);

  const pidsOfOne = pidsWithSamples(ofOne.takeBatch());
  assert.ok(pidsOfOne.length >= 1, 'a grandchild that lived already');
  assert.ok(!pidsOfOne.includes(stranger.pid) && !pidsOfOne.includes(process.pid));
  assert.ok(ofOne.counters().filtered! > 50, 'the stranger was filtered');

  const pidsOfOurs = pidsWithSamples(ofOurs.takeBatch());
  assert.ok(pidsOfOurs.includes(stranger.pid), 'a child that lived already');
  assert.ok(!pidsOfOurs.includes(process.pid), 'the recorder itself is not sampled');
  assert.ok(pidsOfOurs.length >= 3, 'the stranger and both grandchildren');
});

test('a process can be followed later, and no longer', { skip }, async (t) => {
  const sampler = start(t, { follow: [] });
  const workload = program.run('burn', 600);
  await sleep(150);
  assert.equal(sampler.takeBatch().length, 0);
  sampler.follow({ pid: workload.pid, sampleItself: true });
  await sleep(200);
  assert.ok(stacksOf(sampler.takeBatch()).some((stack) => stack.pid === workload.pid));
  sampler.unfollow(workload.pid);
  sampler.takeBatch();
  await workload.finished;
  assert.equal(sampler.takeBatch().length, 0);
  assert.throws(() => start(t).follow({ pid: process.pid, sampleItself: true }), { code: 'EINVAL' });
});

test('the first sight of a process brings its mappings before its first sample', { skip }, async (t) => {
  const log = new EventLog();
  const sampler = start(t, { onProcessEvents: log.record });
  const workload = program.run('burn', 200);
  const { ino } = statSync(program.path);
  await workload.finished;
  const announcedLate: number[] = [];
  for (const stack of stacksOf(sampler.takeBatch())) {
    if (log.of(stack.pid, 'first-seen').length === 0) announcedLate.push(stack.pid);
  }
  // What is first sampled while it dies already is not announced.
  assert.ok(announcedLate.length <= sampler.counters().exiting_unannounced!);

  const events = log.of(workload.pid);
  assert.equal(events[0]?.kind, 'first-seen');
  assert.equal(events.at(-1)?.kind, 'exit');
  const snapshot = events.findLast((event) => event.snapshot !== null)!.snapshot!;
  assert.equal(snapshot.exe, program.path);
  assert.match(snapshot.cgroup, /^\d+:.*:\//m);
  assert.equal(snapshot.mapsTruncated, false);
  const own = snapshot.mappings.filter((mapping) => mapping.path === program.path);
  assert.equal(own.length, 1);
  assert.equal(own[0]!.inode, BigInt(ino));
  assert.match(own[0]!.device, /^[0-9a-f]+:[0-9a-f]+$/);
  assert.ok(snapshot.mappings.some((mapping) => mapping.path === '[vdso]'));
  const starts = snapshot.mappings.map((mapping) => mapping.start);
  assert.deepEqual(
    starts,
    starts.toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test('exec, changed mappings and exit of a known process are announced', { skip }, async (t) => {
  const log = new EventLog();
  const sampler = start(t, { onProcessEvents: log.record });
  const execs = program.run('exec', 150);
  const maps = program.run('map', 200);
  await Promise.all([execs.finished, maps.finished]);
  sampler.takeBatch();
  const kinds = log.of(execs.pid).map((event) => event.kind);
  assert.ok(kinds.includes('exec') && kinds.at(-1) === 'exit', kinds.join());
  assert.equal(log.of(execs.pid, 'exec').at(-1)!.comm, 'exe');

  const mapped = log.of(maps.pid, 'mapped').at(-1);
  assert.ok(mapped?.snapshot, 'the new mapping was announced');
  assert.equal(mapped.snapshot.mappings.filter((mapping) => mapping.path === program.path).length, 2);
  assert.equal(log.of(maps.pid, 'exit').length, 1);
});

test('threads outlive their leader with mappings and one exit', { skip }, async (t) => {
  const log = new EventLog();
  const sampler = start(t, { onProcessEvents: log.record });
  const workload = program.run('leaderless', 300);
  await workload.finished;
  const stacks = stacksOf(sampler.takeBatch()).filter((stack) => stack.pid === workload.pid);
  assert.ok(stacks.some((stack) => stack.comm === 'second' && stack.tid !== workload.pid));
  const snapshot = log.of(workload.pid).findLast((event) => event.snapshot !== null)?.snapshot;
  assert.ok(snapshot?.mappings.some((mapping) => mapping.path === program.path));
  assert.equal(log.of(workload.pid, 'exit').length, 1);
});

test('names with spaces, parentheses, newlines and " (deleted)" are read right', { skip }, async (t) => {
  const log = new EventLog();
  const sampler = start(t, { onProcessEvents: log.record });
  const path = program.copyAs('a) S 1\n(deleted) é');
  const workload = new RunningWorkload(path, ['burn', '200']);
  await workload.finished;
  sampler.takeBatch();
  const event = log.of(workload.pid).findLast((candidate) => candidate.snapshot !== null)!;
  assert.equal(event.snapshot!.exe, path);
  assert.equal(event.comm, 'a) S 1\n(deleted');
  assert.ok(event.snapshot!.mappings.some((mapping) => mapping.path === path.replace('\n', '\\012')));
});

test('mappings beyond the limit are left out and the snapshot says so', { skip }, async (t) => {
  const log = new EventLog();
  const sampler = start(t, { onProcessEvents: log.record });
  const few = program.run('mappings', 200, 4000);
  const many = program.run('mappings', 200, 4100);
  await Promise.all([few.finished, many.finished]);
  sampler.takeBatch();
  const last = (pid: number) => log.of(pid).findLast((event) => event.snapshot !== null)!.snapshot!;
  assert.equal(last(few.pid).mapsTruncated, false);
  assert.ok(last(few.pid).mappings.length > 4000);
  assert.equal(last(many.pid).mapsTruncated, true);
  assert.equal(last(many.pid).mappings.length, 4096);
  assert.ok(sampler.counters().snapshots_truncated! > 0);
});

test('of programs that live 50 ms, 95 % of those sampled keep their mappings', { skip }, async (t) => {
  const log = new EventLog();
  const sampler = start(t, { frequencyHz: 99, onProcessEvents: log.record });
  const pids = new Set<number>();
  for (let round = 0; round < 100; round++) {
    const pair = [program.run('burn', 50), program.run('burn', 50)];
    for (const workload of pair) pids.add(workload.pid);
    await Promise.all(pair.map((workload) => workload.finished));
  }
  let samples = 0;
  let covered = 0;
  const sampled = new Set<number>();
  const kept = new Set<number>();
  for (const stack of stacksOf(sampler.takeBatch())) {
    if (!pids.has(stack.pid)) continue;
    sampled.add(stack.pid);
    samples += stack.count;
    const leaf = stack.userFrames[0];
    const mappings = log.of(stack.pid).flatMap((event) => event.snapshot?.mappings ?? []);
    if (mappings.some((mapping) => mapping.path === program.path)) kept.add(stack.pid);
    const named = leaf === undefined || mappings.some((m) => m.start <= leaf && leaf < m.limit);
    if (named) covered += stack.count;
  }
  t.diagnostic(`${sampled.size} of 200 sampled, ${kept.size} with the program's mapping`);
  t.diagnostic(`${samples} samples, ${covered} whose leaf lies in a known mapping`);
  const { snapshots_missed, exiting_unannounced } = sampler.counters();
  t.diagnostic(`snapshots missed ${snapshots_missed}, first seen while exiting ${exiting_unannounced}`);
  assert.ok(sampled.size > 150);
  assert.ok(kept.size >= 0.95 * sampled.size);
  assert.ok(covered >= 0.95 * samples);
});

test('a ring that is too small loses samples and counts them', { skip }, async (t) => {
  const sampler = start(t, { frequencyHz: 999, ringBytes: 4096, drainIntervalMillis: 10_000 });
  await program.run('burn', 400).finished;
  const { lost_ring_full, samples } = sampler.counters();
  assert.ok(lost_ring_full! > 100);
  const batch = sampler.takeBatch();
  sampler.stop();
  const late = sampler.takeBatch(); // those whose stacks waited to be walked
  assert.ok(samplesIn(stacksOf(batch)) + samplesIn(stacksOf(late)) >= samples!, 'what was accepted arrives');
  assert.ok(batch.length > 0);
});

test('a batch at its limit of stacks counts what it drops', { skip }, async (t) => {
  const sampler = start(t, { maxStacksPerBatch: 3 });
  await Promise.all([program.run('burn', 200).finished, program.run('recurse', 200, 5).finished]);
  sampler.stop();
  const batch = sampler.takeBatch();
  const { lost_batch_full, samples } = sampler.counters();
  assert.equal(batch.length, 3);
  assert.ok(lost_batch_full! > 0);
  assert.equal(samplesIn(stacksOf(batch)) + lost_batch_full!, samples);
});

test('a full process table announces again and counts it', { skip }, async (t) => {
  const log = new EventLog();
  const sampler = start(t, { maxProcesses: 1, onProcessEvents: log.record });
  const both = [program.run('burn', 200), program.run('burn', 200)];
  await Promise.all(both.map((workload) => workload.finished));
  sampler.takeBatch();
  assert.ok(sampler.counters().process_table_full! > 0);
  for (const { pid } of both) assert.ok(log.of(pid, 'first-seen').length > 0);
});

test('stop detaches, keeps what was sampled, and may be called again', { skip }, async (t) => {
  const sampler = start(t, { drainIntervalMillis: 10_000 });
  const workload = program.run('burn', 200);
  await workload.finished;
  assert.ok(sampler.onlineCpus().length > 0);
  sampler.stop();
  sampler.stop();
  assert.ok(stacksOf(sampler.takeBatch()).some((stack) => stack.pid === workload.pid));
  assert.equal(sampler.takeBatch().length, 0);
  assert.deepEqual(sampler.onlineCpus(), []);
  const { ticks } = sampler.counters();
  assert.ok(ticks! > 0);
  await sleep(50);
  assert.equal(sampler.counters().ticks, ticks);
});

test('run statistics and verified instructions are reported by program', { skip }, async (t) => {
  const sampler = start(t, { runStatistics: true });
  await program.run('burn', 100).finished;
  const { sample_stack, process_exit } = sampler.programStats();
  assert.ok(sample_stack!.runCount > 0 && sample_stack!.runTimeNanos > 0);
  assert.ok(sample_stack!.verifiedInstructions > 0);
  assert.ok(process_exit!.runCount > 0);
});

test('a profiler that interrupts this process does not keep the programs from loading', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hearthscope-signals-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const door = new URL('./index.ts', import.meta.url).href;
  const script = `
    import { Sampler } from '${door}';
    Sampler.start({ frequencyHz: 19, excludeSelf: true, onProcessEvents: () => {} }).stop();`;
  const flags = ['--cpu-prof', '--cpu-prof-interval=100', `--cpu-prof-dir=${folder}`, '--input-type=module'];
  execFileSync(process.execPath, [...flags, '--eval', script], { stdio: 'pipe' });
});

test('options out of range are refused by name', { skip }, () => {
  const bad: [Partial<SamplerOptions>, RegExp][] = [
    [{ frequencyHz: 0 }, /frequencyHz must be a whole number from 1 to 999, not 0/],
    [{ frequencyHz: 1000 }, /frequencyHz/],
    [{ frequencyHz: 19.5 }, /frequencyHz/],
    [{ ringBytes: 5000 }, /ringBytes must be a power of two/],
    [{ ringBytes: 2048 }, /ringBytes must be a whole number/],
    [{ drainIntervalMillis: 9 }, /drainIntervalMillis/],
    [{ maxStacksPerBatch: 0 }, /maxStacksPerBatch/],
    [{ follow: [{ pid: -1, sampleItself: true }] }, /pid to follow/],
  ];
  for (const [options, message] of bad) {
    const all = { frequencyHz: 19, excludeSelf: true, onProcessEvents: () => {}, ...options };
    assert.throws(
      () => Sampler.start(all),
      (error: NativeError) =>
        error instanceof NativeError && error.code === 'EINVAL' && message.test(error.message),
    );
  }
  assert.throws(
    () =>
      Sampler.start({
        frequencyHz: 19,
        excludeSelf: true,
        follow: [{ pid: 4_194_303, sampleItself: true }],
        onProcessEvents: () => {},
      }),
    { name: 'NativeError', code: 'ESRCH' },
  );
});

test('a worker that ends while it samples takes its sampler with it', { skip }, async () => {
  const code = `import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}).then(({ Sampler }) => {
    Sampler.start({ frequencyHz: 499, excludeSelf: false, onProcessEvents() {} });
    require('node:worker_threads').parentPort.postMessage('sampling');
    setInterval(() => {}, 1000);
  });`;
  const worker = new Worker(code, { eval: true });
  await once(worker, 'message');
  assert.equal(await worker.terminate(), 1);
});
