// SPDX-License-Identifier: Apache-2.0
//
// What the doors count. Metrics named pyroscope_… are those that dashboards for Pyroscope ask for; each is filled from
// what really came in, and those of Pyroscope's parts that this server does not have are absent.

import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { BoundedLabelValues } from './bounded-label-values.ts';
import type { InFlightBudget } from './in-flight-budget.ts';
import type { IngestOutcome } from './ingest-outcome.ts';
import type { BodySizes, Door } from './receiver-context.ts';
import type { Refusal } from './refusal.ts';

/** Values of the label `tenant`; further tenants are counted together. */
export const MAX_LABELLED_TENANTS = 1000;
/** Values of the label `type`. */
export const MAX_LABELLED_NAMES = 100;

const KIBIBYTE = 1024;
const SIZE_BUCKETS_BYTES = Array.from({ length: 10 }, (_, index) => 10 * KIBIBYTE * 2.5 ** index).map(
  Math.round,
);
const SAMPLE_BUCKETS = [100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000];

export class ReceiverMetrics {
  readonly #logger: Logger;
  readonly #tenants = new BoundedLabelValues(MAX_LABELLED_TENANTS);
  readonly #names = new BoundedLabelValues(MAX_LABELLED_NAMES);
  readonly #requests: Counter<'receiver' | 'transport' | 'result'>;
  readonly #compressedBytes: Histogram<'tenant'>;
  readonly #decompressedBytes: Histogram<'tenant'>;
  readonly #samples: Histogram<'type' | 'tenant'>;
  readonly #sampleCount: Counter<'type' | 'tenant'>;
  readonly #profiles: Counter<'tenant'>;
  readonly #discardedProfiles: Counter<'reason' | 'tenant'>;
  readonly #discardedBytes: Counter<'reason' | 'tenant'>;

  constructor(registry: Registry, logger: Logger, budget: InFlightBudget) {
    const registers = [registry];
    this.#logger = logger;
    this.#requests = new Counter({
      name: 'hearthscope_receiver_requests_total',
      help: 'Requests that send profiles, by door and by result: ok, or the reason of the refusal.',
      labelNames: ['receiver', 'transport', 'result'],
      registers,
    });
    new Gauge({
      name: 'hearthscope_receiver_in_flight_bytes',
      help: 'Bytes of requests that are being received, after decompression.',
      registers,
      collect() {
        this.set(budget.usedBytes);
      },
    });
    this.#compressedBytes = new Histogram({
      name: 'pyroscope_distributor_received_compressed_bytes',
      help: 'Size of requests with profiles as they came over the wire.',
      labelNames: ['tenant'],
      buckets: SIZE_BUCKETS_BYTES,
      registers,
    });
    this.#decompressedBytes = new Histogram({
      name: 'pyroscope_distributor_received_decompressed_bytes',
      help: 'Size of requests with profiles after decompression of the request.',
      labelNames: ['tenant'],
      buckets: SIZE_BUCKETS_BYTES,
      registers,
    });
    this.#samples = new Histogram({
      name: 'pyroscope_distributor_received_samples',
      help: 'Samples that were stored of one request, by the name of their profile.',
      labelNames: ['type', 'tenant'],
      buckets: SAMPLE_BUCKETS,
      registers,
    });
    this.#sampleCount = new Counter({
      name: 'pyroscope_ingester_profile_samples_received_total',
      help: 'Samples that were stored, by the name of their profile.',
      labelNames: ['type', 'tenant'],
      registers,
    });
    this.#profiles = new Counter({
      name: 'pyroscope_distributor_profiles_received_total',
      help: 'Profiles that were stored, counted per series.',
      labelNames: ['tenant'],
      registers,
    });
    this.#discardedProfiles = new Counter({
      name: 'pyroscope_discarded_samples_total',
      help: 'Profiles that were refused, by reason.',
      labelNames: ['reason', 'tenant'],
      registers,
    });
    this.#discardedBytes = new Counter({
      name: 'pyroscope_discarded_bytes_total',
      help: 'Bytes of requests that were refused as a whole, by reason.',
      labelNames: ['reason', 'tenant'],
      registers,
    });
  }

  /** Profiles of a request that was understood. */
  received(
    tenantId: string,
    { wireBytes, bodyBytes }: BodySizes,
    { accepted, rejected }: IngestOutcome,
  ): void {
    const tenant = this.#tenants.labelOf(tenantId);
    this.#compressedBytes.observe({ tenant }, wireBytes);
    this.#decompressedBytes.observe({ tenant }, bodyBytes);
    for (const { name, profiles, samples } of accepted) {
      const type = this.#names.labelOf(name);
      this.#profiles.inc({ tenant }, profiles);
      this.#samples.observe({ type, tenant }, samples);
      this.#sampleCount.inc({ type, tenant }, samples);
    }
    for (const { what, reason, count } of rejected) {
      if (what === 'profile') this.#discardedProfiles.inc({ reason, tenant }, count);
    }
  }

  /** A request that was thrown away unseen: one profile, as nobody knows how many it had. */
  discarded(tenantId: string, reason: string, bytes: number): void {
    const tenant = this.#tenants.labelOf(tenantId);
    this.#discardedProfiles.inc({ reason, tenant });
    this.#discardedBytes.inc({ reason, tenant }, bytes);
  }

  succeeded({ receiver, transport }: Door): void {
    this.#requests.inc({ receiver, transport, result: 'ok' });
  }

  refused({ receiver, transport }: Door, { reason, message }: Refusal, cause: unknown): void {
    this.#requests.inc({ receiver, transport, result: reason });
    if (reason === 'internal') this.#logger.error({ err: cause, receiver, transport }, 'a request failed');
    else this.#logger.debug({ receiver, transport, reason }, `a request was refused: ${message}`);
  }
}
