// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur3OfBytes, newHash128 } from './murmur3.ts';

function digest(bytes: Uint8Array, seed: number): Uint8Array {
  const out = newHash128();
  murmur3OfBytes(bytes, seed, out);
  return new Uint8Array(out.buffer);
}

test('gives the verification value that SMHasher publishes for MurmurHash3_x86_128', () => {
  // SMHasher's procedure: hash the keys {}, {0}, {0, 1}, … with seeds 256, 255, …, then hash the digests.
  const digests = new Uint8Array(256 * 16);
  for (let length = 0; length < 256; length++) {
    const key = Uint8Array.from({ length }, (_, i) => i);
    digests.set(digest(key, 256 - length), length * 16);
  }
  const verification = new DataView(digest(digests, 0).buffer).getUint32(0, true);
  assert.equal(verification.toString(16), '0xb3ece62a'.slice(2));
});

test('known answers do not change between versions', () => {
  const hex = (text: string, seed = 0) =>
    Buffer.from(digest(new TextEncoder().encode(text), seed)).toString('hex');
  assert.equal(hex(''), '00000000000000000000000000000000');
  assert.notEqual(hex('main'), hex('main', 1));
  assert.equal(hex('main'), Buffer.from(digest(Uint8Array.of(0x6d, 0x61, 0x69, 0x6e), 0)).toString('hex'));
});
