// SPDX-License-Identifier: Apache-2.0
//
// Limits that only recordings have, beside those of all decoders in ../decode-limits.ts: from there, `maxTableRows`
// bounds each constant pool and each list of the metadata, `maxDecodedRows` the stack frames of a chunk, and of the whole
// recording the distinct samples and the attributes of all of them together; `maxStackDepth`, `maxSymbolLength` and the
// limits of attributes mean what they say.

export interface JfrLimits {
  /** Bytes of the decompressed recording. */
  readonly maxRecordingBytes: number;
  /** Chunks of one recording. */
  readonly maxChunks: number;
  /** Events of one recording, of every type, also those that are passed over. */
  readonly maxEvents: number;
  /** Bytes of all names as they are read and put together, as few bytes can be made to name a long symbol often. */
  readonly maxNameBytes: number;
}

export const DEFAULT_JFR_LIMITS: JfrLimits = {
  maxRecordingBytes: 268_435_456,
  maxChunks: 1_000,
  maxEvents: 16_000_000,
  maxNameBytes: 134_217_728,
};

/** Types contain types this deep: the deepest of the JDK, a stack trace with its frames, needs 2. */
export const MAX_TYPE_DEPTH = 8;
/** Elements of the metadata's tree are nested this deep: root, metadata, class, field, annotation are 5. */
export const MAX_ELEMENT_DEPTH = 16;
