// SPDX-License-Identifier: Apache-2.0
//
// Names of OpenTelemetry's semantic conventions that stand for a column of the columnar profile.

/** What kind of code a location is in: `kernel`, `native`, `go`, … */
export const FRAME_TYPE_ATTRIBUTE = 'profile.frame.type';

export const GNU_BUILD_ID_ATTRIBUTE = 'process.executable.build_id.gnu';

/** Identifiers of a binary, best first. */
export const BUILD_ID_ATTRIBUTES = [
  GNU_BUILD_ID_ATTRIBUTE,
  'process.executable.build_id.go',
  'process.executable.build_id.htlhash',
] as const;

/** Media of `original_payload_format` that are understood. */
export const PPROF_PAYLOAD_FORMAT = 'pprof';
