// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { pino } from 'pino';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { startTelemetry } from './telemetry.ts';

interface Received {
  readonly path: string;
  readonly contentType: string;
  readonly body: string;
}

/** A receiver that keeps what it gets and answers `status`. */
async function receiver(status: number): Promise<{ server: Server; endpoint: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      received.push({ path: request.url!, contentType: request.headers['content-type']!, body });
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received };
}

const silent = pino({ level: 'silent' });
/** Long enough that only the last push, that of the stop, is made. */
const NEVER_MILLIS = 600_000;

test('counters, gauges and histograms arrive as OTLP metrics', async () => {
  const { server, endpoint, received } = await receiver(200);
  const registry = new Registry();
  new Counter({ name: 'drops_total', help: 'Drops.', labelNames: ['reason'], registers: [registry] }).inc(
    { reason: 'full' },
    3,
  );
  new Gauge({ name: 'bytes', help: 'Bytes.', registers: [registry] }).set(1.5);
  new Gauge({ name: 'unknown', help: 'Not a number.', registers: [registry] }).set(Number.NaN);
  const seconds = new Histogram({
    name: 'seconds',
    help: 'Seconds.',
    labelNames: ['door'],
    buckets: [1, 10],
    registers: [registry],
  });
  for (const value of [0.5, 0.25, 5, 100]) seconds.observe({ door: 'otlp' }, value);
  const telemetry = startTelemetry({
    endpoint,
    intervalMillis: NEVER_MILLIS,
    component: 'server',
    registry,
    logger: silent,
  });
  await telemetry.stop();
  server.close();

  assert.equal(received.length, 1);
  assert.equal(received[0]!.path, '/v1/metrics');
  assert.equal(received[0]!.contentType, 'application/json');
  const { resourceMetrics } = JSON.parse(received[0]!.body);
  const [{ resource, scopeMetrics }] = resourceMetrics;
  assert.deepEqual(resource.attributes[0], {
    key: 'service.name',
    value: { stringValue: 'hearthscope-server' },
  });
  const metric = (name: string) => scopeMetrics[0].metrics.find((one: { name: string }) => one.name === name);
  const CUMULATIVE = 2;
  const { sum } = metric('drops_total');
  assert.deepEqual([sum.isMonotonic, sum.aggregationTemporality], [true, CUMULATIVE]);
  assert.equal(sum.dataPoints[0].asDouble, 3);
  assert.deepEqual(sum.dataPoints[0].attributes, [{ key: 'reason', value: { stringValue: 'full' } }]);
  assert.ok(BigInt(sum.dataPoints[0].startTimeUnixNano) <= BigInt(sum.dataPoints[0].timeUnixNano));
  assert.equal(metric('bytes').gauge.dataPoints[0].asDouble, 1.5);
  assert.deepEqual(metric('unknown').gauge.dataPoints, []);
  const { histogram } = metric('seconds');
  const [point] = histogram.dataPoints;
  assert.equal(histogram.aggregationTemporality, CUMULATIVE);
  assert.deepEqual(point.explicitBounds, [1, 10]);
  assert.deepEqual(point.bucketCounts.map(Number), [2, 1, 1]);
  assert.deepEqual([Number(point.count), point.sum], [4, 105.75]);
  assert.deepEqual(point.attributes, [{ key: 'door', value: { stringValue: 'otlp' } }]);
});

test('a receiver that refuses or is not there is counted', async () => {
  const { server, endpoint, received } = await receiver(503);
  const registry = new Registry();
  const refused = startTelemetry({
    endpoint,
    intervalMillis: 20,
    component: 'agent',
    registry,
    logger: silent,
  });
  while (received.length < 3) await once(server, 'request');
  await refused.stop();
  const failures = async () => {
    const [metric] = await registry.getMetricsAsJSON();
    return (metric!.values[0] as { value: number }).value;
  };
  const before = await failures();
  assert.ok(before >= 3, String(before));
  server.close();
  server.closeAllConnections();
  registry.clear();
  const absent = startTelemetry({
    endpoint,
    intervalMillis: NEVER_MILLIS,
    component: 'agent',
    registry,
    logger: silent,
  });
  await absent.stop();
  assert.equal(await failures(), 1);
});
