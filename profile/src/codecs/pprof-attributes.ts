// SPDX-License-Identifier: Apache-2.0
//
// Where fields of pprof that the columnar profile has no column for are kept: as profile attributes, under the names of
// OpenTelemetry's semantic conventions, so that a pprof that came in goes out with them again.

export const PprofAttribute = {
  dropFrames: 'pprof.profile.drop_frames',
  keepFrames: 'pprof.profile.keep_frames',
  docUrl: 'pprof.profile.doc_url',
  defaultSampleType: 'pprof.scope.default_sample_type',
} as const;
