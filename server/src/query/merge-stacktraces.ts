// SPDX-License-Identifier: Apache-2.0
//
// All samples of a selection as one flame graph. Everything is merged before anything is cut off, so a total is exact
// however the data lies in the store.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type FlameGraph, toFlameGraphInSteps } from '@hearthscope/profile/flame-graph';
import type { Profile } from '@hearthscope/profile/profile';
import { buildStackTreeInSteps, type StackSums, stackSumsInSteps } from '@hearthscope/profile/stack-tree';
import type { Steps } from '@hearthscope/profile/steps';
import type { Pace, SampleFilter, Store } from '../storage/store.ts';
import type { FrameNaming } from './frame-naming.ts';
import { profileSelection } from './profile-selection.ts';
import { checkMaxNodes, type QueryLimits } from './query-limits.ts';
import type { MergeStacktracesRequest } from './requests.ts';

/** Ids in one selector. */
export const MAX_SELECTOR_IDS = 1000;

const EMPTY: FlameGraph = { names: [], levels: [], total: 0n, maxSelf: 0n };

/** Empty when nothing matches.
 * @throws HearthscopeError invalid_argument */
export async function mergeStacktraces(
  store: Store,
  naming: FrameNaming,
  limits: QueryLimits,
  tenant: string,
  request: MergeStacktracesRequest,
  pace: Pace,
): Promise<FlameGraph> {
  const selection = profileSelection(request, limits);
  const maxNodes = checkMaxNodes(request.maxNodes, limits);
  const merged = await store.mergeStacks(tenant, selection, sampleFilter(request), pace);
  if (merged === undefined) return EMPTY;
  // Stacks are merged by what their frames are called, so names come before the tree.
  const named = await naming.name(tenant, merged, pace);
  return pace.run(flameGraphOf(named, request.callSite, maxNodes));
}

function* flameGraphOf(merged: Profile, callSite: readonly string[], maxNodes: number): Steps<FlameGraph> {
  const sums = yield* stackSumsInSteps(merged);
  const tree = yield* buildStackTreeInSteps(callSiteOnly(sums, callSite));
  return yield* toFlameGraphInSteps(tree, maxNodes);
}

function sampleFilter({ profileIds, traceIds, spanIds }: MergeStacktracesRequest): SampleFilter {
  if (traceIds !== undefined && spanIds !== undefined) {
    throw invalid('span and trace selectors cannot be used together');
  }
  return {
    profileIds: profileIds === undefined ? undefined : checkIds('profile', profileIds.map(withoutDashes), 32),
    traceIds: traceIds === undefined ? undefined : checkIds('trace', traceIds, 32),
    spanIds: spanIds === undefined ? undefined : checkIds('span', spanIds, 16),
  };
}

function checkIds(what: string, ids: readonly string[], digits: number): string[] {
  if (ids.length > MAX_SELECTOR_IDS) {
    throw invalid(`${ids.length} ${what} ids are too many, the limit is ${MAX_SELECTOR_IDS}`);
  }
  return ids.map((id) => {
    const hex = id.toLowerCase();
    if (hex.length !== digits || !/^[0-9a-f]+$/.test(hex)) {
      throw invalid(`invalid ${what} id ${JSON.stringify(id)}: ${digits} hex digits are needed`);
    }
    return hex;
  });
}

function withoutDashes(uuid: string): string {
  return uuid.replaceAll('-', '');
}

/** Stacks that do not begin with the call site count nothing. */
function callSiteOnly(sums: StackSums, callSite: readonly string[]): StackSums {
  if (callSite.length === 0) return sums;
  const { names, start, frame } = sums;
  const value = sums.value.map((sum, stack) => {
    const first = start[stack]!;
    const end = start[stack + 1]!;
    const begins =
      end - first >= callSite.length && callSite.every((name, i) => names[frame[end - 1 - i]!] === name);
    return begins ? sum : 0n;
  });
  return { names, start, frame, value };
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}
