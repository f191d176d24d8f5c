// SPDX-License-Identifier: Apache-2.0
//
// Measures and logs every request of the HTTP port. Metrics, their labels and the fields of the log have the names that
// existing dashboards ask for.

import type { Authenticator } from '@hearthscope/collector/auth/authenticator';
import type { Logger } from 'pino';
import { Gauge, Histogram, type Registry } from 'prom-client';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { identityOf } from './request-identity.ts';

const DURATION_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100];
const MEBIBYTE = 1024 * 1024;
const SIZE_BUCKETS_BYTES = [1, 2.5, 5, 10, 25, 50, 100, 250].map((mebibytes) => mebibytes * MEBIBYTE);
/** What a path that no route has is counted as, so that clients cannot make series. */
const OTHER_ROUTE = 'other';
const STATUS_CLIENT_GONE = 499;
/** A query that takes longer is worth a line in the log. */
const SLOW_QUERY_MILLIS = 1000;
const QUERY_PATH = /^\/querier\.v1\.|^\/pyroscope\/render/;
/** W3C Trace Context: version, trace id, span id, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

export class RequestMetrics {
  readonly #durations: Histogram<'method' | 'route' | 'status_code' | 'ws'>;
  readonly #queryDurations: Histogram<'route'>;
  readonly #sizes: Histogram<'method' | 'route'>;
  readonly #inFlight: Gauge<'method' | 'route'>;
  readonly #authenticator: Authenticator;
  readonly #logger: Logger;
  readonly #routes = new Map<string, string>();

  constructor(registry: Registry, logger: Logger, authenticator: Authenticator) {
    const registers = [registry];
    this.#logger = logger;
    this.#authenticator = authenticator;
    this.#durations = new Histogram({
      name: 'pyroscope_request_duration_seconds',
      help: 'Time from the headers of a request to the end of its answer.',
      labelNames: ['method', 'route', 'status_code', 'ws'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#queryDurations = new Histogram({
      name: 'pyroscope_query_frontend_duration_seconds',
      help: 'Time from the headers of a query to the end of its answer.',
      labelNames: ['route'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#sizes = new Histogram({
      name: 'pyroscope_request_message_bytes',
      help: 'Size of the requests that say how large they are.',
      labelNames: ['method', 'route'],
      buckets: SIZE_BUCKETS_BYTES,
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'pyroscope_inflight_requests',
      help: 'Requests that are worked on.',
      labelNames: ['method', 'route'],
      registers,
    });
  }

  /** Makes a path a route of its own in the metrics. */
  addRoute(path: string): void {
    this.#routes.set(path, routeName(path));
  }

  /** Follows one request to its end.
   * @param path without prefix and query */
  observe(request: HttpRequest, response: HttpResponse, path: string): void {
    const start = performance.now();
    const labels = this.#labelsOf(request, path);
    const size = request.headers['content-length'];
    if (size !== undefined) this.#sizes.observe(labels, Number(size));
    this.#inFlight.inc(labels);
    response.once('close', () => {
      const durationMillis = performance.now() - start;
      const status = response.writableEnded ? response.statusCode : STATUS_CLIENT_GONE;
      this.#inFlight.dec(labels);
      this.#durations.observe({ ...labels, status_code: String(status), ws: 'false' }, durationMillis / 1000);
      const isQuery = QUERY_PATH.test(path);
      if (isQuery) this.#queryDurations.observe({ route: labels.route }, durationMillis / 1000);
      this.#log(request, path, status, durationMillis, isQuery);
    });
  }

  #labelsOf(request: HttpRequest, path: string): { method: string; route: string } {
    const isGrpc = (request.headers['content-type'] ?? '').startsWith('application/grpc');
    const name = this.#routes.get(path);
    return {
      method: isGrpc ? 'gRPC' : (request.method ?? ''),
      route: name === undefined ? OTHER_ROUTE : isGrpc ? path : name,
    };
  }

  #log(request: HttpRequest, route: string, status: number, durationMillis: number, isQuery: boolean): void {
    const level = status >= 500 ? 'warn' : isQuery && durationMillis >= SLOW_QUERY_MILLIS ? 'info' : 'debug';
    if (!this.#logger.isLevelEnabled(level)) return;
    this.#logger[level](
      {
        method: request.method,
        route,
        status,
        duration: `${durationMillis.toFixed(3)}ms`,
        orgID: this.#orgIdOf(request),
        traceID: TRACEPARENT.exec(String(request.headers.traceparent ?? ''))?.[1] ?? '',
        uri: request.url,
      },
      'request',
    );
  }

  /** The tenants of a request, joined by `|`; '' for one that may name none. */
  #orgIdOf(request: HttpRequest): string {
    try {
      return this.#authenticator.tenants(identityOf(request)).join('|');
    } catch {
      return '';
    }
  }
}

/** `/querier.v1.QuerierService/Series` is `querier_v1_querierservice_series`, as dashboards have it. */
function routeName(path: string): string {
  const name = path
    .replace(/^\//, '')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();
  return name === '' ? 'root' : name;
}
