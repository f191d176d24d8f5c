// SPDX-License-Identifier: Apache-2.0
//
// A request's profile type and selector as matchers.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { ProfileTypeLabels } from '@hearthscope/profile/labels';
import { formatProfileType, parseProfileType } from '@hearthscope/profile/profile-type';
import type { SeriesSelection } from '../storage/store.ts';
import { checkRange, type QueryLimits } from './query-limits.ts';
import type { ProfileSelectionRequest } from './requests.ts';
import { labelMatcher, parseSelector } from './selector.ts';

/** Checks the range first, then the type, then the selector.
 * @throws HearthscopeError invalid_argument */
export function profileSelection(request: ProfileSelectionRequest, limits: QueryLimits): SeriesSelection {
  checkRange(request, limits);
  const type = formatProfileType(parseProfileType(request.profileTypeId));
  if (request.labelSelector.trim() === '') {
    throw new HearthscopeError('invalid_argument', 'a label selector is required; {} selects everything');
  }
  return {
    startMillis: request.startMillis,
    endMillis: request.endMillis,
    alternatives: [
      [labelMatcher(ProfileTypeLabels.profileType, '=', type), ...parseSelector(request.labelSelector)],
    ],
  };
}
