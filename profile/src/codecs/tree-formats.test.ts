// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import { StackTreeBuilder } from '../stack-tree.ts';
import { encodeTrie, writeVarint } from '../testing/trie-bytes.ts';
import { encodeTree } from '../tree-codec.ts';
import { encodeCollapsed } from './collapsed.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import { DecodeReport } from './decode-report.ts';
import { decodeTree } from './tree-decode.ts';
import { decodeTrie, MAX_TRIE_NAME_BYTES } from './trie-decode.ts';

type Stacks = readonly (readonly [path: readonly string[], value: bigint])[];

/** A node of either format: name, value, children. */
type Node = readonly [name: string, value: bigint, children: readonly Node[]];

function bytesOf(...nodes: readonly Node[]): Uint8Array {
  const bytes: number[] = [];
  const write = ([name, value, children]: Node) => {
    const text = new TextEncoder().encode(name);
    writeVarint(BigInt(text.length), bytes);
    bytes.push(...text);
    writeVarint(value, bytes);
    writeVarint(BigInt(children.length), bytes);
    children.forEach(write);
  };
  nodes.forEach(write);
  return Uint8Array.from(bytes);
}

function treeBytes(stacks: Stacks): Uint8Array {
  const builder = new StackTreeBuilder();
  for (const [path, value] of stacks) {
    builder.add(path.map((name) => builder.name(name)).reverse(), value);
  }
  return encodeTree(builder.build(), 0);
}

const trieBytes = (stacks: Stacks) =>
  encodeTrie(stacks.map(([path, value]) => [path.join(';'), value] as const));

const formats = { trie: decodeTrie, tree: decodeTree };
const encoders = { trie: trieBytes, tree: treeBytes };

function decode(
  format: keyof typeof formats,
  bytes: Uint8Array,
  limits: Partial<DecodeLimits> = {},
): { profile: Profile; repaired: Record<string, number>; text: string } {
  const report = new DecodeReport();
  const profile = formats[format](bytes, {}, { ...DEFAULT_DECODE_LIMITS, ...limits }, report);
  assert.deepEqual(report.rejected, []);
  const repaired = Object.fromEntries(report.repaired.map(({ reason, count }) => [reason, count]));
  return { profile, repaired, text: encodeCollapsed(profile) };
}

const name = fc.oneof(
  fc.constantFrom('main', 'work', 'wörk', 'wо', '(anonymous)', 'a b'),
  fc
    .string({ minLength: 1, maxLength: 8, unit: 'grapheme' })
    .map((text) => text.replaceAll(';', ',').toWellFormed()),
);
const stacks: fc.Arbitrary<Stacks> = fc.array(
  fc.tuple(fc.array(name, { minLength: 1, maxLength: 6 }), fc.bigInt({ min: 1n, max: 2n ** 55n })),
  { maxLength: 20 },
);

for (const format of ['trie', 'tree'] as const) {
  test(`${format}: property: decode undoes encode`, () => {
    fc.assert(
      fc.property(stacks, (input) => {
        const sums = new Map<string, bigint>();
        for (const [path, value] of input) {
          const key = path.join('\n');
          sums.set(key, (sums.get(key) ?? 0n) + value);
        }
        const { profile } = decode(format, encoders[format](input));
        const actual = new Map(
          Array.from({ length: profile.samples.length }, (_, row) => {
            const { locationStart, location } = profile.stacks;
            const stack = profile.samples.stack[row]!;
            const path = Array.from(
              location.subarray(locationStart[stack], locationStart[stack + 1]),
              (at) => profile.strings[profile.functions.name[profile.locations.lineFunction[at]!]!]!,
            );
            return [path.reverse().join('\n'), profile.samples.values[0]![row]!];
          }),
        );
        assert.deepEqual([...actual].sort(), [...sums].sort());
      }),
      { numRuns: 300 },
    );
  });

  test(`${format}: no bytes are no samples`, () => {
    assert.equal(decode(format, new Uint8Array(0)).profile.samples.length, 0);
    assert.equal(decode(format, bytesOf(['', 0n, []])).profile.samples.length, 0);
  });

  test(`${format}: values of the root belong to no frame`, () => {
    const { repaired, text } = decode(format, bytesOf(['', 7n, [['a', 1n, []]]]));
    assert.equal(text, 'a 1\n');
    assert.deepEqual(repaired, { empty_stack: 1 });
  });

  test(`${format}: malformed bytes are refused with their offset`, () => {
    const bytes = bytesOf(['', 0n, [['main', 1n, [['work', 300n, []]]]]]);
    for (let length = 1; length < bytes.length; length++) {
      assert.throws(() => decode(format, bytes.subarray(0, length)), FormatError, `${length} bytes`);
    }
    const manyChildren = Uint8Array.from([0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert.throws(
      () => decode(format, manyChildren),
      (error) => error instanceof FormatError && error.offset === 2 && /more children/.test(error.message),
    );
    const longName = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    assert.throws(() => decode(format, longName), /length 4294967295 exceeds the 1 bytes left at byte 0/);
    const tooMuch = bytesOf([
      '',
      0n,
      [
        ['a', 2n ** 63n - 1n, []],
        ['b', 1n, []],
      ],
    ]);
    assert.throws(() => decode(format, tooMuch), /do not fit in 64 bits at byte/);
  });

  test(`${format}: limits hold at their edge`, () => {
    const bytes = encoders[format]([
      [['a', 'b', 'c'], 1n],
      [['a', 'b', 'd'], 1n],
    ]);
    assert.equal(decode(format, bytes, { maxSamples: 2 }).profile.samples.length, 2);
    assert.throws(() => decode(format, bytes, { maxSamples: 1 }), /actual: 2, limit: 1/);
    assert.equal(decode(format, bytes, { maxStackDepth: 3 }).text, 'a;b;c 1\na;b;d 1\n');
    const cut = decode(format, bytes, { maxStackDepth: 2, maxSamples: 1 });
    assert.deepEqual([cut.text, cut.repaired], ['a;b 2\n', { stack_truncated: 2 }]);
    assert.equal(decode(format, bytes, { maxTableRows: 4 }).profile.samples.length, 2);
    assert.throws(
      () => decode(format, bytes, { maxTableRows: 3 }),
      /4 distinct frames exceed the limit of 3/,
    );
    assert.equal(decode(format, bytes, { maxDecodedRows: 6 }).profile.samples.length, 2);
    assert.throws(
      () => decode(format, bytes, { maxDecodedRows: 5 }),
      /6 frames of all stacks exceed the limit of 5/,
    );
    const long = encoders[format]([[['longname'], 1n]]);
    assert.deepEqual(decode(format, long, { maxSymbolLength: 4 }).repaired, { symbol_truncated: 1 });
  });

  test(`${format}: wrong UTF-8 is replaced and counted`, () => {
    const bytes = bytesOf(['', 0n, [['ax', 1n, []]]]);
    bytes[4] = 0xff;
    const { text, repaired } = decode(format, bytes);
    assert.deepEqual([text, repaired], ['\ufffdx 1\n', { invalid_utf8: 1 }]);
  });
}

test('trie: nodes end in names, in characters and behind separators', () => {
  const bytes = bytesOf([
    '',
    0n,
    [
      ['ma', 2n, [['in;', 3n, [['w', 4n, []]]]]],
      ['x;y;', 5n, []],
    ],
  ]);
  assert.equal(decode('trie', bytes).text, 'ma 2\nmain 3\nmain;w 4\nx;y 5\n');
});

test('trie: shared beginnings cannot be used to make many long names', () => {
  const spelled = (leaves: number) =>
    bytesOf([
      'x'.repeat(MAX_TRIE_NAME_BYTES / 256 - 2),
      0n,
      Array.from({ length: leaves }, (_, leaf): Node => [String.fromCharCode(0x100 + leaf), 1n, []]),
    ]);
  assert.equal(decode('trie', spelled(256)).profile.samples.length, 256);
  assert.throws(
    () => decode('trie', spelled(257)),
    /the names of all stacks exceed the limit of 8388608 bytes/,
  );
});

test('tree: a frame may hold separators, and a root with a name is a frame', () => {
  assert.equal(decode('tree', bytesOf(['', 0n, [['a;b', 1n, []]]])).text, 'a%3Bb 1\n');
  assert.equal(decode('tree', bytesOf(['all', 1n, [['a', 1n, []]]])).text, 'all 1\nall;a 1\n');
});

test('a deep chain costs its nodes and not their depth', () => {
  const bytes: number[] = [];
  for (let depth = 0; depth < 200_000; depth++) bytes.push(1, 0x61, 1, 1);
  bytes.push(1, 0x61, 1, 0);
  const { text, repaired } = decode('tree', Uint8Array.from(bytes), { maxStackDepth: 100, maxSamples: 200 });
  assert.equal(text.split('\n').length, 101);
  assert.equal(repaired.stack_truncated, 200_001 - 100);
});
