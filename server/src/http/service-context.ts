// SPDX-License-Identifier: Apache-2.0
//
// What a service of the HTTP port is given, and what it gives back: a group of routes. The composition of the server is
// the only place that knows all services; they know this file alone.

import type { IncomingHttpHeaders } from 'node:http';
import type { ConnectRouter } from '@connectrpc/connect';
import type { Authenticator, RequestIdentity } from '@hearthscope/collector/auth/authenticator';
import type { TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Querier } from '../query/querier.ts';

export interface ServiceContext {
  readonly querier: Querier;
  /** Asked by every service for each request; none may read or write without an answer of it. */
  readonly authenticator: Authenticator;
  /** For files of the server's own: settings, ad hoc profiles. Exists, private to the server. */
  readonly dataDir: string;
  /** Of a tenant, now: they may change while the server runs. */
  readonly limitsOf: (tenant: string) => TenantLimits;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** What a group of routes gives to the HTTP port. */
export interface RouteGroup {
  /** Adds Connect services. */
  readonly connect?: (router: ConnectRouter) => void;
  readonly plain?: readonly PlainRoute[];
  /** Called once, after the ports are closed and before the store is. */
  readonly close?: () => Promise<void>;
}

/** One method of one path. A GET route answers HEAD as well; other methods of its path are answered 405. */
export interface PlainRoute {
  readonly method: 'GET' | 'POST';
  /** Exact, such as `/pyroscope/render`. */
  readonly path: string;
  /** @throws HearthscopeError answered with the HTTP status of its code and `{"code","message"}`; anything else is a
   * defect, logged and answered 500 */
  readonly handle: (request: PlainRequest) => Promise<PlainAnswer>;
}

export interface PlainRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed, at most MAX_QUERY_BYTES; empty for GET. */
  readonly body: Uint8Array;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly identity: RequestIdentity;
}

/** Compressed on its way out where that pays and the client takes it. */
export interface PlainAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}
