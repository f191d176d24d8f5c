// SPDX-License-Identifier: Apache-2.0
//
// Writes columnar profiles as an OTLP ExportProfilesServiceRequest (protobuf, numbering of OTLP 1.10 and later), so that
// any receiver of that version can read it: one dictionary, row 0 of each table the zero value, no orphans, no
// duplicates, and no empty sub-message besides those rows.
//
// An OTLP profile has one sample type. A profile with several becomes several, in the same scope; the first one carries
// the id and the original payload.

import { HearthscopeError } from '../errors.ts';
import type { Profile, ResourceProfile } from '../profile.ts';
import type { ValueType } from '../profile-type.ts';
import { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { bytesOfHex, OtlpDictionaryWriter, writeKeyValues } from './otlp-dictionary-writer.ts';

/** One profile to send; a plain ResourceProfile will do. */
export interface OtlpExportItem extends ResourceProfile {
  /** The same profile in another format, e.g. gzipped pprof under `pprof`, for back ends that prefer it. */
  readonly originalPayload?: { readonly format: string; readonly bytes: Uint8Array };
  /** false leaves the samples to the payload. Default true. */
  readonly nativeSamples?: boolean;
}

export interface OtlpRequests {
  readonly requests: readonly Uint8Array[];
  /** Payloads left out because the profile had to be cut by samples. */
  readonly payloadsDropped: number;
  /** Samples that are larger than a request may be, each alone. */
  readonly samplesTooLarge: number;
  /** Profiles without native samples whose payload is larger than a request may be. */
  readonly profilesTooLarge: number;
}

/** @throws HearthscopeError invalid_argument for a profile without sample types */
export function encodeOtlpRequest(items: readonly OtlpExportItem[]): Uint8Array {
  const writer = new ProtobufWriter();
  const dictionary = new OtlpDictionaryWriter();
  for (const ofResource of runs(items, sameResource)) {
    writer.message(1, () => {
      writer.message(1, () => writeKeyValues(writer, 1, ofResource[0]!.resource.attributes));
      for (const ofScope of runs(ofResource, sameScope)) {
        writer.message(2, () => writeScopeProfiles(writer, dictionary, ofScope));
      }
    });
  }
  writer.message(2, () => dictionary.write(writer));
  return writer.finish();
}

/** Encodes into as many requests as it takes for none to exceed `maxBytes`: by halving the list of profiles, and, when
 * one profile alone is too large, its samples. Sums are kept exactly; what cannot be sent at all is counted. */
export function encodeOtlpRequests(items: readonly OtlpExportItem[], maxBytes: number): OtlpRequests {
  const requests: Uint8Array[] = [];
  const lost = { payloadsDropped: 0, samplesTooLarge: 0, profilesTooLarge: 0 };
  const waiting: (readonly OtlpExportItem[])[] = items.length === 0 ? [] : [items];
  for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) {
    const bytes = encodeOtlpRequest(group);
    if (bytes.length <= maxBytes) {
      requests.push(bytes);
      continue;
    }
    if (group.length > 1) {
      const middle = group.length >> 1;
      waiting.push(group.slice(middle), group.slice(0, middle));
      continue;
    }
    const { originalPayload, ...item } = group[0]!;
    const sampleCount = item.profile.samples.length;
    if (item.nativeSamples === false || sampleCount === 0) {
      lost.profilesTooLarge++;
    } else if (originalPayload !== undefined) {
      lost.payloadsDropped++;
      waiting.push([item]);
    } else if (sampleCount === 1) {
      lost.samplesTooLarge++;
    } else {
      const middle = sampleCount >> 1;
      waiting.push(
        [{ ...item, profile: { ...sliceSamples(item.profile, middle, sampleCount), id: '' } }],
        [{ ...item, profile: sliceSamples(item.profile, 0, middle) }],
      );
    }
  }
  return { requests, ...lost };
}

/** The profile with samples `from .. to` alone. The tables are shared and may hold rows that nothing refers to. */
export function sliceSamples(profile: Profile, from: number, to: number): Profile {
  const { samples } = profile;
  const firstTimestamp = samples.timestampStart[from]!;
  return {
    ...profile,
    samples: {
      length: to - from,
      stack: samples.stack.subarray(from, to),
      values: samples.values.map((values) => values.subarray(from, to)),
      attributeSet: samples.attributeSet.subarray(from, to),
      link: samples.link.subarray(from, to),
      timestampStart: samples.timestampStart.slice(from, to + 1).map((start) => start - firstTimestamp),
      timestampUnixNanos: samples.timestampUnixNanos.subarray(firstTimestamp, samples.timestampStart[to]),
    },
  };
}

function sameResource(a: OtlpExportItem, b: OtlpExportItem): boolean {
  return a.resource === b.resource;
}

function sameScope(a: OtlpExportItem, b: OtlpExportItem): boolean {
  return (
    a.scopeName === b.scopeName &&
    a.scopeVersion === b.scopeVersion &&
    a.scopeAttributes === b.scopeAttributes
  );
}

/** Cuts a list into runs of neighbours that belong together. */
function runs<T>(items: readonly T[], together: (a: T, b: T) => boolean): T[][] {
  const result: T[][] = [];
  for (const item of items) {
    const run = result.at(-1);
    if (run !== undefined && together(run[0]!, item)) run.push(item);
    else result.push([item]);
  }
  return result;
}

function writeScopeProfiles(
  writer: ProtobufWriter,
  dictionary: OtlpDictionaryWriter,
  items: readonly OtlpExportItem[],
): void {
  const { scopeName, scopeVersion, scopeAttributes } = items[0]!;
  writer.message(1, () => {
    writer.string(1, scopeName);
    writer.string(2, scopeVersion);
    writeKeyValues(writer, 3, scopeAttributes);
  });
  for (const item of items) {
    const { sampleTypes } = item.profile;
    if (sampleTypes.length === 0) {
      throw new HearthscopeError('invalid_argument', 'a profile without sample types cannot be sent');
    }
    const count = item.nativeSamples === false ? 1 : sampleTypes.length;
    for (let type = 0; type < count; type++) {
      writer.message(2, () => writeProfile(writer, dictionary, item, type));
    }
  }
}

function writeProfile(
  writer: ProtobufWriter,
  dictionary: OtlpDictionaryWriter,
  { profile, originalPayload, nativeSamples = true }: OtlpExportItem,
  type: number,
): void {
  writer.message(1, () => writeValueType(writer, dictionary, profile.sampleTypes[type]!));
  if (nativeSamples) writeSamples(writer, dictionary, profile, type);
  writer.fixed64(3, profile.timeUnixNanos);
  writer.int64(4, profile.durationNanos);
  writer.message(5, () => writeValueType(writer, dictionary, profile.periodType));
  writer.int64(6, profile.period);
  if (type === 0) {
    writer.blob(7, bytesOfHex(profile.id));
    if (originalPayload !== undefined) {
      writer.string(9, originalPayload.format);
      writer.blob(10, originalPayload.bytes);
    }
  }
  writer.packedUint32(
    11,
    profile.profileAttributes.map((attribute) => dictionary.attribute(attribute)),
  );
}

function writeValueType(
  writer: ProtobufWriter,
  dictionary: OtlpDictionaryWriter,
  { type, unit }: ValueType,
): void {
  writer.uint32(1, dictionary.string(type));
  writer.uint32(2, dictionary.string(unit));
}

function writeSamples(
  writer: ProtobufWriter,
  dictionary: OtlpDictionaryWriter,
  profile: Profile,
  type: number,
): void {
  const { samples } = profile;
  const values = samples.values[type]!;
  for (let row = 0; row < samples.length; row++) {
    const timestamps = samples.timestampUnixNanos.subarray(
      samples.timestampStart[row],
      samples.timestampStart[row + 1],
    );
    writer.message(2, () => {
      writer.uint32(1, dictionary.stack(profile, samples.stack[row]!));
      writer.packedUint32(2, dictionary.attributeSet(profile, samples.attributeSet[row]!));
      writer.uint32(3, dictionary.link(profile, samples.link[row]!));
      writer.packedInt64(4, valuesBeside(timestamps.length, values[row]!));
      writer.packedFixed64(5, timestamps);
    });
  }
}

/** OTLP wants values alone, timestamps alone (each counting one), or as many values as timestamps. The columnar profile
 * has one sum, which is shared out evenly over the timestamps: the total stays exact. */
function valuesBeside(timestampCount: number, sum: bigint): bigint[] {
  if (timestampCount === 0) return [sum];
  const count = BigInt(timestampCount);
  if (sum === count) return [];
  const share = sum / count;
  const rest = sum - share * count;
  const unit = rest < 0n ? -1n : 1n;
  return Array.from({ length: timestampCount }, (_, i) => (BigInt(i) < rest * unit ? share + unit : share));
}
