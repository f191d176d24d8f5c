// SPDX-License-Identifier: Apache-2.0
//
// Names of JIT code of real processes: node's perf map and jitdump, other PID namespaces, and files that lie in wait.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeCodeSymbolizer } from './runtime-code-symbolizer.ts';
import { SymbolCounters } from './symbol-counters.ts';
import type { RuntimeCodeAnswer, RuntimeCodeRef } from './symbol-request.ts';
import { outermostNames } from './testing/named-frames.ts';
import { TestProcess } from './testing/process.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'hearthscope-runtime-code-')));
after(() => rmSync(directory, { recursive: true }));
const skip = process.getuid?.() === 0 ? false : 'needs root: /proc/PID/root';

const script = `
function busyFunction(n) { return n < 2 ? n : busyFunction(n - 1) + busyFunction(n - 2); }
busyFunction(27);
process.stdout.write('ready');
setInterval(() => busyFunction(5), 50);
`;

function start(counters = new SymbolCounters()): {
  ask: (ref: RuntimeCodeRef) => RuntimeCodeAnswer & { shown: string[] };
  counts: () => Record<string, number>;
  bytes: () => number;
} {
  const symbolizer = new RuntimeCodeSymbolizer({ counters });
  return {
    ask: (ref) => {
      const [answer] = symbolizer.symbolize([ref]);
      return { ...answer!, shown: outermostNames(answer!.frames) };
    },
    counts: () => counters.take().runtime_code ?? {},
    bytes: () => symbolizer.bytes,
  };
}

function startTimeOf(pid: number): bigint {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!) * 10_000_000n;
}

function refTo(pid: number, ...addresses: bigint[]): RuntimeCodeRef {
  return { pid, startTimeNanos: startTimeOf(pid), addresses: BigUint64Array.from(addresses) };
}

/** The newest start of a function in a perf map. */
function placeOf(map: string, name: RegExp): bigint {
  const line = readFileSync(map, 'utf8')
    .split('\n')
    .findLast((text) => name.test(text));
  return BigInt(`0x${line!.split(' ')[0]!.replace(/^0x/, '')}`);
}

/** A process that has a perf map of its own making. */
async function waiting(t: TestContext): Promise<{ pid: number; map: string }> {
  const child = await TestProcess.start('sh', ['-c', 'echo ready; exec sleep 60']);
  const map = `/tmp/perf-${child.pid}.map`;
  t.after(async () => {
    await child[Symbol.asyncDispose]();
    rmSync(map, { force: true });
  });
  return { pid: child.pid, map };
}

/** Else node leaves a log of its own in the working directory. */
const LOG_ASIDE = `--logfile=${join(directory, 'v8.log')}`;

test('functions that node compiled, by its perf map', { skip }, async (t) => {
  const node = await TestProcess.start(process.execPath, ['--perf-basic-prof', LOG_ASIDE, '-e', script]);
  const map = `/tmp/perf-${node.pid}.map`;
  t.after(async () => {
    await node[Symbol.asyncDispose]();
    rmSync(map, { force: true });
  });
  const { ask, counts } = start();
  const address = placeOf(map, /JS:\*'?busyFunction/);
  const answer = ask(refTo(node.pid, address, 1n));
  assert.match(answer.shown[0]!, /^JS:\*'?busyFunction /);
  assert.deepEqual([answer.shown[1], answer.failure], ['', '']);
  assert.equal(counts().perf_map_read, 1);
});

test('functions that node compiled, by its jitdump', { skip }, async () => {
  const args = ['--perf-prof', `--perf-prof-path=${directory}`, LOG_ASIDE, '-e', script];
  await using node = await TestProcess.start(process.execPath, args);
  const dump = readdirSync(directory).find((name) => name === `jit-${node.pid}.dump`);
  assert.ok(dump !== undefined);
  // The names stand in the file as text; the address is 24 bytes before, in the record's head. V8 writes when its buffer
  // is full.
  let bytes = Buffer.alloc(0);
  let head: number | undefined;
  for (let attempt = 0; head === undefined && attempt < 100; attempt++) {
    await sleep(100);
    bytes = readFileSync(join(directory, dump));
    head = [...bytes.toString('latin1').matchAll(/JS:[*^+]'?busyFunction/g)].at(-1)?.index;
  }
  assert.ok(head !== undefined, 'no code of the function was written');
  const { ask, counts } = start();
  const answer = ask(refTo(node.pid, bytes.readBigUInt64LE(head - 24)));
  assert.match(answer.shown[0]!, /busyFunction/);
  assert.equal(counts().jitdump_read, 1);
});

test('methods that Java compiled, by the perf map that jcmd writes', { skip }, async (t) => {
  if (spawnSync('jcmd', ['-h']).error !== undefined || spawnSync('javac', ['-version']).error !== undefined) {
    return t.skip('no JDK is installed (java, javac, jcmd)');
  }
  writeFileSync(
    join(directory, 'Busy.java'),
    `public class Busy {
  static long busyMethod(int n) { return n < 2 ? n : busyMethod(n - 1) + busyMethod(n - 2); }
  public static void main(String[] arguments) throws Exception {
    long sum = 0;
    for (int i = 0; i < 40; i++) sum += busyMethod(22);
    System.out.println("ready " + sum);
    System.out.flush();
    Thread.sleep(60000);
  }
}
`,
  );
  execFileSync('javac', ['-d', directory, join(directory, 'Busy.java')]);
  const java = await TestProcess.start('java', ['-cp', directory, 'Busy']);
  const map = `/tmp/perf-${java.pid}.map`;
  t.after(async () => {
    await java[Symbol.asyncDispose]();
    rmSync(map, { force: true });
  });
  const { ask, counts } = start();
  assert.deepEqual(ask(refTo(java.pid, 0x1000n)).failure, 'no_code_list');
  const { status } = spawnSync('jcmd', [`${java.pid}`, 'Compiler.perfmap']);
  if (status !== 0 || !existsSync(map)) return t.skip('this JDK has no Compiler.perfmap');
  const address = placeOf(map, /busyMethod/);
  assert.match(ask(refTo(java.pid, address)).shown[0]!, /Busy.*busyMethod/);
  execFileSync('jcmd', [`${java.pid}`, 'Compiler.perfmap'], { stdio: 'pipe' });
  assert.match(ask(refTo(java.pid, placeOf(map, /busyMethod/))).shown[0]!, /Busy.*busyMethod/);
  assert.ok(counts().perf_map_absent! >= 1);
});

test('the perf map of a process in another PID and mount namespace', { skip }, async (t) => {
  if (spawnSync('unshare', ['-mpf', 'true']).status !== 0) return t.skip('`unshare -mpf` fails here');
  const inside =
    'mount -t tmpfs none /tmp && echo "1000 10 inside_the_namespace" > /tmp/perf-1.map && echo ready && exec sleep 60';
  await using outer = await TestProcess.start('unshare', ['-mpf', '--mount-proc', 'sh', '-c', inside]);
  const child = Number(
    readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8').trim().split(' ')[0],
  );
  const { ask } = start();
  try {
    assert.deepEqual(ask(refTo(child, 0x1008n)).shown, ['inside_the_namespace']);
  } finally {
    process.kill(child, 'SIGKILL');
  }
});

test('a list that grows, is written anew, and whose process ends', { skip }, async (t) => {
  const { pid, map } = await waiting(t);
  const { ask, counts, bytes } = start();
  const ref = refTo(pid, 0x1000n, 0x2000n);
  assert.deepEqual([ask(ref).shown, ask(ref).failure], [['', ''], 'no_code_list']);
  writeFileSync(map, '1000 10 first\n');
  assert.deepEqual(ask(ref).shown, ['first', '']);
  appendFileSync(map, '2000 10 second\n1000 10 in the place of the first\n2000 10 un');
  assert.deepEqual(ask(ref).shown, ['in the place of the first', 'second']);
  // Written anew in place, and longer than before: what stood there is not what was read.
  truncateSync(map);
  writeFileSync(map, `${'5000 10 other\n'.repeat(50)}2000 10 anew\n`);
  assert.deepEqual(ask(ref).shown, ['', 'anew']);
  rmSync(map);
  writeFileSync(map, '1000 10 another file\n');
  assert.deepEqual(ask(ref).shown, ['another file', '']);
  assert.equal(counts().perf_map_written_anew, 2);
  assert.ok(bytes() > 1000);
  process.kill(pid, 'SIGKILL');
  while (existsSync(`/proc/${pid}/root/tmp`)) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(ask(ref).shown, ['another file', ''], 'what was read before still holds');
  assert.deepEqual(ask({ ...ref, startTimeNanos: 1n }).shown, ['', ''], 'but not for a later process');
  assert.ok(counts().process_gone! >= 1, 'a zombie still has its entry');
});

test('files of others, links, FIFOs and directories are not read', { skip }, async (t) => {
  const { pid, map } = await waiting(t);
  const { ask, counts } = start();
  const ref = refTo(pid, 0x1000n);
  const refusal = (): [string, Record<string, number>] => [ask(ref).shown[0]!, counts()];
  writeFileSync(map, '1000 10 forged\n');
  chownSync(map, 65534, 65534);
  assert.deepEqual(refusal(), ['', { perf_map_foreign_owner: 1 }]);
  chownSync(map, 0, 0);
  rmSync(map);

  const target = join(directory, 'target');
  writeFileSync(target, '1000 10 forged\n');
  symlinkSync(target, map);
  assert.deepEqual(refusal(), ['', { perf_map_not_regular: 1 }]);
  rmSync(map);
  execFileSync('mkfifo', [map]);
  assert.deepEqual(refusal(), ['', { perf_map_not_regular: 1 }]);
  rmSync(map);
  execFileSync('mkdir', [map]);
  assert.deepEqual(refusal(), ['', { perf_map_not_regular: 1 }]);
  rmSync(map, { recursive: true });
  writeFileSync(map, '');
  truncateSync(map, 3 * 1024 ** 3);
  assert.deepEqual(refusal(), ['', { perf_map_too_large: 1 }]);
  rmSync(map);
  linkSync(target, map);
  assert.deepEqual(
    refusal(),
    ['forged', { perf_map_read: 1 }],
    'a hard link to what root owns is a regular file',
  );
});

test('a large list is read in pieces', { skip }, async (t) => {
  const { pid, map } = await waiting(t);
  const name = 'n'.repeat(1000);
  const line = (i: number): string => `${(0x10000 + (i % 100) * 16).toString(16)} 10 ${name}${i}\n`;
  writeFileSync(map, Array.from({ length: 40_000 }, (_, i) => line(i)).join(''));
  const { ask } = start();
  const shown = [1, 2, 3].map(() => ask(refTo(pid, 0x10000n)).shown[0]!);
  assert.ok(new Set(shown).size === 3, 'three requests, each with some more');
  assert.equal(shown[2], `${name}39900`);
});
