// SPDX-License-Identifier: Apache-2.0
//
// One request from its bytes to the store, whatever it came in as. What the pipeline accepts is stored together or not
// at all.

import { normaliseIngestRequest } from '@hearthscope/collector/ingest/ingest-request';
import type { Admission } from '@hearthscope/collector/limits/admission';
import type { TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import type { NormaliseResult } from '@hearthscope/collector/normalise-result';
import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { normaliseOtlpRequest } from '@hearthscope/collector/otlp-pipeline';
import type { PipelineConfig, PipelineOptions } from '@hearthscope/collector/pipeline-options';
import { normalisePushRequest } from '@hearthscope/collector/push/push-request';
import { labelValue, ProfileTypeLabels } from '@hearthscope/profile/labels';
import type { AcceptedProfiles, IngestOutcome } from '../receivers/ingest-outcome.ts';
import type { ReceiverService } from '../receivers/receiver-context.ts';
import type { Store } from '../storage/store.ts';
import { errorCodeOf, type IngestMetrics } from './ingest-metrics.ts';
import { pushRequestOfJson } from './push-json.ts';

export interface IngestRunnerOptions {
  readonly store: Pick<Store, 'append'>;
  readonly pipeline: PipelineConfig;
  /** Of a tenant, now. */
  readonly limitsOf: (tenant: string) => TenantLimits;
  readonly admission: Admission;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly metrics: IngestMetrics;
}

type Format = 'otlp' | 'push' | 'ingest';

export class IngestRunner implements Omit<ReceiverService, 'readiness'> {
  readonly #options: IngestRunnerOptions;

  constructor(options: IngestRunnerOptions) {
    this.#options = options;
  }

  exportOtlp: ReceiverService['exportOtlp'] = (tenant, body, encoding) =>
    this.#run('otlp', tenant, body.length, (options) => {
      const result = normaliseOtlpRequest(body, { ...options, encoding });
      this.#options.metrics.numbering.inc({ numbering: result.numbering });
      return result;
    });

  push: ReceiverService['push'] = (tenant, body, encoding) =>
    this.#run('push', tenant, body.length, (options) =>
      normalisePushRequest(encoding === 'json' ? pushRequestOfJson(body) : body, options),
    );

  ingest: ReceiverService['ingest'] = (tenant, request) =>
    this.#run('ingest', tenant, request.body.length, (options) => normaliseIngestRequest(request, options));

  /** Resolves once what was accepted is durable.
   * @throws HearthscopeError unavailable when the store is full or cannot write; what `normalise` throws */
  async #run(
    format: Format,
    tenant: string,
    bodyBytes: number,
    normalise: (options: PipelineOptions) => NormaliseResult | Promise<NormaliseResult>,
  ): Promise<IngestOutcome> {
    const { store, pipeline, limitsOf, admission, now, metrics } = this.#options;
    const stop = metrics.seconds.startTimer({ format });
    metrics.receivedBytes.inc({ format }, bodyBytes);
    try {
      const options = { ...pipeline, tenant, limits: limitsOf(tenant), now, admission };
      const { accepted, rejected, repaired } = await normalise(options);
      for (const { reason, count } of repaired) metrics.repaired.inc({ reason }, count);
      for (const { what, reason, count } of rejected) {
        const discarded = what === 'profile' ? metrics.discardedProfiles : metrics.discardedSamples;
        discarded.inc({ reason }, count);
      }
      if (accepted.length > 0) await store.append(tenant, accepted);
      const names = countByName(accepted);
      for (const { profiles, samples } of names) {
        metrics.profiles.inc(profiles);
        metrics.samples.inc(samples);
      }
      return { accepted: names, rejected };
    } catch (error) {
      metrics.refusedRequests.inc({ reason: errorCodeOf(error) });
      throw error;
    } finally {
      stop();
    }
  }
}

function countByName(accepted: readonly NormalisedProfile[]): AcceptedProfiles[] {
  const counts = new Map<string, { profiles: number; samples: number }>();
  for (const { labels, profile } of accepted) {
    const name = labelValue(labels, ProfileTypeLabels.name);
    const count = counts.get(name) ?? { profiles: 0, samples: 0 };
    count.profiles++;
    count.samples += profile.samples.length;
    counts.set(name, count);
  }
  return [...counts].map(([name, count]) => ({ name, ...count }));
}
