// SPDX-License-Identifier: Apache-2.0
//
// /ingest bodies that are a recording of the JDK Flight Recorder: the Java agent, alone or through Alloy. One recording
// becomes several profiles, one for each kind of measurement in it.

import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { decodeJfr } from '@hearthscope/profile/codecs/jfr/jfr-decode';
import { DEFAULT_JFR_LIMITS } from '@hearthscope/profile/codecs/jfr/jfr-limits';
import type { Label } from '@hearthscope/profile/labels';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import { gunzipped } from '../push/pushed-pprof.ts';
import type { PushedProfile } from '../push/pushed-profile.ts';
import { ingestLabels } from './ingest-labels.ts';
import { durationNanos, type IngestMetadata } from './ingest-metadata.ts';

/** What async-profiler sampled: `cpu`, `itimer`, `wall`, … */
const EVENT_LABEL = 'jfr_event';

export interface JfrRequest extends IngestMetadata {
  /** Plain or gzipped, as is `labels`. */
  readonly jfr: Uint8Array;
  /** A LabelsSnapshot of the Java agent. */
  readonly labels: Uint8Array | undefined;
}

/** @param report gets samples and parts of the recording that are left out; see `decodeJfr`
 * @returns as many profiles as the recording has kinds of measurements, none when it has no samples
 * @throws HearthscopeError invalid_argument when the recording or the labels cannot be read or are over a limit */
export function pushedProfilesOfJfr(
  request: JfrRequest,
  limits: TenantLimits,
  report: DecodeReport,
): PushedProfile[] {
  const { maxProfileSizeBytes } = limits;
  const jfr = gunzipped(request.jfr, maxProfileSizeBytes);
  const labels = request.labels && gunzipped(request.labels, maxProfileSizeBytes);
  const { profiles, event } = decodeJfr(
    jfr,
    {
      timeUnixNanos: request.fromNanos,
      durationNanos: durationNanos(request),
      sampleRateHz: request.sampleRateHz,
      labels,
      // A label that is too long is refused by its limit, so the decoder must leave enough of it: in any characters.
      limits: {
        ...limits.decode,
        maxAttributeKeyLength: 2 * limits.decode.maxAttributeKeyLength + 2,
        maxAttributeValueLength: 2 * limits.decode.maxAttributeValueLength + 2,
      },
      jfrLimits: { ...DEFAULT_JFR_LIMITS, maxRecordingBytes: jfr.length },
    },
    report,
  );
  const extra: Label[] = event === '' ? [] : [{ name: EVENT_LABEL, value: event }];
  return profiles.map(({ name, profile }) => ({
    labels: ingestLabels(name, request, extra),
    profile,
    // Together they are as large as what was sent.
    sizeBytes: Math.ceil(jfr.length / profiles.length),
  }));
}
