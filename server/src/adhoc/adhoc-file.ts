// SPDX-License-Identifier: Apache-2.0
//
// Reads a profile file that somebody has at hand, whatever tool wrote it. Its format follows from the bytes; where these
// leave a choice, as among texts, the ending of the name decides. The file is foreign: this runs in a worker.

import { gunzipSync } from 'node:zlib';
import { siBytes } from '@hearthscope/collector/limits/byte-text';
import { decodeCollapsed } from '@hearthscope/profile/codecs/collapsed';
import type { DecodeLimits } from '@hearthscope/profile/codecs/decode-limits';
import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { decodeFlamebearer } from '@hearthscope/profile/codecs/flamebearer';
import { isGzip } from '@hearthscope/profile/codecs/gzip-magic';
import { decodePerfScript, isPerfScript } from '@hearthscope/profile/codecs/perf-script';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { decodeSpeedscope, SPEEDSCOPE_SCHEMA } from '@hearthscope/profile/codecs/speedscope';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import { type FlamebearerMetadata, flamebearerMetadata } from '../legacy/flamebearer.ts';

export type AdhocFormat = 'pprof' | 'flamebearer' | 'speedscope' | 'collapsed' | 'perf_script';

export interface AdhocInput {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** One of the profiles of a file. */
export interface AdhocProfile {
  /** Distinct within a file. */
  readonly type: string;
  readonly metadata: FlamebearerMetadata;
  readonly side: AdhocSide;
  /** Of a file that holds a comparison: what `side` is compared with. */
  readonly right?: AdhocSide;
}

/** A sample type of a profile. */
export interface AdhocSide {
  readonly profile: Profile;
  readonly valueType: number;
}

export interface AdhocContent {
  readonly format: AdhocFormat;
  /** Not empty. */
  readonly profiles: readonly AdhocProfile[];
  readonly report: DecodeReport;
}

/** Of a file after decompression, where the tenant has no limit. */
const MAX_UNLIMITED_BYTES = 256 * 1024 * 1024;
/** Layers of gzip: a file that was compressed twice is read, a bomb of many layers is not. */
const MAX_GZIP_LAYERS = 2;
/** Bytes by which text is told from pprof. */
const SNIFFED_BYTES = 100;
const FORMAT_OF_ENDING: Readonly<Record<string, AdhocFormat>> = {
  collapsed: 'collapsed',
  folded: 'collapsed',
  perf_script: 'perf_script',
  perf: 'perf_script',
  pprof: 'pprof',
  pb: 'pprof',
};
/** For texts that say neither a unit nor a rate. */
const TEXT_METADATA = { format: 'single', spyName: 'unknown', sampleRate: 100, units: 'samples' } as const;

/** @throws HearthscopeError invalid_argument when it is no profile, or a limit is exceeded */
export function readAdhocFile({ name, bytes }: AdhocInput, limits: DecodeLimits): AdhocContent {
  const plain = decompressed(bytes, Math.min(limits.maxPayloadBytes, MAX_UNLIMITED_BYTES));
  const format = formatOf(name, plain);
  const report = new DecodeReport();
  const profiles = withDistinctTypes(profilesOf(format, name, plain, limits, report));
  if (profiles.length === 0) {
    throw new HearthscopeError(
      'invalid_argument',
      report.rejected[0]?.message ?? `the file has no profile (it was read as ${format})`,
    );
  }
  return { format, profiles, report };
}

/** @param bytes not compressed */
export function formatOf(name: string, bytes: Uint8Array): AdhocFormat {
  const ending = name.toLowerCase().replace(/\.gz$/, '').split('.').at(-1) ?? '';
  const first = bytes.find((byte) => !isSpace(byte));
  if (first === '{'.charCodeAt(0)) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return text.includes(SPEEDSCOPE_SCHEMA) && !text.includes('"flamebearer"') ? 'speedscope' : 'flamebearer';
  }
  const format = FORMAT_OF_ENDING[ending];
  if (format !== undefined) return format;
  if (!bytes.subarray(0, SNIFFED_BYTES).every(isPrintable)) return 'pprof';
  return isPerfScript(bytes) ? 'perf_script' : 'collapsed';
}

function profilesOf(
  format: AdhocFormat,
  name: string,
  bytes: Uint8Array,
  limits: DecodeLimits,
  report: DecodeReport,
): AdhocProfile[] {
  switch (format) {
    case 'pprof': {
      const { profile, repaired } = decodePprof(bytes, limits, { mendDotnet: true });
      for (const { reason, count } of repaired) report.repair(reason, count);
      return profile.sampleTypes.map((sampleType, valueType) => ({
        type: sampleType.type,
        metadata: flamebearerMetadata(sampleType, 'single'),
        side: { profile, valueType },
      }));
    }
    case 'flamebearer':
      return [flamebearerProfile(bytes, limits, report)];
    case 'speedscope':
      return decodeSpeedscope(bytes, limits, report).map((each) => ({
        type: each.name === '' ? name : each.name,
        metadata: {
          ...flamebearerMetadata(each.profile.sampleTypes[0]!, 'single'),
          name: each.name === '' ? name : each.name,
        },
        side: { profile: each.profile, valueType: 0 },
      }));
    case 'collapsed':
      return [textProfile(name, decodeCollapsed(bytes, {}, limits))];
    case 'perf_script':
      return [textProfile(name, decodePerfScript(bytes, {}, limits, report))];
  }
}

function textProfile(name: string, profile: Profile): AdhocProfile {
  return { type: name, metadata: { ...TEXT_METADATA, name }, side: { profile, valueType: 0 } };
}

function flamebearerProfile(bytes: Uint8Array, limits: DecodeLimits, report: DecodeReport): AdhocProfile {
  const file = decodeFlamebearer(bytes, limits, report);
  const { name, spyName, units, sampleRateHz } = file.metadata;
  const metadata = { format: file.format, spyName, sampleRate: sampleRateHz, units, name };
  return file.format === 'single'
    ? { type: name, metadata, side: { profile: file.profile, valueType: 0 } }
    : {
        type: name,
        metadata,
        side: { profile: file.left, valueType: 0 },
        right: { profile: file.right, valueType: 0 },
      };
}

/** A client asks for a profile by its type, so the second of the same type gets a number. */
function withDistinctTypes(profiles: readonly AdhocProfile[]): AdhocProfile[] {
  const seen = new Map<string, number>();
  return profiles.map((profile) => {
    const count = (seen.get(profile.type) ?? 0) + 1;
    seen.set(profile.type, count);
    return count === 1 ? profile : { ...profile, type: `${profile.type} (${count})` };
  });
}

function decompressed(bytes: Uint8Array, maxBytes: number): Uint8Array {
  let plain = bytes;
  for (let layer = 0; isGzip(plain); layer++) {
    if (layer === MAX_GZIP_LAYERS) {
      throw new HearthscopeError(
        'invalid_argument',
        `the file is compressed more than ${MAX_GZIP_LAYERS} times`,
      );
    }
    plain = gunzipped(plain, maxBytes);
  }
  return plain;
}

function gunzipped(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new HearthscopeError(
      'invalid_argument',
      isTooLarge
        ? `uncompressed profile payload size exceeds limit of ${siBytes(maxBytes)}`
        : 'the file is damaged: its gzip cannot be read',
      { cause: error },
    );
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Bytes above ASCII are taken for UTF-8. */
function isPrintable(byte: number): boolean {
  return isSpace(byte) || (byte >= 0x20 && byte !== 0x7f);
}
