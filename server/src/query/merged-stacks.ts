// SPDX-License-Identifier: Apache-2.0
//
// All samples of a selection summed by stack: what every answer about stacks starts from. Everything is merged before
// anything is cut off, so a total is exact however the data lies in the store and however many tenants it is from.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import { type StackSums, stackSumsInSteps } from '@hearthscope/profile/stack-tree';
import type { Steps } from '@hearthscope/profile/steps';
import { mergedProfiles } from '../storage/merge-answers.ts';
import type { SampleFilter } from '../storage/store.ts';
import { type ProfileSelection, profileSelection } from './profile-selection.ts';
import type { QueryContext } from './query-context.ts';
import type { StackSelectionRequest } from './requests.ts';
import { passingStacks, type StackFilter, stackFilter } from './stack-filter.ts';

/** Ids in one selector. */
export const MAX_SELECTOR_IDS = 1000;

/** A request that was checked. */
export interface StackSelection {
  /** Undefined when no profile can be in the range. */
  readonly profiles: ProfileSelection | undefined;
  readonly samples: SampleFilter;
  /** Undefined when every stack passes. */
  readonly stacks: StackFilter | undefined;
}

export interface MergedStacks {
  /** One sample a stack, in the order of the stacks. */
  readonly profile: Profile;
  /** Of the profile's stacks. A stack that does not pass the request's filters has no value. */
  readonly sums: StackSums;
  readonly selection: ProfileSelection;
}

/** @throws HearthscopeError invalid_argument */
export async function stackSelection(
  context: QueryContext,
  request: StackSelectionRequest,
): Promise<StackSelection> {
  return {
    profiles: await profileSelection(context, request),
    samples: sampleFilter(request),
    stacks: stackFilter(request.callSite, request.frameFilter),
  };
}

/** @returns undefined when nothing matches
 * @throws HearthscopeError failed_precondition when a sum leaves int64 */
export async function mergedStacks(
  context: QueryContext,
  { profiles: selection, samples, stacks }: StackSelection,
): Promise<MergedStacks | undefined> {
  if (selection === undefined) return undefined;
  const profile = await mergedProfile(context, selection, samples);
  if (profile === undefined) return undefined;
  return { profile, sums: await context.pace.run(filteredSums(profile, stacks)), selection };
}

async function mergedProfile(
  { store, naming, pace }: QueryContext,
  { byTenant }: ProfileSelection,
  filter: SampleFilter,
): Promise<Profile | undefined> {
  const profiles: Profile[] = [];
  for (const { tenant, selection } of byTenant) {
    const merged = await store.mergeStacks(tenant, selection, filter, pace);
    // Stacks are merged by what their frames are called, so names come first.
    if (merged !== undefined) profiles.push(await naming.name(tenant, merged, pace));
  }
  return mergedProfiles(profiles, pace);
}

function* filteredSums(profile: Profile, filter: StackFilter | undefined): Steps<StackSums> {
  const sums = yield* stackSumsInSteps(profile);
  if (filter === undefined) return sums;
  const passing = yield* passingStacks(sums, filter);
  return { ...sums, value: sums.value.map((value, stack) => (passing[stack] === 1 ? value : 0n)) };
}

function sampleFilter({
  profileIds,
  traceIds,
  spanIds,
}: Pick<StackSelectionRequest, 'profileIds' | 'traceIds' | 'spanIds'>): SampleFilter {
  if (traceIds !== undefined && spanIds !== undefined) {
    throw invalid('span_selector and trace_id_selector cannot be combined');
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

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}
