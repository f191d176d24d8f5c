// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError, HearthscopeError } from '../errors.ts';
import { ProfileBuilder } from '../profile-builder.ts';
import { profileFromText } from '../testing/text-profile.ts';
import { decodeCollapsed, decodeStackLines, encodeCollapsed } from './collapsed.ts';
import { DEFAULT_DECODE_LIMITS } from './decode-limits.ts';
import { DecodeReport } from './decode-report.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

test('one sorted line per stack of names, inlined functions as frames', () => {
  const profile = profileFromText(
    'main;work 70\nmain;idle 30\nmain;leaf<caller 1\nmain;work 5 thread=a\nmain;gone 0',
  );
  assert.equal(encodeCollapsed(profile), 'main;caller;leaf 1\nmain;idle 30\nmain;work 75\n');
  assert.throws(() => encodeCollapsed(profile, 1), /no sample type 1/);
});

test('frames without symbol are named by binary and offset', () => {
  const builder = new ProfileBuilder({
    timeUnixNanos: 0n,
    durationNanos: 0n,
    sampleTypes: [{ type: 'samples', unit: 'count' }],
    periodType: { type: '', unit: '' },
    period: 0n,
  });
  const mapping = builder.mapping({
    start: 0x1000n,
    limit: 0x2000n,
    fileOffset: 0x400n,
    filename: '/usr/lib/libc.so',
    buildId: '',
  });
  const unplaced = builder.mapping({ start: 0n, limit: 0n, fileOffset: 0n, filename: 'app', buildId: '' });
  const locations = [
    { mapping, address: 0x1010n, lines: [] },
    { mapping: unplaced, address: 0x99n, lines: [] },
    { mapping: 0, address: 0xffff_ffff_8000_0000n, lines: [] },
    { mapping: 0, address: 0n, lines: [] },
    { mapping: 0, address: 0n, lines: [{ function: builder.function({ name: '', systemName: '_Zmain' }) }] },
  ].map((location) => builder.location(location));
  builder.addSample(builder.stack(locations), [4n]);
  builder.addSample(builder.stack([]), [9n]);
  assert.equal(
    encodeCollapsed(builder.build()),
    '_Zmain;[unknown];0xffffffff80000000;app+0x99;libc.so+0x410 4\n',
  );
});

test('structure in names is escaped, other percent signs are not', () => {
  const builder = new ProfileBuilder({
    timeUnixNanos: 0n,
    durationNanos: 0n,
    sampleTypes: [{ type: 'samples', unit: 'count' }],
    periodType: { type: '', unit: '' },
    period: 0n,
  });
  const name = 'a;b\nc\rd %3B 100% %41 7';
  const location = builder.location({
    mapping: 0,
    address: 0n,
    lines: [{ function: builder.function({ name }) }],
  });
  builder.addSample(builder.stack([location]), [1n]);
  const text = encodeCollapsed(builder.build());
  assert.equal(text, 'a%3Bb%0Ac%0Dd %253B 100% %41 7 1\n');
  const back = decodeCollapsed(bytesOf(text));
  assert.equal(back.strings[back.functions.name[1]!], name);
});

test('property: decode undoes encode', () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 12 })
    .filter((text) => text.isWellFormed());
  const stack = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 5 }),
    value: fc.bigInt({ min: 1n, max: 2n ** 55n }),
  });
  fc.assert(
    fc.property(fc.array(stack, { maxLength: 20 }), (stacks) => {
      const builder = new ProfileBuilder({
        timeUnixNanos: 0n,
        durationNanos: 0n,
        sampleTypes: [{ type: 'samples', unit: 'count' }],
        periodType: { type: '', unit: '' },
        period: 0n,
      });
      for (const { path, value } of stacks) {
        const locations = path.map((text) =>
          builder.location({
            mapping: 0,
            address: 0n,
            lines: [{ function: builder.function({ name: text }) }],
          }),
        );
        builder.addSample(builder.stack(locations.reverse()), [value]);
      }
      const text = encodeCollapsed(builder.build());
      assert.equal(encodeCollapsed(decodeCollapsed(bytesOf(text))), text);
      assert.equal(text.split('\n').length - 1, new Set(stacks.map(({ path }) => path.join('\0'))).size);
    }),
    { numRuns: 300 },
  );
});

test('reads what scripts write: spaces in names, CRLF, no last line feed', () => {
  const profile = decodeCollapsed(bytesOf('java;Foo bar(int, int) 3\r\n\njava;Foo 9223372036854775804'));
  assert.equal(encodeCollapsed(profile), 'java;Foo 9223372036854775804\njava;Foo bar(int, int) 3\n');
});

test('bad lines are refused with their offset', () => {
  for (const line of ['main', 'main;', 'main 1.5', 'main -1', 'main 99999999999999999999', '5']) {
    assert.throws(
      () => decodeCollapsed(bytesOf(`ok 1\n${line}`)),
      (error) => error instanceof FormatError && error.offset === 5,
      line,
    );
  }
  assert.throws(
    () => decodeCollapsed(bytesOf('a 9223372036854775807\nb 1')),
    /do not fit in 64 bits at byte 22/,
  );
});

test('with a report bad lines cost themselves, and what is changed is counted', () => {
  const report = new DecodeReport();
  const bytes = Buffer.concat([
    bytesOf('ok 1\nbad\na;b;c 2\nlong 3\n 4\nx'),
    Uint8Array.of(0xff),
    bytesOf(' 5\nbad'),
  ]);
  const limits = { ...DEFAULT_DECODE_LIMITS, maxStackDepth: 2, maxSymbolLength: 3 };
  const profile = decodeCollapsed(bytes, {}, limits, report);
  assert.equal(encodeCollapsed(profile), 'a;b 2\nok 1\nong 3\nx\ufffd 5\n');
  assert.deepEqual(report.rejected, [
    {
      what: 'sample',
      reason: 'malformed_line',
      count: 2,
      message: 'collapsed: a line that does not end in a count at byte 5',
    },
  ]);
  const repaired = report.repaired.map(({ reason, count }) => [reason, count]).sort();
  assert.deepEqual(repaired, [
    ['empty_stack', 1],
    ['invalid_utf8', 1],
    ['stack_truncated', 1],
    ['symbol_truncated', 1],
  ]);
});

test('lines are stacks that count one each, spaces and all', () => {
  const profile = decodeStackLines(bytesOf('main;work 3\nmain;work 3\r\n\nmain;\nidle'));
  assert.equal(encodeCollapsed(profile), 'idle 1\nmain 1\nmain;work 3 2\n');
  assert.throws(
    () => decodeStackLines(bytesOf('a\nb'), {}, { ...DEFAULT_DECODE_LIMITS, maxSamples: 1 }),
    /actual: 2, limit: 1/,
  );
});

test('limits hold at their edge', () => {
  const decode = (text: string, limits: object) =>
    decodeCollapsed(bytesOf(text), {}, { ...DEFAULT_DECODE_LIMITS, ...limits });
  for (const maxSamples of [2, 3]) assert.equal(decode('a 1\nb 1\n', { maxSamples }).samples.length, 2);
  assert.throws(
    () => decode('a 1\nb 1\n', { maxSamples: 1 }),
    (error) => error instanceof HearthscopeError && error.code === 'invalid_argument',
  );
  const depths = [4, 3, 2].map((maxStackDepth) => encodeCollapsed(decode('a;b;c 1', { maxStackDepth })));
  assert.deepEqual(depths, ['a;b;c 1\n', 'a;b;c 1\n', 'a;b 1\n']);
  const names = [4, 3, 2].map((maxSymbolLength) => encodeCollapsed(decode('abc 1', { maxSymbolLength })));
  assert.deepEqual(names, ['abc 1\n', 'abc 1\n', 'bc 1\n']);
});
