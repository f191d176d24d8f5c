// SPDX-License-Identifier: Apache-2.0
//
// Stack traces of a chunk as stacks of a profile. Names are made once for each method, locations once for each frame
// and profile, stacks once for each stack trace and profile, and only of what a sample refers to.

import type { FunctionIndex, StackIndex } from '../../profile.ts';
import type { ProfileBuilder } from '../../profile-builder.ts';
import type { DecodeReport } from '../decode-report.ts';
import type { ConstantPools } from './jfr-constant-pools.ts';
import { stableName } from './jfr-generated-names.ts';
import type { NameBudget } from './name-budget.ts';

/** A method without a name: its key, or that of its class, is in no pool. */
const NO_NAME = null;
const UNKNOWN = -1;
const LEFT_OUT = -2;

/** Fields of a row of `ConstantPools.frames`. */
const FRAME_ITEMS = 5;

export class ChunkFrames {
  readonly #pools: ConstantPools;
  readonly #maxSymbolLength: number;
  readonly #report: DecodeReport;
  readonly #names: NameBudget;
  readonly #symbols: (string | undefined)[] = [];
  readonly #methodNames: (string | null | undefined)[] = [];
  readonly #profileFrameTypes = new Map<string, string>();

  constructor(pools: ConstantPools, maxSymbolLength: number, names: NameBudget, report: DecodeReport) {
    this.#pools = pools;
    this.#names = names;
    this.#maxSymbolLength = maxSymbolLength;
    this.#report = report;
  }

  /** For each profile one, as indexes are those of its builder. */
  for(builder: ProfileBuilder): ProfileStacks {
    return new ProfileStacks(this.#pools, this, builder, this.#report);
  }

  /** `Class.method`, or null when the pools do not say. */
  methodName(keyLow: number, keyHigh: number): string | null {
    const row = this.#pools.methods.find(keyLow, keyHigh);
    if (row < 0) {
      this.#report.repair('jfr_method_not_found');
      return NO_NAME;
    }
    const known = this.#methodNames[row];
    if (known !== undefined) return known;
    const name = this.#makeName(row);
    this.#methodNames[row] = name;
    return name;
  }

  /** profile.frame.type of the key of a jdk.types.FrameType. */
  frameType(keyLow: number, keyHigh: number): string {
    const key = `${keyHigh} ${keyLow}`;
    let type = this.#profileFrameTypes.get(key);
    if (type === undefined) {
      type = profileFrameType(this.#pools.frameType(keyLow, keyHigh));
      this.#profileFrameTypes.set(key, type);
    }
    return type;
  }

  #makeName(row: number): string | null {
    const symbols = this.#pools.methodSymbols(row);
    if (symbols === undefined) {
      this.#report.repair('jfr_class_not_found');
      return NO_NAME;
    }
    const name = `${this.#symbol(symbols.className)}.${this.#symbol(symbols.method)}`;
    this.#names.take(name.length);
    return this.#cut(name);
  }

  /** @param row of the pool of symbols, or -1 */
  #symbol(row: number): string {
    if (row < 0) return '';
    this.#symbols[row] ??= stableName(this.#cut(this.#pools.symbolText(row)));
    return this.#symbols[row];
  }

  #cut(name: string): string {
    if (name.length <= this.#maxSymbolLength) return name;
    this.#report.repair('symbol_truncated');
    return name.slice(-this.#maxSymbolLength).toWellFormed();
  }
}

/** Stacks of a chunk in one profile. */
export class ProfileStacks {
  readonly #pools: ConstantPools;
  readonly #frames: ChunkFrames;
  readonly #builder: ProfileBuilder;
  readonly #report: DecodeReport;
  readonly #locationOf: Int32Array;
  readonly #stackOf: Int32Array;
  readonly #functionOf = new Map<string, FunctionIndex>();
  readonly #scratch: number[] = [];

  constructor(pools: ConstantPools, frames: ChunkFrames, builder: ProfileBuilder, report: DecodeReport) {
    this.#pools = pools;
    this.#frames = frames;
    this.#builder = builder;
    this.#report = report;
    this.#locationOf = new Int32Array(pools.frames.length).fill(UNKNOWN);
    this.#stackOf = new Int32Array(pools.stackTraceCount).fill(UNKNOWN);
  }

  /** @param row of a stack trace. Frames without a name are left out and counted. */
  stack(row: number): StackIndex {
    let stack = this.#stackOf[row]!;
    if (stack === UNKNOWN) {
      const { stackStart, stackFrames } = this.#pools;
      const locations = this.#scratch;
      locations.length = 0;
      for (let i = stackStart.data[row]!; i < stackStart.data[row + 1]!; i++) {
        const location = this.#location(stackFrames.data[i]!);
        if (location !== LEFT_OUT) locations.push(location);
        else this.#report.repair('jfr_frame_left_out');
      }
      stack = this.#builder.stack(locations);
      this.#stackOf[row] = stack;
    }
    return stack;
  }

  #location(frame: number): number {
    let location = this.#locationOf[frame]!;
    if (location === UNKNOWN) {
      location = this.#makeLocation(frame);
      this.#locationOf[frame] = location;
    }
    return location;
  }

  #makeLocation(frame: number): number {
    const { items } = this.#pools.frames;
    const at = frame * FRAME_ITEMS;
    const name = this.#frames.methodName(items[at]!, items[at + 1]!);
    if (name === NO_NAME) return LEFT_OUT;
    let functionIndex = this.#functionOf.get(name);
    if (functionIndex === undefined) {
      functionIndex = this.#builder.function({ name });
      this.#functionOf.set(name, functionIndex);
    }
    return this.#builder.location({
      mapping: 0,
      address: 0n,
      frameType: this.#frames.frameType(items[at + 3]!, items[at + 4]!),
      lines: [{ function: functionIndex, line: items[at + 2]! }],
    });
  }
}

/** From what virtual machines write (`Interpreted`, `JIT compiled`, `Inlined`, `C1 compiled`, `Native`, `C++`,
 * `Kernel`) to the values of profile.frame.type. A method of Java is `jvm`, however it is executed. */
function profileFrameType(description: string): string {
  switch (description) {
    case '':
      return '';
    case 'Native':
    case 'C++':
      return 'native';
    case 'Kernel':
      return 'kernel';
    default:
      return 'jvm';
  }
}
