// SPDX-License-Identifier: Apache-2.0
//
// MurmurHash3_x86_128, the hash behind stack ids. It is part of what is stored (docs/formats/stack-id.md), so it must
// give the same result for ever; the test holds it to SMHasher's verification value. Its four lanes are 32 bits wide,
// which is what JavaScript multiplies exactly.

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

const WORDS_PER_BLOCK = 4;
const MAX_UTF8_BYTES_PER_UNIT = 3;

/** The four 32-bit lanes of a hash. */
export type Hash128 = Uint32Array;

export function newHash128(): Hash128 {
  return new Uint32Array(4);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function finalMix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Hashes `byteLength` bytes given as little-endian words. Bytes of the last word past `byteLength` must be zero.
 * The lanes are written to `out`. */
export function murmur3OfWords(words: Uint32Array, byteLength: number, seed: number, out: Hash128): void {
  const wordCount = Math.ceil(byteLength / 4);
  const blockWords = (byteLength >>> 4) * WORDS_PER_BLOCK;
  let h1 = seed | 0;
  let h2 = seed | 0;
  let h3 = seed | 0;
  let h4 = seed | 0;
  for (let i = 0; i < blockWords; i += WORDS_PER_BLOCK) {
    h1 = rotate(h1 ^ Math.imul(rotate(Math.imul(words[i]!, C1), 15), C2), 19);
    h1 = (Math.imul((h1 + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 = rotate(h2 ^ Math.imul(rotate(Math.imul(words[i + 1]!, C2), 16), C3), 17);
    h2 = (Math.imul((h2 + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 = rotate(h3 ^ Math.imul(rotate(Math.imul(words[i + 2]!, C3), 17), C4), 15);
    h3 = (Math.imul((h3 + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 = rotate(h4 ^ Math.imul(rotate(Math.imul(words[i + 3]!, C4), 18), C1), 13);
    h4 = (Math.imul((h4 + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  // The tail is a block without the mixing of lanes; words that are not there count as zero and change nothing.
  if (blockWords + 3 < wordCount) h4 ^= Math.imul(rotate(Math.imul(words[blockWords + 3]!, C4), 18), C1);
  if (blockWords + 2 < wordCount) h3 ^= Math.imul(rotate(Math.imul(words[blockWords + 2]!, C3), 17), C4);
  if (blockWords + 1 < wordCount) h2 ^= Math.imul(rotate(Math.imul(words[blockWords + 1]!, C2), 16), C3);
  if (blockWords < wordCount) h1 ^= Math.imul(rotate(Math.imul(words[blockWords]!, C1), 15), C2);
  h1 ^= byteLength;
  h2 ^= byteLength;
  h3 ^= byteLength;
  h4 ^= byteLength;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h3 = finalMix(h3);
  h4 = finalMix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  out[0] = h1;
  out[1] = h2 + h1;
  out[2] = h3 + h1;
  out[3] = h4 + h1;
}

/** Hashes bytes; the lanes are written to `out`. */
export function murmur3OfBytes(bytes: Uint8Array, seed: number, out: Hash128): void {
  const input = new HashInput(bytes.length);
  input.bytes(bytes);
  input.digest(seed, out);
}

/** Bytes gathered to be hashed. It is kept and cleared, as a new symbol is hashed for every few samples that arrive. */
export class HashInput {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = Buffer.alloc(paddedBytes(capacity));
  }

  clear(): void {
    this.#length = 0;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  bytes(values: Uint8Array): void {
    this.#reserve(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  /** The length of the text in bytes, and its UTF-8. */
  text(value: string): void {
    this.#reserve(4 + value.length * MAX_UTF8_BYTES_PER_UNIT);
    const start = this.#length + 4;
    const length = this.#bytes.write(value, start, 'utf8');
    this.#bytes.writeUInt32LE(length, this.#length);
    this.#length = start + length;
  }

  /** The lanes of the hash of all since the last `clear` are written to `out`. */
  digest(seed: number, out: Hash128): void {
    this.#bytes.fill(0, this.#length, paddedBytes(this.#length));
    const words = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length / 4);
    murmur3OfWords(words, this.#length, seed, out);
  }

  #reserve(extra: number): void {
    const needed = paddedBytes(this.#length + extra);
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Up to the end of the last word. */
function paddedBytes(length: number): number {
  return Math.ceil(length / 4) * 4;
}
