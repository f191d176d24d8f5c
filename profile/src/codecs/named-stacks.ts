// SPDX-License-Identifier: Apache-2.0
//
// Where the decoders of text and tree formats put what they read: stacks of named frames, root first. The stacks are
// kept as a tree until the end, so that a deep stack costs one step per event or node of the input and not its depth,
// and the limits are checked before the Profile is made.

import { Uint32Column } from '../column.ts';
import { FormatError, HearthscopeError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import { type LocationInput, ProfileBuilder, type ProfileHeader } from '../profile-builder.ts';
import { UintListTable } from '../uint-list-table.ts';
import { samplesLimit } from './decode-limit-error.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';

/** Numbered from 0 in order of first use. */
export type FrameIndex = number;
/** A stack, as the node of a tree that is its leaf. */
export type StackNode = number;

/** One frame of a stack, by what a text says about it. */
export interface NamedFrame {
  readonly name: string;
  readonly filename?: string;
  readonly line?: number;
  readonly column?: number;
}

/** A frame of which only the place in a binary is known. */
export interface AddressFrame {
  readonly address: bigint;
  readonly binary: string;
}

const EMPTY_HEADER: ProfileHeader = {
  timeUnixNanos: 0n,
  durationNanos: 0n,
  sampleTypes: [{ type: 'samples', unit: 'count' }],
  periodType: { type: '', unit: '' },
  period: 0n,
};

const MAX_INT64 = 2n ** 63n - 1n;
const NODE_FIELDS = 2;
/** Stands for all frames below the deepest one that is kept. */
const CUT_OFF = 0xffff_ffff;

/** The empty stack. */
export const ROOT: StackNode = 0;

export class NamedStacks {
  readonly #format: string;
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport | undefined;
  readonly #builder: ProfileBuilder;
  /** The location of each frame. */
  readonly #locations: number[] = [];
  readonly #frameOfName = new Map<string, FrameIndex>();
  readonly #frameOfLocation = new Map<number, FrameIndex>();
  /** [parent, frame] of each node; a parent always comes before its children. */
  readonly #nodes = new UintListTable();
  readonly #depth = new Uint32Column();
  readonly #self = new Map<StackNode, bigint>();
  readonly #scratch = new Uint32Array(NODE_FIELDS);
  #total = 0n;

  /** @param format for errors, e.g. `collapsed` @param header what is known of the profile; one sample type, `samples` in
   * `count` unless it says otherwise @param report gets what is left out or changed; without it the first bad part of
   * the input is thrown */
  constructor(
    format: string,
    header: Partial<ProfileHeader>,
    limits: DecodeLimits,
    report: DecodeReport | undefined,
  ) {
    this.#format = format;
    this.#limits = limits;
    this.#report = report;
    this.#builder = new ProfileBuilder({ ...EMPTY_HEADER, ...header });
    this.#scratch.fill(CUT_OFF);
    this.#nodes.intern(this.#scratch);
    this.#depth.push(0);
  }

  /** The frame of a function of which nothing but the name is known. */
  name(name: string): FrameIndex {
    let frame = this.#frameOfName.get(name);
    if (frame === undefined) {
      frame = this.frame({ name });
      this.#frameOfName.set(name, frame);
    }
    return frame;
  }

  frame({ name, filename = '', line = 0, column = 0 }: NamedFrame): FrameIndex {
    const functionIndex = this.#builder.function({
      name: this.#symbol(name),
      filename: this.#symbol(filename),
    });
    return this.#add({ mapping: 0, address: 0n, lines: [{ function: functionIndex, line, column }] });
  }

  addressFrame({ address, binary }: AddressFrame): FrameIndex {
    const mapping = this.#builder.mapping({
      start: 0n,
      limit: 0n,
      fileOffset: 0n,
      filename: this.#symbol(binary),
      buildId: '',
    });
    return this.#add({ mapping, address, lines: [] });
  }

  /** The stack with one more frame at the leaf. Frames beyond the depth limit are cut off.
   * @throws HearthscopeError when there are more stacks than decoded rows are allowed */
  child(parent: StackNode, frame: FrameIndex): StackNode {
    if (this.#isCutOff(parent)) return parent;
    const depth = this.#depth.data[parent]!;
    this.#scratch[0] = parent;
    this.#scratch[1] = depth < this.#limits.maxStackDepth ? frame : CUT_OFF;
    const node = this.#nodes.intern(this.#scratch);
    if (node === this.#depth.length) {
      this.#checkRows('nodes', node, this.#limits.maxDecodedRows);
      this.#depth.push(depth + 1);
    }
    return node;
  }

  /** Adds to the value of a stack. A value of the empty stack belongs to nothing and is left out.
   * @param value not negative @param offset of the value in the input where it has one, for the error
   * @throws HearthscopeError when all values together leave int64 */
  add(stack: StackNode, value: bigint, offset?: number): void {
    if (value === 0n) return;
    if (stack === ROOT) {
      this.#report?.repair('empty_stack');
      return;
    }
    this.#total += value;
    if (this.#total > MAX_INT64) {
      const what = 'the values do not fit in 64 bits';
      if (offset !== undefined) throw new FormatError(this.#format, offset, what);
      throw new HearthscopeError('invalid_argument', `${this.#format}: ${what}`);
    }
    const isCutOff = this.#isCutOff(stack);
    if (isCutOff) this.#report?.repair('stack_truncated');
    const kept = isCutOff ? this.#parentOf(stack) : stack;
    this.#self.set(kept, (this.#self.get(kept) ?? 0n) + value);
  }

  /** A part of the input that cannot be read and is left out: counted, or thrown when nobody counts. */
  malformed(error: FormatError): void {
    if (this.#report === undefined) throw error;
    this.#report.reject('sample', 'malformed_line', error.message);
  }

  /** @throws HearthscopeError when there are more stacks, or more frames in all of them, than the limits allow */
  build(): Profile {
    const { maxSamples, maxDecodedRows } = this.#limits;
    if (this.#self.size > maxSamples) throw samplesLimit(this.#format, this.#self.size, maxSamples);
    let frames = 0;
    for (const stack of this.#self.keys()) frames += this.#depth.data[stack]!;
    this.#checkRows('frames of all stacks', frames, maxDecodedRows);
    const locations = new Uint32Column();
    for (const [stack, value] of this.#self) {
      locations.length = 0;
      for (let node = stack; node !== ROOT; node = this.#parentOf(node)) {
        locations.push(this.#locations[this.#frameOf(node)]!);
      }
      this.#builder.addSample(this.#builder.stack(locations.data.subarray(0, locations.length)), [value]);
    }
    return this.#builder.build();
  }

  #add(location: LocationInput): FrameIndex {
    const index = this.#builder.location(location);
    let frame = this.#frameOfLocation.get(index);
    if (frame === undefined) {
      this.#checkRows('distinct frames', this.#locations.length + 1, this.#limits.maxTableRows);
      frame = this.#locations.push(index) - 1;
      this.#frameOfLocation.set(index, frame);
    }
    return frame;
  }

  #symbol(text: string): string {
    const { maxSymbolLength } = this.#limits;
    if (text.length <= maxSymbolLength) return text;
    this.#report?.repair('symbol_truncated');
    return text.slice(-maxSymbolLength).toWellFormed();
  }

  #isCutOff(node: StackNode): boolean {
    return node !== ROOT && this.#frameOf(node) === CUT_OFF;
  }

  #parentOf(node: StackNode): StackNode {
    return this.#nodes.items[node * NODE_FIELDS]!;
  }

  #frameOf(node: StackNode): FrameIndex {
    return this.#nodes.items[node * NODE_FIELDS + 1]!;
  }

  #checkRows(what: string, actual: number, limit: number): void {
    if (actual <= limit) return;
    throw new HearthscopeError(
      'invalid_argument',
      `${this.#format}: ${actual} ${what} exceed the limit of ${limit}`,
    );
  }
}
