// SPDX-License-Identifier: Apache-2.0
//
// Measures every request of the HTTP port. The metric has the name and the labels that existing dashboards ask for.

import type { Logger } from 'pino';
import { Histogram, type Registry } from 'prom-client';
import type { HttpRequest, HttpResponse } from '../listen.ts';

const DURATION_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100];
/** What a path that no route has is counted as, so that clients cannot make series. */
const OTHER_ROUTE = 'other';
const STATUS_CLIENT_GONE = 499;

export class RequestMetrics {
  readonly #durations: Histogram;
  readonly #logger: Logger;
  readonly #routes = new Map<string, string>();

  constructor(registry: Registry, logger: Logger) {
    this.#logger = logger;
    this.#durations = new Histogram({
      name: 'pyroscope_request_duration_seconds',
      help: 'Time from the headers of a request to the end of its answer.',
      labelNames: ['method', 'route', 'status_code', 'ws'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers: [registry],
    });
  }

  /** Makes a path a route of its own in the metric. */
  addRoute(path: string): void {
    this.#routes.set(path, routeName(path));
  }

  /** Follows one request to its end. */
  observe(request: HttpRequest, response: HttpResponse, path: string): void {
    const start = performance.now();
    response.once('close', () => {
      const durationMillis = performance.now() - start;
      const status = response.writableEnded ? response.statusCode : STATUS_CLIENT_GONE;
      const isGrpc = (request.headers['content-type'] ?? '').startsWith('application/grpc');
      const route = this.#routes.get(path);
      const labels = {
        method: isGrpc ? 'gRPC' : (request.method ?? ''),
        route: route === undefined ? OTHER_ROUTE : isGrpc ? path : route,
        status_code: String(status),
        ws: 'false',
      };
      this.#durations.observe(labels, durationMillis / 1000);
      this.#logger.debug({ method: request.method, path, status, durationMillis }, 'request');
    });
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
