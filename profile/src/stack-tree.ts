// SPDX-License-Identifier: Apache-2.0
//
// Stacks merged into a tree by function name, from the root down: what a flame graph shows. Nodes are rows of typed
// arrays and a parent always comes before its children (`parent[n] < n`), so that one pass from the back gives totals
// and one from the front gives depths. Row 0 is the virtual root above all stacks.
//
// Values are int64 and sums are exact. A merge over a fleet leaves the exact range of number soon (2^53 ns are 104 days
// of CPU time), so they stay BigInt64Array; only one addition per stack and per node is done in bigint.

import { Uint32Column } from './column.ts';
import { HearthscopeError } from './errors.ts';
import { locationFramesInSteps } from './frame-name.ts';
import type { Profile } from './profile.ts';
import { finish, type Steps } from './steps.ts';
import { type TreeNodes, TreeShape, totalsInSteps } from './tree-shape.ts';

export interface StackTree extends TreeNodes {
  /** Value of the stacks that end here. */
  readonly self: BigInt64Array;
  /** `self` of the node and all below it. */
  readonly total: BigInt64Array;
}

/** Stacks with their sums, as a query has them. */
export interface StackSums {
  readonly names: readonly string[];
  /** `frame[start[s] .. start[s + 1]]` are the names of stack s, leaf first, inlined functions as frames of their own. */
  readonly start: Uint32Array;
  readonly frame: Uint32Array;
  readonly value: BigInt64Array;
}

const INITIAL_NODES = 1024;
/** Stacks handled in one step. */
const STACKS_PER_STEP = 1024;
/** Samples handled in one step. */
const SAMPLES_PER_STEP = 1 << 16;
/** Names handled in one step. */
const NAMES_PER_STEP = 4096;
/** Frames handled in one step. */
const FRAMES_PER_STEP = 1 << 18;
const MAX_INT64 = 2n ** 63n - 1n;

/** Builds a tree from any number of sources, whose names are merged. */
export class StackTreeBuilder {
  readonly #names: string[] = [];
  readonly #nameIndex = new Map<string, number>();
  readonly #shape = new TreeShape();
  #self = new BigInt64Array(INITIAL_NODES);
  #total = 0n;
  /** Names and nodes of the stack added last, root first: neighbours share most of their way down. */
  readonly #path: { name: number; node: number }[] = [];

  name(text: string): number {
    let index = this.#nameIndex.get(text);
    if (index === undefined) {
      index = this.#names.push(text) - 1;
      this.#nameIndex.set(text, index);
    }
    return index;
  }

  /** Adds `value` to the stack `frames[from .. to]`, leaf first, of indexes given out by {@link name}. A value of zero
   * leaves no nodes. @param value not negative @returns the node of the leaf, 0 when there is none
   * @throws HearthscopeError when the sum of all values leaves int64 */
  add(frames: ArrayLike<number>, value: bigint, from = 0, to = frames.length): number {
    if (value === 0n) return 0;
    if (value < 0n) throw new HearthscopeError('invalid_argument', `a stack has the negative value ${value}`);
    this.#total += value;
    if (this.#total > MAX_INT64) {
      throw new HearthscopeError('invalid_argument', 'the values of all stacks do not fit in 64 bits');
    }
    const node = this.#descend(frames, from, to);
    if (this.#shape.length > this.#self.length) this.#growSelf();
    this.#self[node] = this.#self[node]! + value;
    return node;
  }

  addSums(sums: StackSums): void {
    finish(this.addSumsInSteps(sums));
  }

  /** @returns the node of each stack's leaf */
  *addSumsInSteps({ names, start, frame, value }: StackSums): Steps<Uint32Array> {
    const nameOf = new Uint32Array(names.length);
    for (let name = 0; name < names.length; name++) {
      if (name % NAMES_PER_STEP === 0) yield;
      nameOf[name] = this.name(names[name]!);
    }
    const frames = new Uint32Array(frame.length);
    for (let at = 0; at < frame.length; at++) {
      if (at % FRAMES_PER_STEP === 0) yield;
      frames[at] = nameOf[frame[at]!]!;
    }
    const nodes = new Uint32Array(value.length);
    for (let stack = 0; stack < value.length; stack++) {
      if (stack % STACKS_PER_STEP === 0) yield;
      nodes[stack] = this.add(frames, value[stack]!, start[stack]!, start[stack + 1]!);
    }
    return nodes;
  }

  /** @param valueType which of the profile's sample types to add */
  addProfile(profile: Profile, valueType = 0): void {
    this.addSums(stackSums(profile, valueType));
  }

  build(): StackTree {
    return finish(this.buildInSteps());
  }

  *buildInSteps(): Steps<StackTree> {
    const nodes = { names: [...this.#names], ...this.#shape.finish() };
    const self = this.#self.slice(0, nodes.length);
    return { ...nodes, self, total: yield* totalsInSteps(nodes, self) };
  }

  #descend(frames: ArrayLike<number>, from: number, to: number): number {
    const path = this.#path;
    let depth = 0;
    let at = to - 1;
    while (at >= from && depth < path.length && path[depth]!.name === frames[at]) {
      depth++;
      at--;
    }
    path.length = depth;
    let node = depth === 0 ? 0 : path[depth - 1]!.node;
    for (; at >= from; at--) {
      const name = frames[at]!;
      node = this.#shape.child(node, name);
      path.push({ name, node });
    }
    return node;
  }

  #growSelf(): void {
    let capacity = this.#self.length;
    while (capacity < this.#shape.length) capacity *= 2;
    const self = new BigInt64Array(capacity);
    self.set(this.#self);
    this.#self = self;
  }
}

export function buildStackTree(input: StackSums): StackTree {
  return finish(buildStackTreeInSteps(input));
}

export function* buildStackTreeInSteps(input: StackSums): Steps<StackTree> {
  const builder = new StackTreeBuilder();
  yield* builder.addSumsInSteps(input);
  return yield* builder.buildInSteps();
}

/** The stacks of a profile with the sums of their samples. @param valueType which of the profile's sample types */
export function stackSums(profile: Profile, valueType = 0): StackSums {
  return finish(stackSumsInSteps(profile, valueType));
}

export function* stackSumsInSteps(profile: Profile, valueType = 0): Steps<StackSums> {
  const { stacks, samples } = profile;
  const values = samples.values[valueType];
  if (values === undefined)
    throw new HearthscopeError('invalid_argument', `the profile has no sample type ${valueType}`);
  const frames = yield* locationFramesInSteps(profile);
  const start = new Uint32Array(stacks.length + 1);
  const frame = new Uint32Column();
  for (let stack = 0; stack < stacks.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    for (let i = stacks.locationStart[stack]!; i < stacks.locationStart[stack + 1]!; i++) {
      const location = stacks.location[i]!;
      for (let j = frames.start[location]!; j < frames.start[location + 1]!; j++)
        frame.push(frames.frame[j]!);
    }
    start[stack + 1] = frame.length;
  }
  const value = new BigInt64Array(stacks.length);
  for (let row = 0; row < samples.length; row++) {
    if (row % SAMPLES_PER_STEP === 0) yield;
    const stack = samples.stack[row]!;
    const sum = value[stack]! + values[row]!;
    value[stack] = sum;
    if (value[stack] !== sum)
      throw new HearthscopeError('invalid_argument', 'the values of a stack do not fit in 64 bits');
  }
  return { names: frames.names, start, frame: frame.finish(), value };
}
