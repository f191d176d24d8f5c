// SPDX-License-Identifier: Apache-2.0
//
// The selector sent to the server: the picked service and what the reader typed, in the Prometheus metric-selector
// grammar; and the way back, from a selector to the service and the rest. What was typed is not checked here; the
// server knows the grammar and says what is wrong.

import { SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import { formatMatcher, type LabelMatcher } from '@hearthscope/profile/selector/label-matcher';

/** What people call the service's label; it means the service unless there is none of that name. */
const SERVICE_ALIAS = 'service';

/** `service` '' means all services; `filter` is matchers with or without their braces. */
export function labelSelector(service: string, filter: string): string {
  const typed = filter
    .trim()
    .replace(/^\{(.*)\}$/s, '$1')
    .replace(/,\s*$/, '')
    .trim();
  const matchers = service === '' ? [] : [`${SERVICE_NAME_LABEL}=${JSON.stringify(service)}`];
  if (typed !== '') matchers.push(typed);
  return `{${matchers.join(', ')}}`;
}

/** What {@link labelSelector} makes a selector of. */
export interface SelectorParts {
  readonly service: string;
  readonly filter: string;
}

/** @param services those that are known, by which the label `service` is understood */
export function selectorParts(matchers: readonly LabelMatcher[], services: readonly string[]): SelectorParts {
  const isService = ({ name, operator, value }: LabelMatcher): boolean =>
    operator === '=' &&
    value !== '' &&
    (name === SERVICE_NAME_LABEL || (name === SERVICE_ALIAS && services.includes(value)));
  const named = matchers.filter(isService);
  // A second one would exclude the first, which is for the server to find.
  const service = named.length === 1 ? named[0] : undefined;
  return {
    service: service?.value ?? '',
    filter: matchers
      .filter((matcher) => matcher !== service)
      .map(formatMatcher)
      .join(', '),
  };
}
