// SPDX-License-Identifier: Apache-2.0
//
// From an /ingest request to profiles that can be stored:
//
//   URL ─▶ metadata ─┐
//   body ─▶ format ─▶ decoded ─▶ labels, time, type ─▶ the pipeline of pushed profiles
//
// /ingest is where all of Pyroscope's clients began, so it takes any format that one of them has ever sent.

import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import type { NormaliseResult } from '../normalise-result.ts';
import type { PipelineOptions } from '../pipeline-options.ts';
import { normalisePushed } from '../push/normalise-pushed.ts';
import { refusalOf } from '../push/pushed-pprof.ts';
import type { PushedProfile } from '../push/pushed-profile.ts';
import { formatLabels } from '../series-labels.ts';
import { type IngestFormat, ingestFormat, isMultipart } from './ingest-format.ts';
import { ingestLabels } from './ingest-labels.ts';
import { type IngestMetadata, IngestMetadataError, parseIngestMetadata } from './ingest-metadata.ts';
import { pushedProfilesOfJfr } from './jfr-request.ts';
import { readMultipartForm } from './multipart-form.ts';
import { pprofRequestOfBody, pprofRequestOfForm, pushedProfileOfPprof } from './pprof-request.ts';
import { pushedProfilesOfSpeedscope } from './speedscope-request.ts';
import { pushedProfileOfText } from './text-request.ts';

/** Old clients mark the profile of one span so, beside the profile that has its samples too. */
const PROFILE_ID_LABEL = 'profile_id';

export interface IngestRequest {
  /** The query string of the URL, without `?`. */
  readonly query: string;
  /** '' when absent. */
  readonly contentType: string;
  /** As it was sent: gzip is undone here. */
  readonly body: Uint8Array;
}

/** @returns what cannot be read or is over a limit in `rejected`; what stands beside it is accepted
 * @throws IngestMetadataError when the URL is wrong */
export async function normaliseIngestRequest(
  { query, contentType, body }: IngestRequest,
  options: PipelineOptions,
): Promise<NormaliseResult> {
  const parameters = new URLSearchParams(query);
  const metadata = parseIngestMetadata(parameters, options.now());
  const format = ingestFormat(parameters.get('format') ?? '', contentType, body);
  const report = new DecodeReport();
  let profiles: readonly PushedProfile[] = [];
  try {
    profiles = await decodeBody({ format, contentType, body }, metadata, options.limits, report);
  } catch (error) {
    if (error instanceof IngestMetadataError) throw error;
    const { reason, message } = refusalOf(error, ingestLabels('', metadata));
    report.reject('profile', reason, message);
  }
  return normalisePushed(profiles, options, report);
}

interface Body {
  readonly format: IngestFormat;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** @throws HearthscopeError when the body as a whole is refused, IngestMetadataError when the URL is wrong for its format */
async function decodeBody(
  { format, contentType, body }: Body,
  metadata: IngestMetadata,
  limits: TenantLimits,
  report: DecodeReport,
): Promise<readonly PushedProfile[]> {
  switch (format) {
    case 'jfr': {
      const form = isMultipart(contentType)
        ? await readMultipartForm(body, contentType)
        : new Map([['jfr', body]]);
      const jfr = form.get('jfr');
      if (jfr === undefined || jfr.length === 0)
        throw new HearthscopeError('invalid_argument', 'jfr field is required');
      return pushedProfilesOfJfr({ jfr, labels: form.get('labels'), ...metadata }, limits, report);
    }
    case 'pprof': {
      const request = isMultipart(contentType)
        ? pprofRequestOfForm(await readMultipartForm(body, contentType))
        : pprofRequestOfBody(body);
      const pushed = pushedProfileOfPprof(request, metadata, limits, report);
      return pushed === undefined ? [] : [pushed];
    }
    case 'speedscope':
      if (isTooLarge(body, metadata, limits, report)) return [];
      return pushedProfilesOfSpeedscope(body, metadata, limits, report);
    default:
      if (metadata.application.labels.some(({ name, value }) => name === PROFILE_ID_LABEL && value !== '')) {
        report.repair('span_profile_left_out');
        return [];
      }
      if (isTooLarge(body, metadata, limits, report)) return [];
      return [pushedProfileOfText(format, body, metadata, limits, report)];
  }
}

/** Before anything is decoded: a text grows when it is. */
function isTooLarge(
  body: Uint8Array,
  metadata: IngestMetadata,
  { maxProfileSizeBytes }: TenantLimits,
  report: DecodeReport,
): boolean {
  if (maxProfileSizeBytes === 0 || body.length <= maxProfileSizeBytes) return false;
  const labels = formatLabels(ingestLabels('', metadata));
  report.reject(
    'profile',
    'profile_size_limit',
    `the profile with labels '${labels}' exceeds the size limit (max_profile_size_byte, actual: ${body.length}, limit: ${maxProfileSizeBytes})`,
  );
  return true;
}
