// SPDX-License-Identifier: Apache-2.0
//
// Where the files that describe a binary are found, and which of them are refused: with real files, made by the tools
// that distributions use.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { BinarySymbolizer } from './binary-symbolizer.ts';
import { isUsableBuildId } from './debug-files.ts';
import { SymbolCounters } from './symbol-counters.ts';
import type { BinaryAnswer, BinaryRef, NamingOptions } from './symbol-request.ts';
import { outermostNames } from './testing/named-frames.ts';
import { buildProgram, locate, TestProcess } from './testing/process.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'hearthscope-debug-files-')));
after(() => rmSync(directory, { recursive: true }));
const isRoot = process.getuid?.() === 0;

type Shown = BinaryAnswer & { names: string[]; counts: Record<string, number> };

/** Asks a fresh symbolizer, so that nothing is remembered. */
function ask(ref: BinaryRef, options: Partial<NamingOptions> = {}): Shown {
  const counters = new SymbolCounters();
  const naming: NamingOptions = { symbolize: 'host', demangle: 'full', lines: true, ...options };
  const [answer] = new BinarySymbolizer({ maxCacheBytes: 1 << 26, counters, ...naming }).symbolize([ref]);
  return { ...answer!, names: outermostNames(answer!.frames), counts: counters.take().debug_files ?? {} };
}

function refToFile(path: string, ...fileOffsets: bigint[]): BinaryRef {
  const { ino } = statSync(path, { bigint: true });
  return {
    pid: 0x3fffff,
    start: 0n,
    limit: 0x1000n,
    device: '00:00',
    inode: ino,
    path,
    fileOffsets: BigUint64Array.from(fileOffsets),
  };
}

/** A folder with a stripped program, its debug file beside, and where its one function lies. */
function stripped(name: string, flags: string[] = []): { path: string; debug: string; fileOffset: bigint } {
  const folder = join(directory, name);
  mkdirSync(folder);
  const path = buildProgram(folder, 'program', 'hidden', ['-g', ...flags]);
  const { fileOffset } = locate(path, 'hidden');
  const debug = join(folder, 'program.debug');
  execFileSync('objcopy', ['--only-keep-debug', path, debug]);
  execFileSync('strip', [path]);
  return { path, debug, fileOffset };
}

function addDebugLink(path: string, debug: string): void {
  execFileSync('objcopy', [`--add-gnu-debuglink=${debug}`, path]);
}

test('.gnu_debuglink leads to a file beside, in .debug and in /usr/lib/debug', (t) => {
  const { path, debug, fileOffset } = stripped('linked');
  assert.deepEqual(ask(refToFile(path, fileOffset)).names, ['']);
  addDebugLink(path, debug);
  const found = (): Shown => ask(refToFile(path, fileOffset));
  assert.deepEqual([found().names, found().counts.debug_link_used], [['hidden'], 1]);
  assert.equal(found().frames.files[0], join(directory, 'linked', 'program.c'));

  mkdirSync(join(directory, 'linked', '.debug'));
  const inFolder = join(directory, 'linked', '.debug', basename(debug));
  renameSync(debug, inFolder);
  assert.deepEqual(found().names, ['hidden']);

  if (!isRoot) return t.diagnostic('not root: /usr/lib/debug is left out');
  const global = `/usr/lib/debug${directory}/linked`;
  mkdirSync(global, { recursive: true });
  t.after(() => rmSync(`/usr/lib/debug${directory}`, { recursive: true }));
  copyFileSync(inFolder, join(global, basename(debug)));
  unlinkSync(inFolder);
  assert.deepEqual(found().names, ['hidden']);
});

test('a debug file with another checksum or build id is refused', () => {
  const { path, debug, fileOffset } = stripped('wrong');
  addDebugLink(path, debug);
  const appended = execFileSync('cat', [debug, '/dev/null']);
  writeFileSync(debug, Buffer.concat([appended, Buffer.from('changed')]));
  const changed = ask(refToFile(path, fileOffset));
  assert.deepEqual([changed.names, changed.counts.debug_link_checksum_mismatch], [[''], 1]);
  const other = stripped('wrong-other', ['-DOTHER', '-Wl,--build-id=0x1122334455667788']);
  copyFileSync(other.debug, debug);
  const mismatch = ask(refToFile(path, fileOffset));
  assert.deepEqual([mismatch.names, mismatch.counts.debug_link_build_id_mismatch], [[''], 1]);
  writeFileSync(debug, 'no ELF file');
  assert.equal(ask(refToFile(path, fileOffset)).counts.debug_link_bad_elf, 1);
});

test('a debug file of another user is refused', (t) => {
  if (!isRoot) return t.skip('needs root to give files away');
  const { path, debug, fileOffset } = stripped('foreign');
  addDebugLink(path, debug);
  chownSync(debug, 65534, 65534);
  const refused = ask(refToFile(path, fileOffset));
  assert.deepEqual([refused.names, refused.counts.debug_link_foreign_owner], [[''], 1]);
  // The owner of the binary may say what is in it.
  chownSync(path, 65534, 65534);
  assert.deepEqual(ask(refToFile(path, fileOffset)).names, ['hidden']);
});

test('by build id, in the root of the process: links lead nowhere else', async (t) => {
  if (!isRoot) return t.skip('needs root: /proc/PID/root');
  const { path, debug, fileOffset } = stripped('rooted', ['-static']);
  const [, id] = /Build ID: ([0-9a-f]+)/.exec(execFileSync('readelf', ['-n', path], { encoding: 'utf8' }))!;
  const root = join(directory, 'root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(path, join(root, 'bin', 'program'));
  execFileSync('chmod', ['755', join(root, 'bin', 'program')]);
  if (spawnSync('chroot', [root, '/bin/none']).status === 125) return t.skip('chroot is not allowed here');
  await using process = await TestProcess.start('chroot', [root, '/bin/program']);
  const mapping = process.executableMapping('/bin/program');
  const ref: BinaryRef = { ...mapping, fileOffsets: BigUint64Array.of(fileOffset) };
  assert.deepEqual(ask(ref).names, ['']);

  const folder = join(root, 'usr/lib/debug/.build-id', id!.slice(0, 2));
  const place = join(folder, `${id!.slice(2)}.debug`);
  mkdirSync(folder, { recursive: true });
  copyFileSync(debug, place);
  assert.deepEqual([ask(ref).names, ask(ref).counts.debug_used], [['hidden'], 1]);

  // As Fedora has it: a link from the build id to the file, here absolute and relative.
  renameSync(place, join(root, 'usr/lib/debug/program.debug'));
  for (const target of [
    '/usr/lib/debug/program.debug',
    '../../program.debug',
    '../../../../../../../../usr/lib/debug/program.debug',
  ]) {
    symlinkSync(target, place);
    assert.deepEqual(ask(ref).names, ['hidden'], target);
    unlinkSync(place);
  }
  // Out of the root, and in a circle.
  symlinkSync(debug, place);
  assert.deepEqual(ask(ref).names, [''], 'the target is looked for inside of the root');
  unlinkSync(place);
  symlinkSync(place.slice(root.length), place);
  assert.deepEqual(ask(ref).names, ['']);
  unlinkSync(place);
  execFileSync('mkfifo', [place]);
  const refused = ask(ref);
  assert.deepEqual([refused.names, refused.counts.debug_not_regular], [[''], 1]);
});

test('what dwz took out of several debug files', (t) => {
  if (spawnSync('dwz', ['--version']).error !== undefined) return t.skip('dwz is not installed');
  const first = stripped('dwz-one', ['-DONE']);
  const second = stripped('dwz-two', ['-DTWO']);
  const common = join(directory, 'common.debug');
  const debugs = [first.debug, second.debug];
  const { status, stderr } = spawnSync('dwz', ['-m', common, '-M', common, ...debugs], { encoding: 'utf8' });
  if (status !== 0 || !existsSync(common)) return t.skip(`dwz found nothing in common: ${stderr}`);
  addDebugLink(first.path, first.debug);
  const found = ask(refToFile(first.path, first.fileOffset));
  assert.deepEqual([found.names, found.counts.dwz_used], [['hidden'], 1]);
  assert.ok(found.frames.files[0]!.endsWith('program.c'));
  rmSync(common);
  assert.equal(ask(refToFile(first.path, first.fileOffset)).counts.dwz_absent, 1);
});

test('split DWARF: .dwo files where the compiler left them or beside the binary, and a .dwp', (t: TestContext) => {
  const folder = join(directory, 'split');
  mkdirSync(folder);
  const path = buildProgram(folder, 'program', 'split_function', ['-g', '-gsplit-dwarf', '-gdwarf-5']);
  const ref = refToFile(path, locate(path, 'split_function').fileOffset);
  const dwo = execFileSync('find', [folder, process.cwd(), '-maxdepth', '1', '-name', '*program*.dwo'], {
    encoding: 'utf8',
  })
    .split('\n')
    .find((name) => name !== '');
  if (dwo === undefined) return t.skip('the compiler made no .dwo file');
  const found = ask(ref);
  assert.deepEqual([found.names, found.frames.lines[0]], [['split_function'], 2]);
  assert.ok(found.frames.startLines[0]! > 0, 'only the split unit says where it is declared');
  const hasSplit = (): boolean => ask(ref).frames.startLines[0]! > 0;

  if (spawnSync('llvm-dwp-19', ['--version']).error === undefined) {
    execFileSync('llvm-dwp-19', ['-o', `${path}.dwp`, dwo]);
    rmSync(dwo);
    assert.ok(hasSplit());
    assert.equal(ask(ref).counts.dwp_used, 1);
    rmSync(`${path}.dwp`);
  } else t.diagnostic('llvm-dwp-19 is not installed: packages are not tried');
  rmSync(dwo, { force: true });
  assert.ok(!hasSplit(), 'and without either there are only lines');
});

test('a debug file that is replaced between two requests is not mixed with the one before', () => {
  const { path, debug, fileOffset } = stripped('exchanged');
  addDebugLink(path, debug);
  const counters = new SymbolCounters();
  let now = 0;
  const naming: NamingOptions = { symbolize: 'host', demangle: 'full', lines: true };
  const symbolizer = new BinarySymbolizer({ maxCacheBytes: 1 << 26, counters, ...naming, now: () => now });
  const lookUp = (): BinaryAnswer => symbolizer.symbolize([refToFile(path, fileOffset)])[0]!;
  const first = lookUp();
  assert.deepEqual([outermostNames(first.frames), first.frames.lines[0]], [['hidden'], 2]);
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const before = descriptors();

  // What was read of it is forgotten, so it is opened again, and is another file by then.
  now += 10 * 60_000;
  symbolizer.releaseIdle();
  renameSync(debug, `${debug}.old`);
  copyFileSync(`${debug}.old`, debug);
  const second = lookUp();
  assert.deepEqual(
    [outermostNames(second.frames), second.frames.lines[0]],
    [['hidden'], 0],
    'by its symbol alone',
  );
  const dropped = Object.keys(counters.take().dropped_symbols ?? {});
  assert.ok(
    dropped.some((reason) => reason.startsWith('dwarf_')),
    'and that is counted',
  );
  assert.equal(descriptors(), before, 'nothing stays open between requests');
});

test('with symbolize: server no names are made, but addresses and build ids are', () => {
  const path = buildProgram(directory, 'for-the-server', 'left_alone', ['-g', '-no-pie']);
  const { address, fileOffset } = locate(path, 'left_alone');
  const answer = ask(refToFile(path, fileOffset), { symbolize: 'server' });
  assert.deepEqual([answer.names, answer.failure], [[''], '']);
  assert.equal(answer.elfAddresses[0], address);
  assert.match(answer.buildId, /^[0-9a-f]{40}$/);
});

test('build ids that name files are nothing but digits', () => {
  assert.ok(isUsableBuildId('0123abcd') && isUsableBuildId('ab'.repeat(64)));
  for (const id of ['', '0123ab', '0123abc', '0123ABCD', '../etc/passwd', 'ab/cd012', 'ab'.repeat(65)]) {
    assert.ok(!isUsableBuildId(id), id);
  }
});

test('debug information takes no more than its part of the cache, and is read again', () => {
  const folder = join(directory, 'part');
  mkdirSync(folder);
  const refs = ['one', 'two', 'three'].map((name) => {
    const path = buildProgram(folder, name, `function_${name}`, ['-g']);
    return refToFile(path, locate(path, `function_${name}`).fileOffset);
  });
  const naming: NamingOptions = { symbolize: 'host', demangle: 'full', lines: true };
  const counters = new SymbolCounters();
  const whole = new BinarySymbolizer({ maxCacheBytes: 1 << 26, counters, ...naming });
  whole.symbolize(refs);
  const { bytes, debugInfoBytes } = whole.cache;
  assert.ok(debugInfoBytes > 0);

  const maxCacheBytes = bytes - 1;
  const limited = new BinarySymbolizer({ maxCacheBytes, counters, ...naming });
  for (let round = 0; round < 3; round++) {
    for (const ref of refs) {
      const [{ frames }] = limited.symbolize([ref]) as [BinaryAnswer];
      assert.equal(frames.lines[0], 2, 'each answer is whole');
      assert.ok(limited.cache.debugInfoBytes <= maxCacheBytes / 2);
      assert.ok(limited.cache.bytes <= maxCacheBytes);
    }
  }
  assert.equal(limited.cache.tables, 3, 'the binaries themselves stay');
  assert.ok(counters.take().cache_evictions!.debug_info! > 0);
});
