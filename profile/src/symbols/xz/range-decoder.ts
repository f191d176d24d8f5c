// SPDX-License-Identifier: Apache-2.0
//
// The range decoder of LZMA: bits with adaptive probabilities of 11 bits, out of the bytes of one chunk. Numbers stay
// below 2^32, so that they are plain integers.

import { FormatError } from '../../errors.ts';

const probabilityBits = 11;
const adaptationShift = 5;
const probabilityOne = 1 << probabilityBits;
const topValue = 0x1000000;

export class RangeDecoder {
  readonly #input: Uint8Array;
  #at = 0;
  #limit = 0;
  #range = 0;
  #code = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
  }

  /** Begins a chunk of the bytes `from` to `limit`. */
  start(from: number, limit: number): void {
    this.#at = from;
    this.#limit = limit;
    if (limit - from < 5 || this.#input[from] !== 0) {
      throw new FormatError('xz', from, 'a chunk does not begin as it must');
    }
    this.#range = 0xffffffff;
    this.#code = 0;
    this.#at++;
    for (let i = 0; i < 4; i++) this.#code = ((this.#code << 8) | this.#input[this.#at++]!) >>> 0;
  }

  /** Ends a chunk: all of its bytes must be used up. */
  finish(): void {
    if (this.#range < topValue) this.#normalize();
    if (this.#at !== this.#limit || this.#code !== 0) {
      throw new FormatError('xz', this.#at, 'a chunk does not end where its size says');
    }
  }

  /** One bit with the probability at `index`, which adapts. */
  bit(probabilities: Uint16Array, index: number): number {
    if (this.#range < topValue) this.#normalize();
    const probability = probabilities[index]!;
    const bound = (this.#range >>> probabilityBits) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      probabilities[index] = probability + ((probabilityOne - probability) >>> adaptationShift);
      return 0;
    }
    this.#range -= bound;
    this.#code -= bound;
    probabilities[index] = probability - (probability >>> adaptationShift);
    return 1;
  }

  /** `bits` bits, the highest first, each with a probability of its own by the bits before. */
  tree(probabilities: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.bit(probabilities, base + symbol);
    return symbol - (1 << bits);
  }

  /** As {@link tree}, the lowest bit first. */
  reverseTree(probabilities: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(probabilities, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  /** Bits of even probability, the highest first. */
  direct(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      if (this.#range < topValue) this.#normalize();
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit === 1) this.#code -= this.#range;
      value = (value << 1) | bit;
    }
    return value;
  }

  #normalize(): void {
    if (this.#at >= this.#limit)
      throw new FormatError('xz', this.#at, 'a chunk is longer than its size says');
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | this.#input[this.#at++]!) >>> 0;
  }
}
