// SPDX-License-Identifier: Apache-2.0
//
// What a decoder accepts. Counts are checked before anything of that size is allocated. Where Grafana Pyroscope has the
// same limit, the default is its default. The size of the request itself is the receiver's limit, not the codec's.

export interface DecodeLimits {
  /** Profiles in one request; those beyond are refused. */
  readonly maxProfiles: number;
  /** Samples of one profile; a profile with more is refused. */
  readonly maxSamples: number;
  /** Locations of one stack; a deeper stack loses its leaf side. */
  readonly maxStackDepth: number;
  /** Attributes of one sample; a sample with more is refused. */
  readonly maxSampleAttributes: number;
  /** Attributes of a resource, a scope or a profile; those beyond are left out. */
  readonly maxResourceAttributes: number;
  /** UTF-16 code units of an attribute's key; an attribute with a longer one is left out. */
  readonly maxAttributeKeyLength: number;
  /** UTF-16 code units of an attribute's value in text form; the rest is cut off. */
  readonly maxAttributeValueLength: number;
  /** UTF-16 code units of a symbol or file name; the front is cut off, as the end tells more. */
  readonly maxSymbolLength: number;
  /** Rows of any one table (strings, functions, locations, lines, …); input with more is refused. */
  readonly maxTableRows: number;
  /** Rows made for all profiles of one request together, as many profiles may name the same large stack; and the sample
   * values of one pprof, whose samples have one for each sample type. */
  readonly maxDecodedRows: number;
  /** Bytes of a decompressed `original_payload`. */
  readonly maxPayloadBytes: number;
  /** Bytes of an OTLP request in JSON, which takes many times as much memory while it is read; protobuf takes none. */
  readonly maxJsonBytes: number;
}

export const DEFAULT_DECODE_LIMITS: DecodeLimits = {
  maxProfiles: 10_000,
  maxSamples: 16_000,
  maxStackDepth: 1_000,
  maxSampleAttributes: 100,
  maxResourceAttributes: 128,
  maxAttributeKeyLength: 1_024,
  maxAttributeValueLength: 2_048,
  maxSymbolLength: 65_535,
  maxTableRows: 262_144,
  maxDecodedRows: 4_000_000,
  maxPayloadBytes: 4_194_304,
  maxJsonBytes: 67_108_864,
};
