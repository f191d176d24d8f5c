// SPDX-License-Identifier: Apache-2.0
//
// From the profiles of a batch to the bytes of requests: pprof payloads, OTLP, gzip.

import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { encodeOtlpRequests, type OtlpExportItem } from '@hearthscope/profile/codecs/otlp-encode';
import type { ResourceProfile } from '@hearthscope/profile/profile';
import type { AgentMetrics } from '../metrics.ts';
import { encodePprofPayload } from './pprof-payload.ts';
import type { ExportRequest } from './transport.ts';

/**
 * What an exported profile carries: OTLP's own samples, a gzipped pprof as original payload, or both, so that a receiver
 * that knows only one of them can read it.
 */
export type PayloadContent = 'samples' | 'pprof' | 'both';

export interface EncodingOptions {
  readonly content: PayloadContent;
  /** Gzip the requests; payloads are always gzipped. */
  readonly gzip: boolean;
  readonly maxRequestBytes?: number;
}

/** What gRPC servers accept at most unless told otherwise is 4 MiB, measured uncompressed; some room for framing is left. */
export const DEFAULT_MAX_REQUEST_BYTES = 4_000_000;

const gzipAsync = promisify(gzip);
/** Half the CPU of the default level for some percent more bytes. */
const GZIP_OPTIONS = { level: constants.Z_BEST_SPEED };

/** No request for no profiles; several when one would be too large. What cannot be sent at all is counted. */
export async function encodeRequests(
  profiles: readonly ResourceProfile[],
  options: EncodingOptions,
  metrics: AgentMetrics,
): Promise<ExportRequest[]> {
  const { content, maxRequestBytes = DEFAULT_MAX_REQUEST_BYTES } = options;
  const items: readonly OtlpExportItem[] =
    content === 'samples'
      ? profiles
      : await Promise.all(profiles.map((profile) => withPayload(profile, content)));
  const encoded = encodeOtlpRequests(items, maxRequestBytes);
  const count = (reason: string, number: number): void => {
    if (number > 0) metrics.exportOmissions.inc({ reason }, number);
  };
  count('payload_too_large', encoded.payloadsDropped);
  count('sample_too_large', encoded.samplesTooLarge);
  count('profile_too_large', encoded.profilesTooLarge);
  if (!options.gzip) return encoded.requests.map((body) => ({ body }));
  return Promise.all(encoded.requests.map(async (bytes) => ({ body: await gzipAsync(bytes, GZIP_OPTIONS) })));
}

async function withPayload(item: ResourceProfile, content: PayloadContent): Promise<OtlpExportItem> {
  const bytes = await gzipAsync(encodePprofPayload(item.profile), GZIP_OPTIONS);
  return { ...item, originalPayload: { format: 'pprof', bytes }, nativeSamples: content === 'both' };
}
