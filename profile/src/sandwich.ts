// SPDX-License-Identifier: Apache-2.0
//
// One function between those that call it and those it calls. Both halves are trees that have the function at their top
// and are made from each of its places in each stack; so a function that calls itself is on both sides, and counts there
// more than once. `total` and `self` count a stack once.

import { cutTreeInSteps, OTHER_NAME, treeChildrenInSteps } from './cut-tree.ts';
import { type StackSums, type StackTree, StackTreeBuilder } from './stack-tree.ts';
import { finish, type Steps } from './steps.ts';

/** One half, as rows from its top on; a row comes after the one above it. */
export interface SandwichHalf {
  /** Index into the names of the sandwich. */
  readonly name: Uint32Array;
  /** Row 0 is its own. Siblings are in the order of their names. */
  readonly parent: Uint32Array;
  readonly total: BigInt64Array;
  readonly self: BigInt64Array;
  /** 1 for a row that stands for rows that were cut. */
  readonly truncated: Uint8Array;
}

export interface Sandwich {
  readonly names: readonly string[];
  /** Callers above the function, and theirs above them. */
  readonly callers: SandwichHalf;
  readonly callees: SandwichHalf;
  /** Value of the stacks that the function is on. */
  readonly total: bigint;
  /** Value of the stacks that end in it. */
  readonly self: bigint;
}

/** Names handled in one step. */
const NAMES_PER_STEP = 4096;
/** Stacks handled in one step. */
const STACKS_PER_STEP = 1024;

/** @param maxNodes of each half, as in `cutTree`; 0 for all
 * @returns halves of one row without value when the function is on no stack
 * @throws HearthscopeError invalid_argument when a function that calls itself counts beyond 64 bits */
export function sandwich(sums: StackSums, functionName: string, maxNodes: number): Sandwich {
  return finish(sandwichInSteps(sums, functionName, maxNodes));
}

export function* sandwichInSteps(
  { names, start, frame, value }: StackSums,
  functionName: string,
  maxNodes: number,
): Steps<Sandwich> {
  const callers = new StackTreeBuilder();
  const callees = new StackTreeBuilder();
  for (let name = 0; name < names.length; name++) {
    if (name % NAMES_PER_STEP === 0) yield;
    callers.name(names[name]!);
    callees.name(names[name]!);
  }
  const middle = callers.name(functionName);
  callees.name(functionName);
  let total = 0n;
  let self = 0n;
  const rootLast: number[] = [];
  for (let stack = 0; stack < value.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    const sum = value[stack]!;
    if (sum === 0n) continue;
    const first = start[stack]!;
    const end = start[stack + 1]!;
    let isOnStack = false;
    for (let at = first; at < end; at++) {
      if (frame[at] !== middle) continue;
      isOnStack = true;
      callees.add(frame, sum, first, at + 1);
      rootLast.length = 0;
      for (let caller = end - 1; caller >= at; caller--) rootLast.push(frame[caller]!);
      callers.add(rootLast, sum);
    }
    if (isOnStack) total += sum;
    if (first < end && frame[first] === middle) self += sum;
  }
  const sharedNames = new SharedNames(functionName);
  return {
    callers: yield* halfInSteps(yield* callers.buildInSteps(), maxNodes, sharedNames),
    callees: yield* halfInSteps(yield* callees.buildInSteps(), maxNodes, sharedNames),
    names: sharedNames.names,
    total,
    self,
  };
}

class SharedNames {
  readonly names: string[];
  readonly #index: Map<string, number>;

  constructor(first: string) {
    this.names = [first];
    this.#index = new Map([[first, 0]]);
  }

  indexOf(name: string): number {
    let index = this.#index.get(name);
    if (index === undefined) {
      index = this.names.push(name) - 1;
      this.#index.set(name, index);
    }
    return index;
  }
}

/** The nodes below the virtual root, level by level. */
function* halfInSteps(whole: StackTree, maxNodes: number, names: SharedNames): Steps<SandwichHalf> {
  const tree = yield* cutTreeInSteps(whole, maxNodes);
  const children = yield* treeChildrenInSteps(tree);
  const top = children.node[0];
  if (top === undefined) {
    return {
      name: new Uint32Array(1),
      parent: new Uint32Array(1),
      total: new BigInt64Array(1),
      self: new BigInt64Array(1),
      truncated: new Uint8Array(1),
    };
  }
  const order = [top];
  const parent = [0];
  for (let row = 0; row < order.length; row++) {
    const node = order[row]!;
    for (let at = children.start[node]!; at < children.start[node + 1]!; at++) {
      order.push(children.node[at]!);
      parent.push(row);
    }
  }
  yield;
  const column = (values: BigInt64Array) => BigInt64Array.from(order, (node) => values[node]!);
  const nameOf = (node: number) => tree.names[tree.name[node]!]!;
  return {
    name: Uint32Array.from(order, (node) => names.indexOf(nameOf(node))),
    parent: Uint32Array.from(parent),
    total: column(tree.total),
    self: column(tree.self),
    truncated: Uint8Array.from(order, (node) => (nameOf(node) === OTHER_NAME ? 1 : 0)),
  };
}
