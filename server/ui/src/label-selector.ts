// SPDX-License-Identifier: Apache-2.0
//
// The selector sent to the server: the picked service and what the reader typed, in the Prometheus metric-selector
// grammar. What was typed is not checked here; the server knows the grammar and says what is wrong.

import { SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';

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
