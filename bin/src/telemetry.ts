// SPDX-License-Identifier: Apache-2.0
//
// Pushes this process's own metrics, the ones of /metrics, as OTLP metrics in JSON. Off unless an endpoint is
// configured. A push that fails is counted and made again with the next interval: the values are cumulative.

import { hostname } from 'node:os';
import { messageOf } from '@hearthscope/profile/errors';
import { JsonMetricsSerializer } from '@opentelemetry/otlp-transformer';
import type { Logger } from 'pino';
import { Counter, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client';
import { packageVersion } from './commands/version.ts';

const PATH = '/v1/metrics';
const PUSH_TIMEOUT_MILLIS = 10_000;
/** The last push must leave time for the rest of the stop. */
const LAST_PUSH_TIMEOUT_MILLIS = 1000;

type ResourceMetrics = Parameters<typeof JsonMetricsSerializer.serializeRequest>[0];
type MetricData = ResourceMetrics['scopeMetrics'][number]['metrics'][number];
type TimeNanos = MetricData['dataPoints'][number]['startTime'];

/** Values of the SDK's enumerations; importing them would load the whole SDK for three numbers. */
const DataPointType = { histogram: 0, gauge: 2, sum: 3 } as const;
const CUMULATIVE = 1;
const DOUBLE = 1;

export interface TelemetryOptions {
  /** Base URL of an OTLP/HTTP receiver. */
  readonly endpoint: string;
  readonly intervalMillis: number;
  /** Becomes `service.name`: `hearthscope-server`, `hearthscope-agent`. */
  readonly component: string;
  readonly registry: Registry;
  readonly logger: Logger;
}

export interface Telemetry {
  /** Pushes a last time and ends. */
  stop(): Promise<void>;
}

export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { registry, logger, intervalMillis } = options;
  const failures = new Counter({
    name: 'hearthscope_telemetry_push_failures_total',
    help: 'Pushes of own metrics that the receiver did not take.',
    registers: [registry],
  });
  const startedAtMillis = Date.now();
  let lastFailure = '';
  const push = async (timeoutMillis: number): Promise<void> => {
    try {
      await pushOnce(options, startedAtMillis, timeoutMillis);
      lastFailure = '';
    } catch (error) {
      failures.inc();
      const reason = messageOf((error as Error).cause ?? error);
      // The same reason every minute would bury the rest of the log.
      if (reason !== lastFailure) logger.warn({ reason }, 'own metrics could not be pushed');
      lastFailure = reason;
    }
  };
  let pushing = Promise.resolve();
  const timer = setInterval(() => {
    pushing = pushing.then(() => push(Math.min(PUSH_TIMEOUT_MILLIS, intervalMillis)));
  }, intervalMillis);
  timer.unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await push(LAST_PUSH_TIMEOUT_MILLIS);
    },
  };
}

async function pushOnce(
  { endpoint, component, registry }: TelemetryOptions,
  startedAtMillis: number,
  timeoutMillis: number,
): Promise<void> {
  const metrics = await registry.getMetricsAsJSON();
  const request: ResourceMetrics = {
    // The serializer reads nothing of a resource but its attributes.
    resource: {
      attributes: {
        'service.name': `hearthscope-${component}`,
        'service.version': packageVersion(),
        'host.name': hostname(),
      },
    } as unknown as ResourceMetrics['resource'],
    scopeMetrics: [
      { scope: { name: 'hearthscope' }, metrics: toMetricData(metrics, startedAtMillis, Date.now()) },
    ],
  };
  const response = await fetch(`${endpoint.replace(/\/+$/, '')}${PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JsonMetricsSerializer.serializeRequest(request),
    signal: AbortSignal.timeout(timeoutMillis),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`the receiver answered ${response.status}: ${body.slice(0, 200)}`);
}

/** Counters become monotonic sums, gauges gauges, histograms histograms. Summaries, of which we have none, do not. */
export function toMetricData(
  metrics: readonly MetricObjectWithValues<MetricValue<string>>[],
  startedAtMillis: number,
  nowMillis: number,
): MetricData[] {
  const startTime = timeNanos(startedAtMillis);
  const endTime = timeNanos(nowMillis);
  return metrics.flatMap(({ name, help, type, values }): MetricData[] => {
    const descriptor = { name, description: help, unit: '', valueType: DOUBLE };
    const points = () =>
      values
        .filter(({ value }) => Number.isFinite(value))
        .map(({ value, labels }) => ({ attributes: { ...labels }, value, startTime, endTime }));
    // prom-client gives the type as a string in spite of its declaration.
    switch (type as unknown) {
      case 'counter':
        return [
          {
            descriptor,
            dataPointType: DataPointType.sum,
            aggregationTemporality: CUMULATIVE,
            isMonotonic: true,
            dataPoints: points(),
          },
        ];
      case 'gauge':
        return [
          {
            descriptor,
            dataPointType: DataPointType.gauge,
            aggregationTemporality: CUMULATIVE,
            dataPoints: points(),
          },
        ];
      case 'histogram':
        return [
          {
            descriptor,
            dataPointType: DataPointType.histogram,
            aggregationTemporality: CUMULATIVE,
            dataPoints: histogramPoints(values, startTime, endTime),
          },
        ];
      default:
        return [];
    }
  });
}

type HistogramPoint = Extract<MetricData, { dataPointType: 0 }>['dataPoints'][number];

/** Prometheus' buckets are cumulative and one value each; OTLP wants one point with the counts of each bucket alone. */
function histogramPoints(
  values: readonly MetricValue<string>[],
  startTime: TimeNanos,
  endTime: TimeNanos,
): HistogramPoint[] {
  interface Series {
    readonly attributes: Record<string, string | number>;
    readonly boundaries: number[];
    readonly counts: number[];
    below: number;
    sum: number;
    count: number;
  }
  const series = new Map<string, Series>();
  for (const entry of values as readonly (MetricValue<string> & { readonly metricName?: string })[]) {
    const { le, ...attributes } = entry.labels as Record<string, string | number>;
    const key = JSON.stringify(attributes);
    let one = series.get(key);
    if (one === undefined) {
      one = { attributes, boundaries: [], counts: [], below: 0, sum: 0, count: 0 };
      series.set(key, one);
    }
    if (entry.metricName?.endsWith('_sum')) one.sum = entry.value;
    else if (entry.metricName?.endsWith('_count')) one.count = entry.value;
    else if (le !== undefined) {
      if (le !== '+Inf') one.boundaries.push(Number(le));
      one.counts.push(entry.value - one.below);
      one.below = entry.value;
    }
  }
  return [...series.values()].map(({ attributes, boundaries, counts, sum, count }) => ({
    attributes,
    startTime,
    endTime,
    value: { buckets: { boundaries, counts }, sum, count },
  }));
}

/** The SDK's pair of seconds and nanoseconds. */
function timeNanos(millis: number): TimeNanos {
  return [Math.floor(millis / 1000), (millis % 1000) * 1e6];
}
