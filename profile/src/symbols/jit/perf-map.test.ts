// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { memoryAccess } from '../random-access.ts';
import { CodeRanges } from './code-ranges.ts';
import { PerfMapReader, perfMapLimits } from './perf-map.ts';

function read(...parts: (string | Uint8Array)[]): { ranges: CodeRanges; problems: string[]; offset: number } {
  const ranges = new CodeRanges();
  const problems: string[] = [];
  const reader = new PerfMapReader(ranges, (problem) => problems.push(problem));
  let bytes: Uint8Array = new Uint8Array(0);
  for (const part of parts) {
    bytes = Buffer.concat([bytes, typeof part === 'string' ? Buffer.from(part) : part]);
    reader.readMore(memoryAccess(bytes), 1 << 24);
  }
  return { ranges, problems, offset: reader.offset };
}

test('lines as compilers write them', () => {
  const { ranges, problems } = read(
    '1589c3681a10 2a JS:~fibonacci /app/busy.js:1:19\n' +
      '0x7f0000001000 0x10 void Foo::bar(int, char const*)\n' +
      '7F00000020AB 1 Interpreter\r\n' +
      '\n' +
      '7f0000003000 0 stub of no size\n' +
      '7f0000004000 20 größe ☃\n',
  );
  assert.deepEqual(problems, []);
  assert.equal(ranges.find(0x1589c3681a39)?.code.name, 'JS:~fibonacci /app/busy.js:1:19');
  assert.equal(ranges.find(0x1589c3681a3a), undefined);
  assert.equal(ranges.find(0x7f000000100f)?.code.name, 'void Foo::bar(int, char const*)');
  assert.equal(ranges.find(0x7f00000020ab)?.code.name, 'Interpreter');
  assert.equal(ranges.find(0x7f0000003000), undefined);
  assert.equal(ranges.find(0x7f0000004010)?.code.name, 'größe ☃');
});

test('a line that is still being written is read when it is whole', () => {
  const { ranges, problems } = read('1000 10 first\n2000 10 sec', 'ond\n3000', ' 10 third\n');
  assert.deepEqual(problems, []);
  assert.equal(ranges.find(0x2000)?.code.name, 'second');
  assert.equal(ranges.find(0x3000)?.code.name, 'third');
});

test('damaged lines are counted and cost only themselves', () => {
  const damaged = [
    'nonsense',
    '1000 10',
    '1000 xyz name',
    'ffffffffffffffff 10 f',
    '1000 ffffffff f',
    '-1 5 f',
  ];
  const { ranges, problems } = read(`${damaged.join('\n')}\n1000 10 good\n`);
  assert.deepEqual(problems, new Array(damaged.length).fill('line_damaged'));
  assert.equal(ranges.find(0x1000)?.code.name, 'good');
});

test('the longest line, and one byte more', () => {
  const name = (bytes: number): string => 'n'.repeat(bytes - '1000 10 '.length);
  const longest = read(`1000 10 ${name(perfMapLimits.maxLineBytes)}\n2000 10 next\n`);
  assert.deepEqual(longest.problems, []);
  assert.equal(longest.ranges.size, 2);
  const longer = read(`1000 10 ${name(perfMapLimits.maxLineBytes + 1)}\n2000 10 next\n`);
  assert.deepEqual(longer.problems, ['line_too_long']);
  assert.equal(longer.ranges.size, 1);
  const endless = read('x'.repeat(1 << 20), 'y'.repeat(1 << 20), '\n2000 10 next\n');
  assert.deepEqual(endless.problems, ['line_too_long']);
  assert.equal(endless.ranges.find(0x2000)?.code.name, 'next');
});

test('any bytes, in any pieces, give the same', () => {
  const token = fc.oneof(
    fc.constantFrom('1000', 'ff', ' ', '\n', '0x', 'name', '10 ', '\r', '\t', 'ffffffffffff'),
    fc.string(),
  );
  fc.assert(
    fc.property(
      fc.array(token, { maxLength: 60 }),
      fc.array(fc.nat(40), { maxLength: 20 }),
      (tokens, cuts) => {
        const bytes = Buffer.from(`${tokens.join('')}\n`);
        const whole = read(bytes);
        const parts: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          parts.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        const pieces = read(...parts, bytes.subarray(at));
        assert.deepEqual(pieces.problems, whole.problems);
        assert.equal(pieces.offset, whole.offset);
        assert.equal(pieces.ranges.size, whole.ranges.size);
      },
    ),
    { numRuns: 500 },
  );
});
