// SPDX-License-Identifier: Apache-2.0
//
// The reader against what the xz program writes.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../errors.ts';
import { unpackXz } from './xz-container.ts';

const skip = spawnSync('xz', ['--version']).error === undefined ? false : 'xz is not installed';

function xz(bytes: Uint8Array, ...options: string[]): Uint8Array {
  return execFileSync('xz', ['-c', ...options], { input: bytes, maxBuffer: 1 << 28 });
}

function pattern(length: number): Uint8Array {
  // Repeats, runs and noise: all kinds of chunks and matches.
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const section = (i >>> 12) % 4;
    bytes[i] = section === 0 ? state >>> 24 : section === 1 ? i % 61 : section === 2 ? 0 : (state >>> 29) * 3;
  }
  return bytes;
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const executable = readFileSync('/bin/sh');
const inputs: Record<string, Uint8Array> = {
  empty: new Uint8Array(0),
  'one byte': Uint8Array.of(7),
  pattern: pattern(300_000),
  noise: createHash('sha512').update('x').digest().subarray(0, 64),
  program: executable,
  'three megabytes': pattern(3_000_000),
};
const options: Record<string, string[]> = {
  fast: ['-0'],
  default: [],
  'slow, extreme': ['-9e'],
  'no check': ['--check=none'],
  crc32: ['--check=crc32'],
  crc64: ['--check=crc64'],
  sha256: ['--check=sha256'],
  'other literal bits': ['--lzma2=lc=0,lp=2,pb=0'],
  'position bits': ['--lzma2=lc=1,lp=3,pb=4,dict=4KiB'],
  'many blocks': ['--block-size=65536', '-T2'],
};

for (const [name, flags] of Object.entries(options)) {
  test(`unpacks what xz packs: ${name}`, { skip }, () => {
    for (const [what, bytes] of Object.entries(inputs)) {
      const unpacked = unpackXz(xz(bytes, ...flags), bytes.byteLength);
      assert.equal(sha(unpacked), sha(bytes), what);
    }
  });
}

test('several streams and padding are one file', { skip }, () => {
  const parts = [pattern(5000), new Uint8Array(0), pattern(100)].map((part) => xz(part));
  const file = Buffer.concat([...parts.flatMap((part) => [part, new Uint8Array(8)])]);
  assert.equal(unpackXz(file, 5100).byteLength, 5100);
});

test('filters that are not known are refused by name', { skip }, () => {
  assert.throws(
    () => unpackXz(xz(executable, '--x86', '--lzma2'), 1 << 24),
    /filter x86 BCJ is not supported/,
  );
  assert.throws(
    () => unpackXz(xz(executable, '--delta', '--lzma2'), 1 << 24),
    /filter delta is not supported/,
  );
});

test('the limit holds before anything is unpacked, and exactly', { skip }, () => {
  const packed = xz(new Uint8Array(50_000_000));
  assert.ok(packed.byteLength < 10_000);
  assert.equal(unpackXz(packed, 50_000_000).byteLength, 50_000_000);
  assert.throws(() => unpackXz(packed, 49_999_999), /50000000 bytes unpacked, more than 49999999/);
});

test('cut and damaged files are refused', { skip }, (t: TestContext) => {
  const original = pattern(40_000);
  const packed = new Uint8Array(xz(original));
  for (const length of [0, 1, 11, 12, 24, packed.byteLength - 1]) {
    assert.throws(() => unpackXz(packed.subarray(0, length), 1 << 20), FormatError);
  }
  let refused = 0;
  let kept = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(packed.byteLength - 1), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      }),
      (changes) => {
        const damaged = packed.slice();
        for (const [at, difference] of changes) damaged[at]! ^= difference;
        try {
          // A checksum guards every byte: whatever comes through is what went in.
          assert.equal(sha(unpackXz(damaged, 1 << 20)), sha(original));
          kept++;
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          refused++;
        }
      },
    ),
    { numRuns: 1500 },
  );
  t.diagnostic(`${refused} refused, ${kept} undamaged after all`);
});

test('without checksums, damage in the contents is bounded by the size announced', { skip }, () => {
  const packed = new Uint8Array(xz(pattern(40_000), '--check=none'));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 24, max: packed.byteLength - 30 }), fc.nat(255)), {
        minLength: 1,
        maxLength: 16,
      }),
      (changes) => {
        const damaged = packed.slice();
        for (const [at, value] of changes) damaged[at] = value;
        try {
          assert.equal(unpackXz(damaged, 1 << 20).byteLength, 40_000);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      },
    ),
    { numRuns: 1500 },
  );
});
