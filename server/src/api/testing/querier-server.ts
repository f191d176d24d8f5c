// SPDX-License-Identifier: Apache-2.0
//
// The query API on ports of its own, over a few profiles in a head.

import type { TestContext } from 'node:test';
import { fastifyConnectPlugin } from '@connectrpc/connect-fastify';
import { NO_AUTH } from '@hearthscope/collector/auth/auth-config';
import { createAuthenticator } from '@hearthscope/collector/auth/authenticator';
import { tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { fastify } from 'fastify';
import { Registry } from 'prom-client';
import { identityValues } from '../../http/request-identity.ts';
import { StoreQuerier } from '../../query/querier.ts';
import { HeadStore } from '../../storage/testing/head-store.ts';
import { storedProfile } from '../../storage/testing/stored-profile.ts';
import { querierRoutes } from '../querier-service.ts';

export const NOW = 1_000_000;
export const PROFILE_ID = '0123456789abcdef0123456789abcdef';
export const TENANT_HEADER = 'x-scope-orgid';

export interface QuerierServer {
  /** Speaks HTTP/1.1. */
  readonly http1: string;
  /** Speaks HTTP/2 without TLS. */
  readonly http2: string;
}

export interface QuerierServerOptions {
  readonly multitenancyEnabled?: boolean;
  readonly asyncQueriesEnabled?: boolean;
  /** Default: one of the tenant `anonymous`. */
  readonly profiles?: readonly (readonly [tenant: string, profile: NormalisedProfile])[];
}

const DEFAULT_PROFILE = storedProfile('main;work 70\nmain;idle 30', {
  timeMillis: NOW,
  labels: { 'host.name': 'h1', pod: 'web-1' },
  id: PROFILE_ID,
});

export async function startQuerierServer(
  t: TestContext,
  options: QuerierServerOptions = {},
): Promise<QuerierServer> {
  const { multitenancyEnabled = false, asyncQueriesEnabled } = options;
  const store = new HeadStore();
  for (const [tenant, profile] of options.profiles ?? [['anonymous', DEFAULT_PROFILE]]) {
    await store.append(tenant, [profile]);
  }
  const now = () => NOW;
  const limitsOf = () => tenantLimits({});
  const group = querierRoutes(
    {
      querier: new StoreQuerier(store, { now, limitsOf }),
      authenticator: createAuthenticator(NO_AUTH, { multitenancyEnabled }),
      limitsOf,
      now,
      registry: new Registry(),
    },
    { asyncQueriesEnabled },
  );
  const plugin = {
    routes: group.connect!,
    contextValues: (request: { raw: Parameters<typeof identityValues>[0] }) => identityValues(request.raw),
  };
  const http1 = fastify();
  const http2 = fastify({ http2: true });
  await http1.register(fastifyConnectPlugin, plugin);
  await http2.register(fastifyConnectPlugin, plugin);
  t.after(() => Promise.all([http1.close(), http2.close(), group.close?.()]));
  return { http1: await http1.listen({ port: 0 }), http2: await http2.listen({ port: 0 }) };
}

export function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
}

/** What tests look at in the JSON of answers. */
export interface AnswerBody {
  readonly names: string[];
  readonly labelsSet: { labels: object[] }[];
  readonly async: { requestId: string; status: string };
  readonly flamegraph: { total: string };
  readonly code: string;
  readonly message: string;
}

export async function postJson(
  url: string,
  method: string,
  body: unknown,
  headers?: Record<string, string>,
): Promise<{ status: number; body: AnswerBody }> {
  const response = await post(`${url}/querier.v1.QuerierService/${method}`, JSON.stringify(body), headers);
  return { status: response.status, body: (await response.json()) as AnswerBody };
}
