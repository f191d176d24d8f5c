// SPDX-License-Identifier: Apache-2.0
//
// /ingest bodies that are a pprof, alone or as a part of a form: Go, Node, .NET, and the older clients of Python, Ruby
// and Rust. Old clients get wrong what nobody can update, so it is put right here: times in the wrong unit, functions
// without ids, names without files.

import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import type { Profile } from '@hearthscope/profile/profile';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import { decodePushedPprof } from '../push/pushed-pprof.ts';
import type { PushedProfile } from '../push/pushed-profile.ts';
import { ingestLabels } from './ingest-labels.ts';
import { durationNanos, type IngestMetadata } from './ingest-metadata.ts';
import type { MultipartForm } from './multipart-form.ts';
import { parseSampleTypeConfig, pprofMetricName, type SampleTypeConfig } from './sample-type-config.ts';
import { withFileNames } from './scripting-names.ts';

const NANOS_PER_YEAR = 365n * 86_400_000_000_000n;

/** What the form of a request holds. */
export interface PprofRequest {
  /** Plain or gzipped; empty when the client had nothing to send. */
  readonly pprof: Uint8Array;
  /** Not empty for clients that want the server to compute differences. */
  readonly previous: Uint8Array;
  readonly sampleTypeConfig: SampleTypeConfig | undefined;
}

const NOTHING = new Uint8Array(0);

/** @throws HearthscopeError invalid_argument for a configuration that cannot be read */
export function pprofRequestOfForm(form: MultipartForm): PprofRequest {
  const config = form.get('sample_type_config') ?? NOTHING;
  return {
    pprof: form.get('profile') ?? NOTHING,
    previous: form.get('prev_profile') ?? NOTHING,
    sampleTypeConfig: config.length === 0 ? undefined : parseSampleTypeConfig(config),
  };
}

export function pprofRequestOfBody(body: Uint8Array): PprofRequest {
  return { pprof: body, previous: NOTHING, sampleTypeConfig: undefined };
}

/** @param report gets the refusal or what was changed: `empty_request`, `time_replaced` and the repairs of the decoder
 * @returns undefined when there is no profile or it was refused */
export function pushedProfileOfPprof(
  { pprof, previous, sampleTypeConfig }: PprofRequest,
  metadata: IngestMetadata,
  limits: TenantLimits,
  report: DecodeReport,
): PushedProfile | undefined {
  if (previous.length > 0) {
    report.reject(
      'profile',
      'unsupported_client',
      'unsupported client version. Please update github.com/grafana/pyroscope-go to the latest version',
    );
    return undefined;
  }
  if (pprof.length === 0) {
    report.repair('empty_request');
    return undefined;
  }
  const labels = ingestLabels('', metadata);
  const mendDotnet = isDotnet(metadata.spyName, sampleTypeConfig);
  const pushed = decodePushedPprof({ bytes: pprof, labels }, limits, report, { mendDotnet });
  if (pushed === undefined) return undefined;
  const metricName = pprofMetricName(pushed.profile.sampleTypes, sampleTypeConfig);
  const timed = withTime(pushed.profile, metadata, report);
  return {
    ...pushed,
    labels: ingestLabels(metricName, metadata),
    profile: withFileNames(timed, metadata.spyName, limits.decode.maxSymbolLength, report),
  };
}

/** The first .NET clients did not say who they are, but described a sample type that no other has. */
function isDotnet(spyName: string, config: SampleTypeConfig | undefined): boolean {
  return spyName === 'dotnetspy' || (spyName === 'unknown' && config?.has('inuse-space') === true);
}

/** A time in the first year of Unix is one in micro- or milliseconds, or none. */
function withTime(profile: Profile, metadata: IngestMetadata, report: DecodeReport): Profile {
  const isWrong = profile.timeUnixNanos < NANOS_PER_YEAR;
  if (isWrong) report.repair('time_replaced');
  return {
    ...profile,
    timeUnixNanos: isWrong ? metadata.fromNanos : profile.timeUnixNanos,
    durationNanos: profile.durationNanos === 0n ? durationNanos(metadata) : profile.durationNanos,
  };
}
