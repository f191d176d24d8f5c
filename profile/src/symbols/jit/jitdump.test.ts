// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { memoryAccess } from '../random-access.ts';
import { CodeRanges, lineAt } from './code-ranges.ts';
import { JitdumpReader, jitdumpLimits } from './jitdump.ts';

const directory = mkdtempSync(join(tmpdir(), 'hearthscope-jitdump-'));
after(() => rmSync(directory, { recursive: true }));

function header(size = 40): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(0x4a695444, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(size, 8);
  return bytes;
}

function record(id: number, ...contents: (bigint | number | string | Buffer)[]): Buffer {
  const parts = contents.map((content) => {
    if (typeof content === 'string') return Buffer.from(`${content}\0`, 'latin1');
    if (Buffer.isBuffer(content)) return content;
    const bytes = Buffer.alloc(typeof content === 'bigint' ? 8 : 4);
    if (typeof content === 'bigint') bytes.writeBigUInt64LE(content);
    else bytes.writeUInt32LE(content);
    return bytes;
  });
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(16);
  head.writeUInt32LE(id, 0);
  head.writeUInt32LE(16 + body.byteLength, 4);
  return Buffer.concat([head, body]);
}

const load = (address: bigint, size: bigint, name: string, code = Buffer.alloc(Number(size))): Buffer =>
  record(0, 1, 1, address, address, size, 1n, name, code);
const move = (from: bigint, to: bigint, size: bigint): Buffer => record(1, 1, 1, to, from, to, size, 1n);
const debugInfo = (address: bigint, ...rows: [offset: bigint, line: number, file: string][]): Buffer =>
  record(
    2,
    address,
    BigInt(rows.length),
    ...rows.flatMap(([offset, line, file]) => [address + offset, line, 0, file]),
  );

function read(...parts: Buffer[]): { ranges: CodeRanges; problems: string[]; reader: JitdumpReader } {
  const ranges = new CodeRanges();
  const problems: string[] = [];
  const reader = new JitdumpReader(ranges, (problem) => problems.push(problem));
  let bytes = Buffer.alloc(0);
  for (const part of parts) {
    bytes = Buffer.concat([bytes, part]);
    reader.readMore(memoryAccess(bytes), 1 << 24);
  }
  return { ranges, problems, reader };
}

test('code that is loaded and moved, with lines', () => {
  const { ranges, problems } = read(
    header(56),
    debugInfo(0x1000n, [0n, 10, '/app/Main.java'], [8n, 12, '\xff'], [16n, 3, '/app/Other.java']),
    load(0x1000n, 32n, 'Lcom/example/Main;::run()V'),
    load(0x2000n, 16n, 'moves'),
    move(0x2000n, 0x3000n, 16n),
    move(0x9999n, 0x4000n, 16n),
    record(4, 5n),
  );
  assert.deepEqual(problems, []);
  const { code, start } = ranges.find(0x101f)!;
  assert.deepEqual([code.name, start], ['Lcom/example/Main;::run()V', 0x1000]);
  assert.deepEqual(lineAt(code.lines, 7), { file: '/app/Main.java', line: 10 });
  assert.deepEqual(lineAt(code.lines, 8), { file: '/app/Main.java', line: 12 });
  assert.deepEqual(lineAt(code.lines, 31), { file: '/app/Other.java', line: 3 });
  assert.equal(ranges.find(0x2000), undefined);
  assert.equal(ranges.find(0x300f)?.code.name, 'moves');
  assert.equal(ranges.find(0x4000), undefined, 'what was never loaded cannot be moved');
});

test('records that are cut are read when they are whole; nothing comes after the end', () => {
  const bytes = Buffer.concat([header(), load(0x1000n, 700_000n, 'large'), load(0x200000n, 16n, 'second')]);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; at += 99_991) parts.push(bytes.subarray(at, at + 99_991));
  const { ranges, problems } = read(...parts, record(3), load(0x300000n, 16n, 'after the end'));
  assert.deepEqual(problems, []);
  assert.equal(ranges.size, 2);
});

test('damage is counted', () => {
  assert.deepEqual(read(Buffer.alloc(64)).problems, ['header_damaged']);
  const huge = load(0x1000n, 16n, 'f');
  huge.writeUInt32LE(jitdumpLimits.maxRecordBytes + 1, 4);
  assert.deepEqual(read(header(), huge).problems, ['record_damaged']);
  assert.deepEqual(read(header(), record(0, 1)).problems, ['record_damaged']);
  assert.deepEqual(read(header(), record(1, 1)).problems, ['record_damaged']);
  assert.deepEqual(read(header(), load(1n << 63n, 16n, 'f', Buffer.alloc(16))).problems, ['record_damaged']);
  const cut = debugInfo(0x1000n, [0n, 1, 'a.js'], [4n, 2, 'b.js']);
  cut.writeBigUInt64LE(3n, 24);
  const { ranges, problems } = read(header(), cut, load(0x1000n, 16n, 'f'));
  assert.deepEqual(problems, ['debug_info_damaged']);
  assert.equal(ranges.find(0x1000)?.code.name, 'f', 'the name is as good as before');
  const large = debugInfo(0x1000n, [0n, 1, 'x'.repeat(jitdumpLimits.maxDebugInfoBytes)]);
  assert.deepEqual(read(header(), large, load(0x1000n, 16n, 'f')).problems, ['debug_info_too_large']);
});

test('what node writes', (t) => {
  const script = 'function busy(n) { return n < 2 ? n : busy(n - 1) + busy(n - 2); } busy(28);';
  const { status } = spawnSync(
    process.execPath,
    ['--perf-prof', `--perf-prof-path=${directory}`, '-e', script],
    {
      cwd: directory,
    },
  );
  const dump = readdirSync(directory).find((name) => name.endsWith('.dump'));
  if (status !== 0 || dump === undefined) return t.skip('this node writes no jitdump');
  const { ranges, problems } = read(readFileSync(join(directory, dump)));
  assert.deepEqual(
    problems.filter((problem) => problem !== 'debug_info_damaged'),
    [],
  );
  t.diagnostic(`${ranges.size} pieces of code, ${problems.length} damaged debug information`);
  assert.ok(ranges.size > 100);
});

test('any damage is survived, in bounded time', () => {
  const intact = Buffer.concat([
    header(),
    debugInfo(0x1000n, [0n, 10, 'a'], [8n, 12, '\xff']),
    load(0x1000n, 32n, 'first'),
    move(0x1000n, 0x2000n, 32n),
    load(0x3000n, 32n, 'second'),
    record(3),
  ]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(intact.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
      (changes) => {
        const damaged = Buffer.from(intact);
        for (const [at, value] of changes) damaged[at] = value;
        read(damaged);
      },
    ),
    { numRuns: 3000 },
  );
});
