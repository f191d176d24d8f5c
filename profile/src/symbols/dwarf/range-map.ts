// SPDX-License-Identifier: Apache-2.0
//
// Functions of a unit by address. Ranges are put in as the entries come, callers before what was inlined into them, and
// a later one covers what it overlaps of the one in front of it:
//
//   outer          [──────────────────)              outer  inner  outer
//   then inner           [──────)             gives  [─────)[─────)[─────)
//
// It follows LLVM's rule to the letter also where ranges are not nested: each start keeps the latest range that
// began there, and an address belongs to the nearest start before it, if that range reaches it.

/** A list of sorted blocks, so that a range in the middle moves few others. */
const blockCapacity = 512;

interface Block {
  readonly lows: Float64Array;
  readonly highs: Float64Array;
  readonly values: Uint32Array;
  count: number;
}

/** Collects ranges; `finish` gives the map. */
export class RangeMapBuilder {
  readonly #blocks: Block[] = [newBlock()];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds a range with its value. */
  add(low: number, high: number, value: number): void {
    let block = this.#blockAt(low);
    const at = upperBound(block.lows, block.count, low) - 1;
    if (at >= 0 && low < block.highs[at]!) {
      // It begins within the range before, which goes on behind it where it is the longer one.
      const outerHigh = block.highs[at]!;
      const outerValue = block.values[at]!;
      if (low > block.lows[at]!) block.highs[at] = low;
      if (high < outerHigh) {
        this.#put(block, high, outerHigh, outerValue);
        block = this.#blockAt(low);
      }
    }
    this.#put(block, low, high, value);
  }

  finish(): RangeMap {
    const lows = new Float64Array(this.#count);
    const highs = new Float64Array(this.#count);
    const values = new Uint32Array(this.#count);
    let at = 0;
    for (const block of this.#blocks) {
      lows.set(block.lows.subarray(0, block.count), at);
      highs.set(block.highs.subarray(0, block.count), at);
      values.set(block.values.subarray(0, block.count), at);
      at += block.count;
    }
    return new RangeMap(lows, highs, values);
  }

  /** The last block that begins at or before `low`, else the first. */
  #blockAt(low: number): Block {
    return this.#blocks[this.#blockIndexAt(low)]!;
  }

  #blockIndexAt(low: number): number {
    let from = 0;
    let to = this.#blocks.length;
    while (to - from > 1) {
      const middle = (from + to) >>> 1;
      if (this.#blocks[middle]!.lows[0]! <= low) from = middle;
      else to = middle;
    }
    return from;
  }

  /** Sets what begins at `low`; `hint` is the block it belongs to, unless that is a later one. */
  #put(hint: Block, low: number, high: number, value: number): void {
    let block = hint;
    if (block.count > 0 && low > block.lows[block.count - 1]!) block = this.#blockAt(low);
    const at = upperBound(block.lows, block.count, low);
    if (at > 0 && block.lows[at - 1] === low) {
      block.highs[at - 1] = high;
      block.values[at - 1] = value;
      return;
    }
    if (block.count === blockCapacity) {
      this.#split(block);
      this.#put(this.#blockAt(low), low, high, value);
      return;
    }
    block.lows.copyWithin(at + 1, at, block.count);
    block.highs.copyWithin(at + 1, at, block.count);
    block.values.copyWithin(at + 1, at, block.count);
    block.lows[at] = low;
    block.highs[at] = high;
    block.values[at] = value;
    block.count++;
    this.#count++;
  }

  #split(block: Block): void {
    const index = this.#blockIndexAt(block.lows[0]!);
    const next = newBlock();
    // A block that is filled from its end on is left nearly full, since entries mostly come in order.
    const keep = index === this.#blocks.length - 1 ? blockCapacity - 16 : blockCapacity >>> 1;
    next.lows.set(block.lows.subarray(keep));
    next.highs.set(block.highs.subarray(keep));
    next.values.set(block.values.subarray(keep));
    next.count = blockCapacity - keep;
    block.count = keep;
    this.#blocks.splice(index + 1, 0, next);
  }
}

/** Values by address. */
export class RangeMap {
  readonly #lows: Float64Array;
  readonly #highs: Float64Array;
  readonly #values: Uint32Array;

  constructor(lows: Float64Array, highs: Float64Array, values: Uint32Array) {
    this.#lows = lows;
    this.#highs = highs;
    this.#values = values;
  }

  get byteSize(): number {
    return this.#lows.length * 20;
  }

  /** The value at the address, -1 when there is none. */
  find(address: number): number {
    const at = upperBound(this.#lows, this.#lows.length, address) - 1;
    return at >= 0 && address < this.#highs[at]! ? this.#values[at]! : -1;
  }
}

function newBlock(): Block {
  return {
    lows: new Float64Array(blockCapacity),
    highs: new Float64Array(blockCapacity),
    values: new Uint32Array(blockCapacity),
    count: 0,
  };
}

/** Index of the first key above `key`. */
function upperBound(keys: Float64Array, count: number, key: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
