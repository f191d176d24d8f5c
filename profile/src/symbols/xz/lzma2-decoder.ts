// SPDX-License-Identifier: Apache-2.0
//
// LZMA2 chunks to bytes. The output is one buffer that is its own dictionary, so memory is bounded by the output limit
// and a distance can never reach outside of what was written.
//
//   control byte  0x00 end · 0x01 stored, dictionary reset · 0x02 stored
//                 0x80.. LZMA: bits 5-6 what is reset (nothing, state, +properties, +dictionary), bits 0-4 size bits 16-20
//   then          u16 unpacked size - 1, [u16 packed size - 1, [properties]], contents

import { FormatError } from '../../errors.ts';
import { RangeDecoder } from './range-decoder.ts';

const probabilityInit = 1024;
const stateCount = 12;
const maxPositionStates = 16;
const lengthToPositionStates = 4;
const alignBits = 4;
const startPositionModel = 4;
const endPositionModel = 14;
const fullDistances = 1 << (endPositionModel >>> 1);
const minMatchLength = 2;
const maxLiteralContextBits = 4;

function probabilities(count: number): Uint16Array {
  return new Uint16Array(count).fill(probabilityInit);
}

/** Lengths of matches: short ones have few bits, and depend on the position. */
class LengthModel {
  readonly #choice = probabilities(2);
  readonly #low = probabilities(maxPositionStates << 3);
  readonly #middle = probabilities(maxPositionStates << 3);
  readonly #high = probabilities(256);

  reset(): void {
    for (const model of [this.#choice, this.#low, this.#middle, this.#high]) model.fill(probabilityInit);
  }

  decode(decoder: RangeDecoder, positionState: number): number {
    if (decoder.bit(this.#choice, 0) === 0) {
      return minMatchLength + decoder.tree(this.#low, positionState << 3, 3);
    }
    if (decoder.bit(this.#choice, 1) === 0) {
      return minMatchLength + 8 + decoder.tree(this.#middle, positionState << 3, 3);
    }
    return minMatchLength + 16 + decoder.tree(this.#high, 0, 8);
  }
}

/** Decodes one LZMA2 stream into `output`, from `outputAt` on. */
export class Lzma2Decoder {
  readonly #input: Uint8Array;
  readonly #output: Uint8Array;
  readonly #decoder: RangeDecoder;
  /** Where matches may not reach below. */
  #dictionaryStart = 0;
  #inputAt: number;
  #outputAt: number;

  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  readonly #literal = probabilities(0x300 << maxLiteralContextBits);
  readonly #isMatch = probabilities(stateCount * maxPositionStates);
  readonly #isRep = probabilities(stateCount);
  readonly #isRep0 = probabilities(stateCount);
  readonly #isRep1 = probabilities(stateCount);
  readonly #isRep2 = probabilities(stateCount);
  readonly #isRep0Long = probabilities(stateCount * maxPositionStates);
  readonly #positionSlot = probabilities(lengthToPositionStates << 6);
  readonly #position = probabilities(1 + fullDistances - endPositionModel);
  readonly #align = probabilities(1 << alignBits);
  readonly #matchLength = new LengthModel();
  readonly #repLength = new LengthModel();

  constructor(input: Uint8Array, inputAt: number, output: Uint8Array, outputAt: number) {
    this.#input = input;
    this.#inputAt = inputAt;
    this.#output = output;
    this.#outputAt = outputAt;
    this.#decoder = new RangeDecoder(input);
  }

  /** Decodes up to and with the end marker. Throws FormatError; returns where input and output ended. */
  decode(): { inputAt: number; outputAt: number } {
    let needsDictionaryReset = true;
    let needsProperties = true;
    let needsState = true;
    for (;;) {
      const control = this.#byte();
      if (control === 0) return { inputAt: this.#inputAt, outputAt: this.#outputAt };
      if (control === 1 || control >= 0xe0) {
        needsDictionaryReset = false;
        needsProperties = true;
        this.#dictionaryStart = this.#outputAt;
      } else if (needsDictionaryReset) {
        throw this.#error('the first chunk does not reset the dictionary');
      }
      if (control < 0x80) {
        if (control > 2) throw this.#error(`unknown chunk ${control}`);
        this.#copyStored();
        continue;
      }
      const unpacked = ((control & 0x1f) << 16) + this.#uint16() + 1;
      const packed = this.#uint16() + 1;
      if (control >= 0xc0) {
        this.#readProperties(this.#byte());
        needsProperties = false;
        needsState = false;
        this.#resetState();
      } else if (needsProperties) {
        throw this.#error('a chunk comes before its properties');
      } else if (control >= 0xa0) {
        needsState = false;
        this.#resetState();
      } else if (needsState) {
        throw this.#error('a chunk comes before its state');
      }
      this.#decodeChunk(unpacked, packed);
    }
  }

  #copyStored(): void {
    const size = this.#uint16() + 1;
    if (this.#inputAt + size > this.#input.byteLength) throw this.#error('a stored chunk is cut short');
    this.#checkRoom(size);
    this.#output.set(this.#input.subarray(this.#inputAt, this.#inputAt + size), this.#outputAt);
    this.#inputAt += size;
    this.#outputAt += size;
  }

  #readProperties(properties: number): void {
    if (properties >= 9 * 5 * 5) throw this.#error(`properties ${properties} are out of range`);
    this.#literalContextBits = properties % 9;
    const literalPositionBits = Math.floor(properties / 9) % 5;
    if (this.#literalContextBits + literalPositionBits > maxLiteralContextBits) {
      throw this.#error(`properties ${properties} have too many literal bits`);
    }
    this.#literalPositionMask = (1 << literalPositionBits) - 1;
    this.#positionMask = (1 << Math.floor(properties / 45)) - 1;
  }

  #resetState(): void {
    this.#state = 0;
    this.#rep0 = this.#rep1 = this.#rep2 = this.#rep3 = 0;
    for (const model of [
      this.#literal,
      this.#isMatch,
      this.#isRep,
      this.#isRep0,
      this.#isRep1,
      this.#isRep2,
      this.#isRep0Long,
      this.#positionSlot,
      this.#position,
      this.#align,
    ]) {
      model.fill(probabilityInit);
    }
    this.#matchLength.reset();
    this.#repLength.reset();
  }

  #decodeChunk(unpacked: number, packed: number): void {
    this.#checkRoom(unpacked);
    if (this.#inputAt + packed > this.#input.byteLength) throw this.#error('a chunk is cut short');
    const decoder = this.#decoder;
    decoder.start(this.#inputAt, this.#inputAt + packed);
    const limit = this.#outputAt + unpacked;
    while (this.#outputAt < limit) {
      const positionState = (this.#outputAt - this.#dictionaryStart) & this.#positionMask;
      if (decoder.bit(this.#isMatch, (this.#state << 4) + positionState) === 0) this.#decodeLiteral();
      else this.#copyMatch(this.#decodeMatch(positionState), limit);
    }
    decoder.finish();
    this.#inputAt += packed;
  }

  #decodeLiteral(): void {
    const decoder = this.#decoder;
    const at = this.#outputAt;
    const position = at - this.#dictionaryStart;
    const previous = position > 0 ? this.#output[at - 1]! : 0;
    const context =
      ((position & this.#literalPositionMask) << this.#literalContextBits) +
      (previous >>> (8 - this.#literalContextBits));
    const base = 0x300 * context;
    let symbol = 1;
    if (this.#state >= 7) {
      let match = this.#byteBack(this.#rep0);
      while (symbol < 0x100) {
        const matchBit = (match >>> 7) & 1;
        match <<= 1;
        const bit = decoder.bit(this.#literal, base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | decoder.bit(this.#literal, base + symbol);
    this.#output[this.#outputAt++] = symbol & 0xff;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  /** Decodes which match comes next, leaves its distance in `rep0` and returns its length. */
  #decodeMatch(positionState: number): number {
    const decoder = this.#decoder;
    const state = this.#state;
    if (decoder.bit(this.#isRep, state) === 0) {
      this.#rep3 = this.#rep2;
      this.#rep2 = this.#rep1;
      this.#rep1 = this.#rep0;
      this.#state = state < 7 ? 7 : 10;
      const length = this.#matchLength.decode(decoder, positionState);
      this.#rep0 = this.#decodeDistance(length);
      return length;
    }
    if (decoder.bit(this.#isRep0, state) === 0) {
      if (decoder.bit(this.#isRep0Long, (state << 4) + positionState) === 0) {
        this.#state = state < 7 ? 9 : 11;
        return 1;
      }
    } else {
      let distance = this.#rep1;
      if (decoder.bit(this.#isRep1, state) === 1) {
        distance = this.#rep2;
        if (decoder.bit(this.#isRep2, state) === 1) {
          distance = this.#rep3;
          this.#rep3 = this.#rep2;
        }
        this.#rep2 = this.#rep1;
      }
      this.#rep1 = this.#rep0;
      this.#rep0 = distance;
    }
    this.#state = state < 7 ? 8 : 11;
    return this.#repLength.decode(decoder, positionState);
  }

  #decodeDistance(length: number): number {
    const decoder = this.#decoder;
    const lengthState = Math.min(length - minMatchLength, lengthToPositionStates - 1);
    const slot = decoder.tree(this.#positionSlot, lengthState << 6, 6);
    if (slot < startPositionModel) return slot;
    const directBits = (slot >>> 1) - 1;
    const distance = (2 | (slot & 1)) << directBits;
    if (slot < endPositionModel) {
      return distance + decoder.reverseTree(this.#position, distance - slot, directBits);
    }
    const high = decoder.direct(directBits - alignBits) << alignBits;
    return (distance + high + decoder.reverseTree(this.#align, 0, alignBits)) >>> 0;
  }

  #copyMatch(length: number, limit: number): void {
    const distance = this.#rep0 + 1;
    if (distance > this.#outputAt - this.#dictionaryStart) {
      throw this.#error(`a match of distance ${distance} begins before the data`);
    }
    if (this.#outputAt + length > limit) throw this.#error('a match reaches over the end of its chunk');
    const output = this.#output;
    for (let i = 0; i < length; i++) {
      output[this.#outputAt] = output[this.#outputAt - distance]!;
      this.#outputAt++;
    }
  }

  #byteBack(distance: number): number {
    return distance < this.#outputAt - this.#dictionaryStart
      ? this.#output[this.#outputAt - distance - 1]!
      : 0;
  }

  #checkRoom(size: number): void {
    if (this.#outputAt + size > this.#output.byteLength) {
      throw this.#error(`the data are longer than the ${this.#output.byteLength} bytes announced`);
    }
  }

  #byte(): number {
    if (this.#inputAt >= this.#input.byteLength) throw this.#error('the data are cut short');
    return this.#input[this.#inputAt++]!;
  }

  #uint16(): number {
    return (this.#byte() << 8) | this.#byte();
  }

  #error(what: string): FormatError {
    return new FormatError('xz', this.#inputAt, what);
  }
}
