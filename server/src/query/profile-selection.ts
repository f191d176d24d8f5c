// SPDX-License-Identifier: Apache-2.0
//
// A request's profile type and selector as matchers.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { ProfileTypeLabels } from '@hearthscope/profile/labels';
import { formatProfileType, type ProfileType, parseProfileType } from '@hearthscope/profile/profile-type';
import { labelMatcher, parseSelector } from '@hearthscope/profile/selector/selector';
import type { TimeRange } from '../storage/store.ts';
import { checkedRange, type QueryContext, type TenantSelection, tenantSelections } from './query-context.ts';
import type { ProfileSelectionRequest } from './requests.ts';

export interface ProfileSelection {
  readonly type: ProfileType;
  /** After the limits. */
  readonly range: TimeRange;
  readonly byTenant: readonly TenantSelection[];
}

export interface SelectionOptions {
  /** Read before the range. */
  readonly extraMillis?: number;
  /** Whether profiles count that sampling left out and of which only totals are kept. */
  readonly withSampledOut?: boolean;
}

const SAMPLED_OUT_LABEL = '__sampled__';

/** Checks the range first, then the type, then the selector.
 * @returns undefined when no profile can be in the range
 * @throws HearthscopeError invalid_argument */
export async function profileSelection(
  context: QueryContext,
  request: ProfileSelectionRequest,
  { extraMillis = 0, withSampledOut = false }: SelectionOptions = {},
): Promise<ProfileSelection | undefined> {
  const range = checkedRange(context, request);
  const type = parseProfileType(request.profileTypeId);
  if (request.labelSelector.trim() === '') {
    throw new HearthscopeError('invalid_argument', 'a label selector is required; {} selects everything');
  }
  const matchers = [
    labelMatcher(ProfileTypeLabels.profileType, '=', formatProfileType(type)),
    ...parseSelector(request.labelSelector),
    ...(withSampledOut ? [] : [labelMatcher(SAMPLED_OUT_LABEL, '!=', 'true')]),
  ];
  if (range === undefined) return undefined;
  const read = { ...range, startMillis: range.startMillis - extraMillis };
  return { type, range, byTenant: await tenantSelections(context, read, [matchers]) };
}
