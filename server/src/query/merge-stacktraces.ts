// SPDX-License-Identifier: Apache-2.0
//
// Answers about the stacks of one selection or two: flame graphs, trees, graphs, tables.

import { dotGraphInSteps } from '@hearthscope/profile/dot-graph';
import { type FlameGraph, toFlameGraphInSteps } from '@hearthscope/profile/flame-graph';
import { type FlameGraphDiff, toFlameGraphDiffInSteps } from '@hearthscope/profile/flame-graph-diff';
import {
  type FunctionTable,
  type FunctionTableDiff,
  functionTableDiffInSteps,
  functionTableInSteps,
} from '@hearthscope/profile/function-table';
import { type Sandwich, sandwichInSteps } from '@hearthscope/profile/sandwich';
import { buildStackTreeInSteps, type StackSums } from '@hearthscope/profile/stack-tree';
import type { Steps } from '@hearthscope/profile/steps';
import { encodeTreeInSteps } from '@hearthscope/profile/tree-codec';
import { mergedStacks, type StackSelection, stackSelection } from './merged-stacks.ts';
import type { QueryContext } from './query-context.ts';
import { checkMaxNodes } from './query-limits.ts';
import type { DiffRequest, MergeStacktracesRequest, SandwichRequest } from './requests.ts';

const NO_STACKS: StackSums = {
  names: [],
  start: new Uint32Array(1),
  frame: new Uint32Array(0),
  value: new BigInt64Array(0),
};

/** Nodes of the tree that a graph is made from, unless more are asked for. */
const DOT_TREE_NODES = 512;
/** Nodes of a graph when the request does not say. */
const DOT_GRAPH_NODES = 100;

/** Empty when nothing matches.
 * @throws HearthscopeError invalid_argument, as all of these */
export async function mergeStacktraces(
  context: QueryContext,
  request: MergeStacktracesRequest,
): Promise<FlameGraph> {
  const { sums, maxNodes } = await limitedSums(context, request);
  return context.pace.run(
    (function* (): Steps<FlameGraph> {
      return yield* toFlameGraphInSteps(yield* buildStackTreeInSteps(sums), maxNodes);
    })(),
  );
}

/** No bytes when nothing matches. */
export async function mergeTree(
  context: QueryContext,
  request: MergeStacktracesRequest,
): Promise<Uint8Array> {
  const { sums, maxNodes } = await limitedSums(context, request);
  return context.pace.run(
    (function* (): Steps<Uint8Array> {
      return yield* encodeTreeInSteps(yield* buildStackTreeInSteps(sums), maxNodes);
    })(),
  );
}

/** No text when nothing matches. */
export async function mergeDot(context: QueryContext, request: MergeStacktracesRequest): Promise<string> {
  const selection = await stackSelection(context, request);
  const asked = request.maxNodes ?? 0;
  const graphNodes = asked === 0 ? DOT_GRAPH_NODES : checkMaxNodes(asked, context.tenantLimits);
  const merged = await mergedStacks(context, selection);
  if (merged === undefined) return '';
  return context.pace.run(
    (function* (): Steps<string> {
      return yield* dotGraphInSteps(yield* buildStackTreeInSteps(merged.sums), {
        sampleType: merged.selection.type.sampleType,
        maxTreeNodes: Math.max(graphNodes, DOT_TREE_NODES),
        maxNodes: graphNodes,
      });
    })(),
  );
}

export async function diff(context: QueryContext, request: DiffRequest): Promise<FlameGraphDiff> {
  const { left, right, maxNodes } = await limitedPair(context, request);
  return context.pace.run(
    (function* (): Steps<FlameGraphDiff> {
      const leftTree = yield* buildStackTreeInSteps(left);
      const rightTree = yield* buildStackTreeInSteps(right);
      return yield* toFlameGraphDiffInSteps(leftTree, rightTree, maxNodes);
    })(),
  );
}

/** `maxNodes` is the number of functions. */
export async function functions(
  context: QueryContext,
  request: MergeStacktracesRequest,
): Promise<FunctionTable> {
  const { sums, maxNodes } = await limitedSums(context, request);
  return context.pace.run(functionTableInSteps(sums, maxNodes));
}

/** The larger `maxNodes` of both sides is the number of functions. */
export async function diffFunctions(context: QueryContext, request: DiffRequest): Promise<FunctionTableDiff> {
  const { left, right, maxNodes } = await limitedPair(context, request);
  return context.pace.run(functionTableDiffInSteps(left, right, maxNodes));
}

/** `maxNodes` holds for each half. */
export async function sandwich(context: QueryContext, request: SandwichRequest): Promise<Sandwich> {
  const { sums, maxNodes } = await limitedSums(context, request);
  return context.pace.run(sandwichInSteps(sums, request.functionName, maxNodes));
}

async function limitedSums(context: QueryContext, request: MergeStacktracesRequest) {
  const selection = await stackSelection(context, request);
  const maxNodes = checkMaxNodes(request.maxNodes, context.tenantLimits);
  return { sums: await sumsOf(context, selection), maxNodes };
}

/** Both sides are checked before either is read. */
async function limitedPair(context: QueryContext, { left, right }: DiffRequest) {
  const leftSelection = await stackSelection(context, left);
  const rightSelection = await stackSelection(context, right);
  const nodes = [left, right].map(({ maxNodes }) => checkMaxNodes(maxNodes, context.tenantLimits));
  return {
    left: await sumsOf(context, leftSelection),
    right: await sumsOf(context, rightSelection),
    maxNodes: Math.max(...nodes),
  };
}

async function sumsOf(context: QueryContext, selection: StackSelection): Promise<StackSums> {
  return (await mergedStacks(context, selection))?.sums ?? NO_STACKS;
}
