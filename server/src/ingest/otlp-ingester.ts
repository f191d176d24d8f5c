// SPDX-License-Identifier: Apache-2.0
//
// One OTLP request from its bytes to the store. What the pipeline accepts is stored together or not at all.

import { normaliseOtlpRequest, type PipelineOptions } from '@hearthscope/collector/otlp-pipeline';
import type { Store } from '../storage/store.ts';
import type { IngestOutcome } from './engine-protocol.ts';
import { errorCodeOf, type IngestMetrics } from './ingest-metrics.ts';

export class OtlpIngester {
  readonly #store: Store;
  readonly #pipeline: PipelineOptions;
  readonly #metrics: IngestMetrics;

  constructor(store: Store, pipeline: PipelineOptions, metrics: IngestMetrics) {
    this.#store = store;
    this.#pipeline = pipeline;
    this.#metrics = metrics;
  }

  /** Resolves once what was accepted is durable.
   * @throws HearthscopeError unavailable when the store is full or cannot write; FormatError for malformed bytes */
  async ingest(tenant: string, body: Uint8Array): Promise<IngestOutcome> {
    const metrics = this.#metrics;
    const stop = metrics.seconds.startTimer();
    metrics.receivedBytes.inc(body.length);
    try {
      const { accepted, rejected, repaired, numbering } = normaliseOtlpRequest(body, this.#pipeline);
      metrics.numbering.inc({ numbering });
      for (const { reason, count } of repaired) metrics.repaired.inc({ reason }, count);
      for (const { what, reason, count } of rejected) {
        const discarded = what === 'profile' ? metrics.discardedProfiles : metrics.discardedSamples;
        discarded.inc({ reason }, count);
      }
      if (accepted.length > 0) await this.#store.append(tenant, accepted);
      metrics.profiles.inc(accepted.length);
      metrics.samples.inc(accepted.reduce((sum, { profile }) => sum + profile.samples.length, 0));
      return {
        acceptedProfiles: accepted.length,
        rejectedProfiles: rejected.reduce(
          (sum, { what, count }) => (what === 'profile' ? sum + count : sum),
          0,
        ),
        errorMessage: rejected
          .map(({ what, count, message }) => `${count} ${what}(s): ${message}`)
          .join('; '),
      };
    } catch (error) {
      metrics.refusedRequests.inc({ reason: errorCodeOf(error) });
      throw error;
    } finally {
      stop();
    }
  }
}
