// SPDX-License-Identifier: Apache-2.0
//
// The thread of a collector that decodes, normalises, encodes and sends on, so that the doors stay open while a large
// profile is read.

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { encodeOtlp } from '@hearthscope/collector/forward/encode-otlp';
import { encodePush } from '@hearthscope/collector/forward/encode-push';
import type { ForwardTransport } from '@hearthscope/collector/forward/forward-transport';
import { Forwarder } from '@hearthscope/collector/forward/forwarder';
import { TenantAdmission } from '@hearthscope/collector/limits/admission';
import { limitsOf } from '@hearthscope/collector/limits/tenant-limits';
import { ANONYMOUS_TENANT, TENANT_HEADER } from '@hearthscope/collector/tenant';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { ingestMetrics } from '@hearthscope/server/ingest/ingest-metrics';
import { IngestRunner } from '@hearthscope/server/ingest/ingest-runner';
import type { CallMessage } from '@hearthscope/server/worker-calls/call-messages';
import { CallServer } from '@hearthscope/server/worker-calls/call-server';
import { Registry } from 'prom-client';
import type { ForwardConfiguration } from '../config/configuration-types.ts';
import type { ForwardMethods, ForwardWorkerData } from './forward-methods.ts';
import { forwardMetrics } from './forward-metrics.ts';
import { GrpcForward } from './grpc-forward.ts';
import { HttpForward } from './http-forward.ts';

/** Of one OTLP request; gRPC receivers mostly take 4 MiB unless told otherwise. */
const MAX_OTLP_REQUEST_BYTES = 4 * 2 ** 20 - 1024;

if (parentPort === null)
  throw new HearthscopeError('internal', 'the forward worker is no program of its own');
const port = parentPort;
const { forward, indexedAttributes, ...config } = workerData as ForwardWorkerData;
let { limits } = config;
const registry = new Registry();

function forwardTransport(): ForwardTransport & { close(): void } {
  const { url, caFile, protocol, timeoutMillis } = forward;
  return protocol === 'otlp-grpc'
    ? new GrpcForward({ url, headersOf, timeoutMillis, caFile })
    : new HttpForward({ url, protocol, headersOf, caFile });
}

/** The tenant is the one configured, else that of the sender, when it has one. */
function headersOf(sender: string): ForwardConfiguration['headers'] {
  const tenant = forward.tenant || (sender === ANONYMOUS_TENANT ? '' : sender);
  return { ...forward.headers, ...(tenant !== '' && { [TENANT_HEADER]: tenant }) };
}

const transport = forwardTransport();
const forwarder: Forwarder = new Forwarder({
  transport,
  encode:
    forward.protocol === 'push' ? encodePush : (profiles) => encodeOtlp(profiles, MAX_OTLP_REQUEST_BYTES),
  maxQueuedBytes: forward.queueMaxBytes,
  timeoutMillis: forward.timeoutMillis,
  now: () => performance.now(),
  sleep: (millis, signal) => sleep(millis, undefined, { signal }).catch(() => {}),
  random: Math.random,
  observer: forwardMetrics(registry, () => forwarder.queuedBytes),
});
const now = () => Date.now();
const runner = new IngestRunner({
  store: { append: (tenant, profiles) => forwarder.forward(tenant, profiles) },
  pipeline: { indexedAttributes },
  limitsOf: (tenant) => limitsOf(limits, tenant),
  admission: new TenantAdmission({ now }),
  now,
  metrics: ingestMetrics(registry),
});
const methods: ForwardMethods = {
  exportOtlp: runner.exportOtlp,
  push: runner.push,
  ingest: runner.ingest,
  setLimits: async (changed) => {
    limits = changed;
  },
  metrics: async () =>
    (await registry.getMetricsAsJSON()).map(({ collect: _, ...metric }) => ({ ...metric })),
  stop: async () => {
    transport.close();
    // The answer is sent first; without a port the thread has nothing left to live for.
    setImmediate(() => port.close());
  },
};
const server = new CallServer(
  async (method, parameters) => {
    const run = methods[method as keyof ForwardMethods] as (
      ...parameters: readonly unknown[]
    ) => Promise<unknown>;
    return { value: await run(...parameters), transfer: [] };
  },
  (message) => port.postMessage(message),
);
port.on('message', (message: CallMessage) => void server.receive(message));
