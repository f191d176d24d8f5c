// SPDX-License-Identifier: Apache-2.0
//
// What each function costs, over all its places in all stacks. A function that calls itself counts once per stack, so no
// total is larger than that of the whole.

import { compareNames } from './name-order.ts';
import type { StackSums } from './stack-tree.ts';
import { finish, type Steps } from './steps.ts';

export interface FunctionCost {
  readonly name: string;
  /** Value of the stacks that end in it. */
  readonly self: bigint;
  /** Value of the stacks that it is on. */
  readonly total: bigint;
}

export interface FunctionTable {
  /** Largest self first, then largest total, then by name. */
  readonly functions: readonly FunctionCost[];
  /** Of all stacks. */
  readonly total: bigint;
  /** Functions before the table was limited. */
  readonly totalFunctions: number;
}

export interface FunctionCostDiff {
  readonly name: string;
  readonly leftSelf: bigint;
  readonly leftTotal: bigint;
  readonly rightSelf: bigint;
  readonly rightTotal: bigint;
}

export interface FunctionTableDiff {
  /** As in FunctionTable, by the larger side. */
  readonly functions: readonly FunctionCostDiff[];
  readonly leftTotal: bigint;
  readonly rightTotal: bigint;
  readonly totalFunctions: number;
}

/** Stacks handled in one step. */
const STACKS_PER_STEP = 1024;

/** @param maxFunctions 0 for all */
export function functionTable(sums: StackSums, maxFunctions: number): FunctionTable {
  return finish(functionTableInSteps(sums, maxFunctions));
}

export function* functionTableInSteps(sums: StackSums, maxFunctions: number): Steps<FunctionTable> {
  const costs = yield* functionCostsInSteps(sums);
  const functions = limited(
    costs.rows,
    maxFunctions,
    ({ self }) => self,
    ({ total }) => total,
  );
  return { functions, total: costs.total, totalFunctions: costs.rows.length };
}

/** @param maxFunctions 0 for all */
export function* functionTableDiffInSteps(
  left: StackSums,
  right: StackSums,
  maxFunctions: number,
): Steps<FunctionTableDiff> {
  const leftCosts = yield* functionCostsInSteps(left);
  const rightCosts = yield* functionCostsInSteps(right);
  yield;
  const rows = new Map<string, FunctionCostDiff>();
  for (const { name, self, total } of leftCosts.rows) {
    rows.set(name, { name, leftSelf: self, leftTotal: total, rightSelf: 0n, rightTotal: 0n });
  }
  for (const { name, self, total } of rightCosts.rows) {
    const { leftSelf = 0n, leftTotal = 0n } = rows.get(name) ?? {};
    rows.set(name, { name, leftSelf, leftTotal, rightSelf: self, rightTotal: total });
  }
  yield;
  const functions = limited(
    [...rows.values()],
    maxFunctions,
    ({ leftSelf, rightSelf }) => larger(leftSelf, rightSelf),
    ({ leftTotal, rightTotal }) => larger(leftTotal, rightTotal),
  );
  return {
    functions,
    leftTotal: leftCosts.total,
    rightTotal: rightCosts.total,
    totalFunctions: rows.size,
  };
}

function* functionCostsInSteps({
  names,
  start,
  frame,
  value,
}: StackSums): Steps<{ rows: FunctionCost[]; total: bigint }> {
  const self = new BigInt64Array(names.length);
  const totals = new BigInt64Array(names.length);
  /** The stack that each function was seen on last, + 1. */
  const seenOn = new Uint32Array(names.length);
  let total = 0n;
  for (let stack = 0; stack < value.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    const sum = value[stack]!;
    if (sum === 0n) continue;
    total += sum;
    const first = start[stack]!;
    const end = start[stack + 1]!;
    if (first < end) self[frame[first]!]! += sum;
    for (let at = first; at < end; at++) {
      const name = frame[at]!;
      if (seenOn[name] === stack + 1) continue;
      seenOn[name] = stack + 1;
      totals[name]! += sum;
    }
  }
  const rows: FunctionCost[] = [];
  for (let name = 0; name < names.length; name++) {
    if (totals[name] !== 0n) rows.push({ name: names[name]!, self: self[name]!, total: totals[name]! });
  }
  return { rows, total };
}

function limited<Row extends { readonly name: string }>(
  rows: readonly Row[],
  maxRows: number,
  self: (row: Row) => bigint,
  total: (row: Row) => bigint,
): Row[] {
  const sorted = rows.toSorted(
    (a, b) => descending(self(a), self(b)) || descending(total(a), total(b)) || compareNames(a.name, b.name),
  );
  return maxRows > 0 ? sorted.slice(0, maxRows) : sorted;
}

function descending(a: bigint, b: bigint): number {
  return a === b ? 0 : a > b ? -1 : 1;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
