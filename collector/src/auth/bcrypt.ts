// SPDX-License-Identifier: Apache-2.0
//
// Checks passwords against bcrypt hashes, which is what `htpasswd -B` writes and what Prometheus and nginx read. Node has
// no bcrypt of its own. The algorithm: Provos and Mazières, "A Future-Adaptable Password Scheme", 1999.

import { timingSafeEqual } from 'node:crypto';

/** Each step doubles the time; at this one a check takes about a second. */
export const MAX_BCRYPT_COST = 12;
const MIN_BCRYPT_COST = 4;

const HASH = /^\$2[aby]\$(\d{2})\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/;
const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const ROUNDS = 16;
const SUBKEYS = ROUNDS + 2;
const BOX_SIZE = 256;
const STATE_WORDS = SUBKEYS + 4 * BOX_SIZE;
/** The text that is encrypted, as three blocks. */
const MAGIC = 'OrpheanBeholderScryDoubt';
const MAX_PASSWORD_BYTES = 72;
/** The last byte of the sum is not part of the hash. */
const HASH_BYTES = 23;

let initialState: Uint32Array | undefined;

/** Whether a text is a hash that {@link bcryptMatches} can check. */
export function isBcryptHash(text: string): boolean {
  const match = HASH.exec(text);
  const cost = Number(match?.[1]);
  return match !== null && cost >= MIN_BCRYPT_COST && cost <= MAX_BCRYPT_COST;
}

/** @param hash one of {@link isBcryptHash} */
export function bcryptMatches(password: string, hash: string): boolean {
  const [, cost, salt, expected] = HASH.exec(hash) as unknown as [string, string, string, string];
  const sum = bcryptSum(password, Number(cost), decode(salt, 16));
  return timingSafeEqual(sum.subarray(0, HASH_BYTES), decode(expected, HASH_BYTES));
}

function bcryptSum(password: string, cost: number, salt: Buffer): Buffer {
  const key = Buffer.from(`${password}\0`).subarray(0, MAX_PASSWORD_BYTES);
  initialState ??= digitsOfPi();
  const state = new Blowfish(initialState);
  const keyWords = cycledWords(key);
  const saltWords = cycledWords(salt);
  state.expand(keyWords, saltWords);
  const nothing = new Uint32Array(SUBKEYS);
  for (let i = 0; i < 2 ** cost; i++) {
    state.expand(keyWords, nothing);
    state.expand(saltWords, nothing);
  }
  const text = Buffer.from(MAGIC);
  for (let at = 0; at < text.length; at += 8) {
    const block = Uint32Array.of(text.readUInt32BE(at), text.readUInt32BE(at + 4));
    for (let i = 0; i < 64; i++) state.encrypt(block, 0);
    text.writeUInt32BE(block[0]!, at);
    text.writeUInt32BE(block[1]!, at + 4);
  }
  return text;
}

/** As many words as there are subkeys, of bytes that repeat. */
function cycledWords(bytes: Buffer): Uint32Array {
  return Uint32Array.from({ length: SUBKEYS }, (_, word) => {
    let value = 0;
    for (let i = 0; i < 4; i++) value = (value << 8) | bytes[(4 * word + i) % bytes.length]!;
    return value;
  });
}

class Blowfish {
  /** The subkeys, then the four boxes. */
  readonly #state: Uint32Array;

  constructor(initial: Uint32Array) {
    this.#state = Uint32Array.from(initial);
  }

  /** @param salt its first four words count, over and over */
  expand(key: Uint32Array, salt: Uint32Array): void {
    const state = this.#state;
    for (let i = 0; i < SUBKEYS; i++) state[i] = state[i]! ^ key[i]!;
    const block = new Uint32Array(2);
    for (let i = 0; i < STATE_WORDS; i += 2) {
      block[0] = block[0]! ^ salt[i % 4]!;
      block[1] = block[1]! ^ salt[(i + 1) % 4]!;
      this.encrypt(block, 0);
      state[i] = block[0];
      state[i + 1] = block[1];
    }
  }

  /** Two words, in place. */
  encrypt(words: Uint32Array, at: number): void {
    const state = this.#state;
    let left = words[at]!;
    let right = words[at + 1]!;
    for (let round = 0; round < ROUNDS; round++) {
      left ^= state[round]!;
      const first = state[SUBKEYS + (left >>> 24)]! + state[SUBKEYS + BOX_SIZE + ((left >>> 16) & 0xff)]!;
      const mixed =
        ((first ^ state[SUBKEYS + 2 * BOX_SIZE + ((left >>> 8) & 0xff)]!) +
          state[SUBKEYS + 3 * BOX_SIZE + (left & 0xff)]!) |
        0;
      const swapped = right ^ mixed;
      right = left;
      left = swapped;
    }
    words[at] = right ^ state[SUBKEYS - 1]!;
    words[at + 1] = left ^ state[SUBKEYS - 2]!;
  }
}

/** The binary digits of π behind the point: what Blowfish starts from, as they follow no plan of its authors. */
function digitsOfPi(): Uint32Array {
  const guardBits = 64n;
  const one = 1n << (BigInt(32 * STATE_WORDS) + guardBits);
  // Machin: π = 16 arctan 1/5 - 4 arctan 1/239.
  const pi = 16n * arctanOfInverse(5n, one) - 4n * arctanOfInverse(239n, one);
  const digits = ((pi - 3n * one) >> guardBits).toString(16).padStart(8 * STATE_WORDS, '0');
  return Uint32Array.from({ length: STATE_WORDS }, (_, word) =>
    Number.parseInt(digits.slice(8 * word, 8 * word + 8), 16),
  );
}

function arctanOfInverse(x: bigint, one: bigint): bigint {
  let sum = 0n;
  let sign = 1n;
  let divisor = 1n;
  for (let power = one / x; power !== 0n; power /= x * x) {
    sum += (sign * power) / divisor;
    sign = -sign;
    divisor += 2n;
  }
  return sum;
}

/** Base64 with an alphabet of its own, most significant bits first. */
function decode(text: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let bits = 0;
  let pending = 0;
  let at = 0;
  for (const character of text) {
    pending = ((pending << 6) | ALPHABET.indexOf(character)) & 0xffff;
    bits += 6;
    if (bits >= 8 && at < length) {
      bits -= 8;
      bytes[at++] = (pending >>> bits) & 0xff;
    }
  }
  return bytes;
}
