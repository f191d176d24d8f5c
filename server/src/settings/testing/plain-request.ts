// SPDX-License-Identifier: Apache-2.0
//
// Asks a plain route of a group without a port, for tests.

import assert from 'node:assert/strict';
import type { PlainAnswer, PlainRequest, RouteGroup } from '../../http/service-context.ts';

/** @param headers in lower case */
export function askPlain(
  routes: RouteGroup,
  path: string,
  query: URLSearchParams | Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<PlainAnswer> {
  const route = routes.plain?.find((each) => each.path === path);
  assert.ok(route !== undefined, `there is no ${path}`);
  const request: PlainRequest = {
    path,
    query: new URLSearchParams(query),
    headers,
    body: new Uint8Array(),
    signal: new AbortController().signal,
    identity: { headers },
  };
  return route.handle(request);
}
