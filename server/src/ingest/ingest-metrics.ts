// SPDX-License-Identifier: Apache-2.0
//
// What the worker counts of requests. Discards carry the reason they were refused for.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { QueryScheduler } from '../query/query-scheduler.ts';

export interface IngestMetrics {
  readonly receivedBytes: Counter<'format'>;
  readonly profiles: Counter;
  readonly samples: Counter;
  readonly discardedProfiles: Counter<'reason'>;
  readonly discardedSamples: Counter<'reason'>;
  readonly repaired: Counter<'reason'>;
  readonly numbering: Counter<'numbering'>;
  readonly refusedRequests: Counter<'reason'>;
  readonly seconds: Histogram<'format'>;
}

export function ingestMetrics(registry: Registry): IngestMetrics {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter<Label>({ name: `hearthscope_ingest_${name}`, help, labelNames, registers });
  const metrics = {
    receivedBytes: counter('received_bytes_total', 'Decompressed bytes of requests with profiles', 'format'),
    profiles: counter('profiles_total', 'Profiles stored, counted per series'),
    samples: counter('samples_total', 'Samples stored'),
    discardedProfiles: counter('discarded_profiles_total', 'Profiles refused', 'reason'),
    discardedSamples: counter(
      'discarded_samples_total',
      'Samples refused within profiles that were stored',
      'reason',
    ),
    repaired: counter('repairs_total', 'Things changed in a profile on its way in', 'reason'),
    numbering: counter('otlp_requests_total', 'OTLP requests read, by field numbering', 'numbering'),
    refusedRequests: counter('refused_requests_total', 'Requests refused as a whole', 'reason'),
    seconds: new Histogram({
      name: 'hearthscope_ingest_seconds',
      help: 'Time from a request in the worker to its fsync',
      labelNames: ['format'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
      registers,
    }),
  } as const;
  for (const reason of ['unavailable', 'invalid_argument']) metrics.refusedRequests.inc({ reason }, 0);
  return metrics;
}

export interface QueryMetrics {
  readonly seconds: Histogram<'method'>;
  readonly failures: Counter<'method' | 'code'>;
}

export function queryMetrics(registry: Registry): QueryMetrics {
  return {
    seconds: new Histogram({
      name: 'hearthscope_query_seconds',
      help: 'Time to answer a query',
      labelNames: ['method'],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
      registers: [registry],
    }),
    failures: new Counter({
      name: 'hearthscope_query_failures_total',
      help: 'Queries that were refused or failed, by error code',
      labelNames: ['method', 'code'],
      registers: [registry],
    }),
  };
}

/** How many queries there are at the moment. */
export function registerQueueMetrics(registry: Registry, scheduler: QueryScheduler): void {
  const gauge = (name: string, help: string, count: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(count());
      },
    });
  gauge('hearthscope_queries_in_flight', 'Queries that are worked on', () => scheduler.inFlight);
  gauge('hearthscope_queries_queued', 'Queries that wait for others to end', () => scheduler.queued);
}

/** The label value for an error. */
export function errorCodeOf(error: unknown): string {
  return error instanceof HearthscopeError ? error.code : 'internal';
}
