// SPDX-License-Identifier: Apache-2.0
//
// Names of real processes: running, ended, deleted, replaced, in other mount namespaces.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BinarySymbolizer, type BinarySymbolizerOptions } from './binary-symbolizer.ts';
import { isSameDevice } from './mapped-file.ts';
import { SymbolCounters } from './symbol-counters.ts';
import type { BinaryAnswer, BinaryRef } from './symbol-request.ts';
import { outermostNames } from './testing/named-frames.ts';
import { buildProgram, locate, TestProcess } from './testing/process.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'hearthscope-symbolize-')));
after(() => rmSync(directory, { recursive: true }));

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'needs root: /proc/PID/map_files and mount namespaces';
/** Neither a container without CAP_SYS_ADMIN nor a chroot whose root is no mount point has them. */
const needsMountNamespaces =
  needsRoot ||
  (spawnSync('unshare', ['-m', 'true']).status === 0
    ? false
    : 'no mount namespaces here: `unshare -m true` fails');

/** An answer, with the name of the function at each address. */
type NamedAnswer = BinaryAnswer & { names: string[] };

function symbolizer(options: Partial<BinarySymbolizerOptions> = {}): {
  ask: (ref: BinaryRef) => NamedAnswer;
  all: (refs: BinaryRef[]) => NamedAnswer[];
  counts: () => Record<string, Record<string, number>>;
  cache: () => { bytes: number; tables: number };
} {
  const counters = new SymbolCounters();
  const binaries = new BinarySymbolizer({
    maxCacheBytes: 1 << 26,
    symbolize: 'host',
    demangle: 'full',
    lines: true,
    counters,
    ...options,
  });
  const all = (refs: BinaryRef[]): NamedAnswer[] =>
    binaries.symbolize(refs).map((answer) => ({ ...answer, names: outermostNames(answer.frames) }));
  return {
    ask: (ref) => all([ref])[0]!,
    all,
    counts: () => counters.take(),
    cache: () => binaries.cache,
  };
}

/** The ref of a mapping, asking for one symbol of the file. */
function refTo(process: TestProcess, path: string, symbol: string, suffix = path): BinaryRef {
  const { fileOffset: _, ...mapping } = process.executableMapping(suffix);
  return { ...mapping, fileOffsets: BigUint64Array.of(locate(path, symbol).fileOffset) };
}

test('a running process: own functions, libc, vdso, and what has no name', { skip: needsRoot }, async () => {
  const path = buildProgram(directory, 'running', 'find_me');
  await using process = await TestProcess.start(path);
  const { ask, counts } = symbolizer();
  const libc = realpathSync('/lib/x86_64-linux-gnu/libc.so.6');
  const { address, fileOffset } = locate(path, 'find_me');

  const own = ask({
    ...refTo(process, path, 'find_me'),
    fileOffsets: BigUint64Array.of(fileOffset, 0n, 1n << 40n),
  });
  assert.deepEqual(own.names, ['find_me', '', '']);
  assert.equal(own.elfAddresses[0], address);
  assert.equal(own.elfAddresses[2], 1n << 40n, 'the file offset where the address is unknown');
  assert.equal(own.failure, '');
  assert.match(own.buildId, /^[0-9a-f]{40}$/);
  assert.deepEqual(ask(refTo(process, libc, 'malloc')).names, ['malloc']);

  const { fileOffset: _, ...vdso } = process.executableMapping('[vdso]');
  const image = ask({
    ...vdso,
    fileOffsets: BigUint64Array.from({ length: 4096 }, (_value, i) => BigInt(i)),
  });
  assert.ok(image.names.includes('clock_gettime') || image.names.includes('__vdso_clock_gettime'));
  assert.deepEqual(counts(), {
    opened_files: { map_files: 2, vdso: 1 },
    debug_files: existsDebugFile(libc) ? { debug_used: 1, debug_absent: 1 } : { debug_absent: 2 },
    addresses: {
      named: 2 + image.names.filter((name) => name !== '').length,
      unnamed: 2 + image.names.filter((name) => name === '').length,
    },
  });
});

function existsDebugFile(path: string): boolean {
  const [, id] =
    /Build ID: ([0-9a-f]+)/.exec(execFileSync('readelf', ['-n', path], { encoding: 'utf8' })) ?? [];
  return existsSync(`/usr/lib/debug/.build-id/${id!.slice(0, 2)}/${id!.slice(2)}.debug`);
}

test('a stripped binary has the names of its separate debug file', { skip: needsRoot }, async (t) => {
  const libc = realpathSync('/lib/x86_64-linux-gnu/libc.so.6');
  if (!existsDebugFile(libc)) return t.skip('the debug file of libc is not installed (libc6-dbg)');
  const [, id] = /Build ID: ([0-9a-f]+)/.exec(execFileSync('readelf', ['-n', libc], { encoding: 'utf8' }))!;
  const debugFile = `/usr/lib/debug/.build-id/${id!.slice(0, 2)}/${id!.slice(2)}.debug`;
  await using process = await TestProcess.start(buildProgram(directory, 'stripped-libc', 'f'));
  const { ask } = symbolizer();
  // Static functions, which no dynamic symbol names.
  const symbols = execFileSync('nm', [debugFile], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const local = [...symbols.matchAll(/^([0-9a-f]{16}) t ([a-z]\w+)$/gm)].slice(0, 200);
  assert.ok(local.length > 50);
  const { fileOffset, ...mapping } = process.executableMapping('libc.so.6');
  const answer = ask({
    ...mapping,
    // libc's code lies at the same distance in the file and in memory.
    fileOffsets: BigUint64Array.from(local, ([, address]) => BigInt(`0x${address}`)),
  });
  assert.equal(fileOffset % 4096n, 0n);
  const named = local.filter(([, , name], i) => answer.names[i] === name).length;
  assert.ok(named >= local.length * 0.9, `${named} of ${local.length}, the others are aliases`);
});

test('a process that has ended keeps its names through the path', { skip: needsRoot }, async () => {
  const path = buildProgram(directory, 'ended', 'short_lived');
  let ref: BinaryRef;
  {
    await using process = await TestProcess.start(path);
    ref = refTo(process, path, 'short_lived');
  }
  const { ask, counts } = symbolizer();
  assert.deepEqual(ask(ref).names, ['short_lived']);
  assert.deepEqual(counts().opened_files, { host_path: 1 });
});

test('a deleted and replaced binary has the names of what was mapped', { skip: needsRoot }, async () => {
  const path = buildProgram(directory, 'replaced', 'before_the_update');
  const { fileOffset } = locate(path, 'before_the_update');
  let ref: BinaryRef;
  const { ask, counts } = symbolizer();
  {
    await using process = await TestProcess.start(path);
    unlinkSync(path);
    buildProgram(directory, 'replaced', 'after_the_update');
    const { fileOffset: _, ...mapping } = process.executableMapping(`${path} (deleted)`);
    ref = { ...mapping, fileOffsets: BigUint64Array.of(fileOffset) };
    assert.deepEqual(ask(ref).names, ['before_the_update']);
  }
  const late = ask(ref);
  assert.deepEqual([late.names, late.failure, late.elfAddresses], [[''], 'inode_mismatch', ref.fileOffsets]);
  assert.equal(counts().failures!.inode_mismatch, 1);
});

test('an inode number that was given to a newer file is noticed', { skip: needsRoot }, async () => {
  const path = buildProgram(directory, 'reused', 'newer');
  let ref: BinaryRef;
  {
    await using process = await TestProcess.start(path);
    ref = refTo(process, path, 'newer');
  }
  const { ask } = symbolizer();
  assert.equal(ask({ ...ref, seenAtUnixMillis: Date.now() }).failure, '');
  assert.equal(ask({ ...ref, seenAtUnixMillis: statSync(path).birthtimeMs - 1000 }).failure, 'replaced');
  utimesSync(path, new Date(), new Date(Date.now() + 3_600_000));
  assert.equal(
    ask({ ...ref, seenAtUnixMillis: Date.now() }).failure,
    '',
    'a time in the future proves nothing',
  );
});

test('a wrong inode or device is refused and counted', { skip: needsRoot }, async () => {
  const path = buildProgram(directory, 'wrong-inode', 'f');
  await using process = await TestProcess.start(path);
  const ref = refTo(process, path, 'f');
  const { ask, counts } = symbolizer();
  assert.equal(ask({ ...ref, inode: ref.inode + 1n }).failure, 'inode_mismatch');
  assert.equal(ask({ ...ref, device: 'ff:07', start: ref.start + 4096n }).failure, 'inode_mismatch');
  assert.deepEqual(counts().failures, { inode_mismatch: 2 });
  assert.ok(isSameDevice('fd:00', 0xfd00n) && !isSameDevice('fd:01', 0xfd00n));
  assert.ok(isSameDevice('103:100', 0x11_0300n), 'numbers of more than eight bits');
  assert.ok(isSameDevice('00:2a', 0xfe00n), 'file systems without a device of their own');
});

test('another mount namespace, found through map_files and through the root', {
  skip: needsMountNamespaces,
}, async (t) => {
  const path = buildProgram(directory, 'namespaced', 'in_a_namespace');
  const mountPoint = join(directory, 'mount');
  mkdirSync(mountPoint);
  const inside = join(mountPoint, 'program');
  const script = 'mount -t tmpfs none "$1" && cp "$2" "$3" && exec "$3"';
  let ref: BinaryRef;
  const { ask, all, counts } = symbolizer();
  {
    await using process = await TestProcess.start('unshare', [
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      mountPoint,
      path,
      inside,
    ]);
    assert.ok(!existsSync(inside), 'the file is not to be seen from here');
    ref = { ...refTo(process, path, 'in_a_namespace', inside) };
    if (ref.path !== inside) {
      return t.skip(`a chroot: paths of other mount namespaces begin at another root, ${ref.path}`);
    }
    assert.deepEqual(ask(ref).names, ['in_a_namespace']);
    const moved = { ...ref, start: ref.start + 4096n };
    assert.deepEqual(ask(moved).names, ['in_a_namespace'], 'when the mapping has changed since');
    assert.deepEqual(counts().opened_files, { map_files: 1, process_root: 1 });
    const gone = { ...ref, pid: 0x3fffff };
    assert.equal(ask(gone).failure, 'gone');
    assert.deepEqual(ask({ ...gone, siblingPids: [process.pid] }).names, ['in_a_namespace']);
    assert.deepEqual(
      all([gone, ref]).map(({ names }) => names),
      [['in_a_namespace'], ['in_a_namespace']],
      'two processes of one file: the one that lives answers for both',
    );
  }
  assert.equal(ask(ref).failure, 'gone');
});

test('links, devices, FIFOs and directories are not opened', { skip: needsRoot }, async () => {
  const path = buildProgram(directory, 'linked', 'f');
  const { ask } = symbolizer();
  const stat = statSync(path, { bigint: true });
  const refFor = (where: string, inode = stat.ino): BinaryRef => ({
    pid: 0x3fffff,
    start: 0n,
    limit: 0x1000n,
    device: '00:00',
    inode,
    path: where,
    fileOffsets: BigUint64Array.of(locate(path, 'f').fileOffset),
  });
  const link = join(directory, 'link');
  symlinkSync(path, link);
  symlinkSync(directory, join(directory, 'directory-link'));
  const hardLink = join(directory, 'hard-link');
  linkSync(path, hardLink);
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  assert.deepEqual(ask(refFor(hardLink)).names, ['f']);
  assert.equal(ask(refFor(link)).failure, 'not_regular');
  assert.equal(ask(refFor(join(directory, 'directory-link', 'linked'))).failure, 'gone');
  assert.equal(ask(refFor(fifo, statSync(fifo, { bigint: true }).ino)).failure, 'not_regular');
  assert.equal(ask(refFor('/dev/zero', 1n)).failure, 'not_regular');
  assert.equal(ask(refFor(directory)).failure, 'not_regular');
  assert.equal(ask(refFor(`${directory}/../${path}`)).failure, 'gone');
  assert.equal(ask(refFor(`/${'a/'.repeat(300)}b`)).failure, 'gone');
  for (const anonymous of ['', '[heap]', '[stack]', '//anon', '[anon:v8]']) {
    assert.equal(ask(refFor(anonymous)).failure, 'anonymous');
  }
});

/** A ref to a file that no process has mapped: found by its path. */
function refToFile(path: string, fileOffset = 0n): BinaryRef {
  const { ino } = statSync(path, { bigint: true });
  const fileOffsets = BigUint64Array.of(fileOffset);
  return { pid: 0x3fffff, start: 0n, limit: 0x1000n, device: '00:00', inode: ino, path, fileOffsets };
}

test('a file that is no ELF file is refused, and not parsed again until the refusal expires', () => {
  let now = 0;
  const { ask, counts } = symbolizer({ now: () => now });
  const path = join(directory, 'text');
  writeFileSync(path, 'x'.repeat(100));
  const ref = refToFile(path);
  assert.equal(ask(ref).failure, 'bad_elf');
  // The same inode, size and time, as for a file that was read while it was being written.
  const { atime, mtime } = statSync(path);
  const program = buildProgram(directory, 'written', 'f');
  writeFileSync(path, 'y'.repeat(100));
  utimesSync(path, atime, mtime);
  assert.equal(ask(ref).failure, 'bad_elf');
  copyFileSync(program, path);
  assert.equal(ask({ ...ref, fileOffsets: BigUint64Array.of(locate(program, 'f').fileOffset) }).failure, '');
  now += 11 * 60_000;
  assert.equal(counts().failures!.bad_elf, 2);
});

test('copies of one binary share a table; a foreign build id of somebody else is not trusted', (t) => {
  if (!isRoot) return t.skip('needs root to give files away');
  const original = buildProgram(directory, 'shared', 'genuine', ['-Wl,--build-id=0x0011223344']);
  const copy = join(directory, 'shared-copy');
  copyFileSync(original, copy);
  const forged = buildProgram(directory, 'forged_', 'forgery', ['-Wl,--build-id=0x0011223344']);
  execFileSync('chown', ['65534', forged]);
  const { ask, cache } = symbolizer();
  const offset = locate(original, 'genuine').fileOffset;
  assert.equal(locate(forged, 'forgery').fileOffset, offset);
  assert.deepEqual(ask(refToFile(forged, offset)).names, ['forgery']);
  assert.deepEqual(ask(refToFile(original, offset)).names, ['genuine']);
  assert.deepEqual(ask(refToFile(copy, offset)).names, ['genuine']);
  assert.equal(cache().tables, 2);
  // Even an exact copy is kept apart when it is not root's.
  const given = join(directory, 'shared-given');
  copyFileSync(original, given);
  execFileSync('chown', ['65534', given]);
  assert.deepEqual(ask(refToFile(given, offset)).names, ['genuine']);
  assert.equal(cache().tables, 3);
});

test('the cache stays within its limit, whatever comes', () => {
  const maxCacheBytes = 100_000;
  const { ask, cache, counts } = symbolizer({ maxCacheBytes });
  for (let i = 0; i < 8; i++) {
    const path = buildProgram(directory, `cached${i}`, `f${i}`, i % 2 === 0 ? [] : ['-Wl,--build-id=none']);
    const { fileOffset } = locate(path, `f${i}`);
    for (let repeat = 0; repeat < 3; repeat++) {
      assert.deepEqual(ask(refToFile(path, fileOffset)).names, [`f${i}`]);
      assert.ok(cache().bytes <= maxCacheBytes);
    }
  }
  assert.ok(cache().tables >= 2 && cache().tables < 8);
  // Far over the limit: answered, but not kept.
  const { tables } = cache();
  const node = realpathSync(process.execPath);
  assert.deepEqual(ask(refToFile(node, locate(node, 'main').fileOffset)).names, ['main']);
  assert.equal(cache().tables, tables);
  assert.ok(counts().cache_evictions!.full! > 0);
});

test('a binary without any symbols says so and keeps its addresses', () => {
  const path = buildProgram(directory, 'nameless', 'f');
  const { address, fileOffset } = locate(path, 'f');
  execFileSync('strip', ['-R', '.dynsym', '-s', path]);
  const renamed = `${path}-renamed`;
  renameSync(path, renamed);
  const answer = symbolizer().ask(refToFile(renamed, fileOffset));
  assert.equal(answer.names[0], '');
  assert.equal(answer.elfAddresses[0], address);
  assert.notEqual(answer.buildId, '');
});

test('a quarantined binary is not touched', () => {
  const path = buildProgram(directory, 'quarantined', 'f');
  const ref = refToFile(path);
  const touched: string[] = [];
  const { ask } = symbolizer({
    quarantined: new Set([`${ref.device} ${ref.inode} ${ref.path}`]),
    onReading: (binary) => touched.push(binary),
  });
  assert.equal(ask(ref).failure, 'quarantined');
  assert.deepEqual(touched, []);
});
