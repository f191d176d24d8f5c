// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a push.v1.PushRequest to profiles that can be stored. A request is series with labels, each with samples,
// each of which is a whole pprof:
//
//   PushRequest { series = 1 }   RawProfileSeries { labels = 1, samples = 2, annotations = 3 }
//   LabelPair { name = 1, value = 2 }   RawSample { raw_profile = 1, ID = 2 }
//
// One profile is unpacked, decoded and normalised before the next, so that a request of many needs no more memory than its
// largest and the results.

import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Label } from '@hearthscope/profile/labels';
import { ProtobufReader, WireType } from '@hearthscope/profile/wire/protobuf-reader';
import { siBytes } from '../limits/byte-text.ts';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import type { NormaliseResult } from '../normalise-result.ts';
import type { PipelineOptions } from '../pipeline-options.ts';
import type { Refusal } from '../refusal.ts';
import { normalisePushed } from './normalise-pushed.ts';
import { decodePushedPprof } from './pushed-pprof.ts';
import type { PushedProfile } from './pushed-profile.ts';

/** Labels of a series that are read; one with more is refused, whatever the tenant's limit. */
const MAX_READ_LABELS = 1000;

/** @param bytes a push.v1.PushRequest, decompressed
 * @throws FormatError when the bytes are no such message; HearthscopeError invalid_argument `no profiles received` */
export function normalisePushRequest(bytes: Uint8Array, options: PipelineOptions): NormaliseResult {
  const report = new DecodeReport();
  const request = new PushRequestReader(bytes, options.limits, report);
  const result = normalisePushed(request.profiles(), options, report);
  if (request.profilesSeen === 0) throw new HearthscopeError('invalid_argument', 'no profiles received');
  return result;
}

class PushRequestReader {
  profilesSeen = 0;
  readonly #reader: ProtobufReader;
  readonly #limits: TenantLimits;
  readonly #report: DecodeReport;
  #unpackedBytes = 0;

  constructor(bytes: Uint8Array, limits: TenantLimits, report: DecodeReport) {
    this.#reader = new ProtobufReader('push request', bytes);
    this.#limits = limits;
    this.#report = report;
  }

  *profiles(): Generator<PushedProfile> {
    const reader = this.#reader;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      if (tag >>> 3 !== 1) {
        reader.skip(tag);
        continue;
      }
      reader.expect(tag, WireType.lengthDelimited, 'PushRequest.series');
      const outer = reader.enter();
      yield* this.#seriesProfiles();
      reader.leave(outer);
    }
  }

  /** Labels may stand behind the samples, so the series is read twice. */
  *#seriesProfiles(): Generator<PushedProfile> {
    const reader = this.#reader;
    const { pos, limit } = reader;
    const labels = this.#readLabels();
    reader.seek(pos, limit);
    while (reader.pos < limit) {
      const tag = reader.tag();
      if (tag >>> 3 !== 2) {
        reader.skip(tag);
        continue;
      }
      reader.expect(tag, WireType.lengthDelimited, 'RawProfileSeries.samples');
      const outer = reader.enter();
      const sample = this.#sample();
      reader.leave(outer);
      const profile = Array.isArray(labels) ? this.#decode(sample, labels) : this.#refuse(labels);
      if (profile !== undefined) yield profile;
    }
  }

  /** The labels of the series that the reader is in, or why all its profiles are refused. */
  #readLabels(): Label[] | Refusal {
    const reader = this.#reader;
    const labels: Label[] = [];
    const invalidBefore = reader.invalidUtf8Strings;
    let count = 0;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      if (tag >>> 3 !== 1 || ++count > MAX_READ_LABELS) reader.skip(tag);
      else labels.push(this.#label(tag));
    }
    if (reader.invalidUtf8Strings !== invalidBefore) {
      return { reason: 'invalid_labels', message: 'the labels of the series are not UTF-8' };
    }
    if (count <= MAX_READ_LABELS) return labels;
    return {
      reason: 'max_label_names_per_series',
      message: `profile series has ${count} label names; limit ${this.#limits.maxLabelNamesPerSeries}`,
    };
  }

  #label(tag: number): Label {
    const reader = this.#reader;
    reader.expect(tag, WireType.lengthDelimited, 'RawProfileSeries.labels');
    const outer = reader.enter();
    let name = '';
    let value = '';
    while (reader.pos < reader.limit) {
      const field = reader.tag();
      switch (field >>> 3) {
        case 1:
          reader.expect(field, WireType.lengthDelimited, 'LabelPair.name');
          name = reader.string();
          break;
        case 2:
          reader.expect(field, WireType.lengthDelimited, 'LabelPair.value');
          value = reader.string();
          break;
        default:
          reader.skip(field);
      }
    }
    reader.leave(outer);
    return { name, value };
  }

  #sample(): { bytes: Uint8Array; id: string } {
    const reader = this.#reader;
    let bytes: Uint8Array = new Uint8Array();
    let id = '';
    while (reader.pos < reader.limit) {
      const field = reader.tag();
      switch (field >>> 3) {
        case 1:
          reader.expect(field, WireType.lengthDelimited, 'RawSample.raw_profile');
          bytes = reader.blob();
          break;
        case 2:
          reader.expect(field, WireType.lengthDelimited, 'RawSample.ID');
          id = reader.string();
          break;
        default:
          reader.skip(field);
      }
    }
    return { bytes, id };
  }

  #decode(sample: { bytes: Uint8Array; id: string }, labels: readonly Label[]): PushedProfile | undefined {
    const { decode, ingestionBodyLimitBytes } = this.#limits;
    if (++this.profilesSeen > decode.maxProfiles) {
      const message = `the request has more than ${decode.maxProfiles} profiles`;
      this.#report.reject('profile', 'profiles_limit', message);
      return undefined;
    }
    const profile = decodePushedPprof({ ...sample, labels }, this.#limits, this.#report);
    this.#unpackedBytes += profile?.sizeBytes ?? 0;
    if (ingestionBodyLimitBytes === 0 || this.#unpackedBytes <= ingestionBodyLimitBytes) return profile;
    const limit = siBytes(ingestionBodyLimitBytes);
    this.#report.reject(
      'profile',
      'body_size_limit_exceeded',
      `uncompressed batched profile payload size exceeds limit of ${limit}`,
    );
    return undefined;
  }

  #refuse({ reason, message }: Refusal): undefined {
    this.profilesSeen++;
    this.#report.reject('profile', reason, message);
    return undefined;
  }
}
