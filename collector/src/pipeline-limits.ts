// SPDX-License-Identifier: Apache-2.0
//
// The limits the pipeline applies to each profile, with their defaults. Plain data: they cross to a worker thread.

import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from '@hearthscope/profile/codecs/decode-limits';

export interface PipelineLimits {
  /** What the decoder accepts. */
  readonly decode: DecodeLimits;
  /** Bytes of a label's name in UTF-8. */
  readonly maxLabelNameLength: number;
  /** Bytes of a label's value in UTF-8. */
  readonly maxLabelValueLength: number;
  /** Labels of one series, those of the profile type not counted. */
  readonly maxLabelNamesPerSeries: number;
  /** Series that one profile may be split into by the attributes of its samples. */
  readonly maxSeriesPerProfile: number;
  /** How long before now a profile may start. 0 means no limit. */
  readonly rejectOlderThanMillis: number;
  /** How long after now a profile may start. 0 means no limit. */
  readonly rejectNewerThanMillis: number;
}

const MINUTE_MILLIS = 60_000;

export const DEFAULT_PIPELINE_LIMITS: PipelineLimits = {
  decode: DEFAULT_DECODE_LIMITS,
  maxLabelNameLength: 1024,
  maxLabelValueLength: 2048,
  maxLabelNamesPerSeries: 30,
  maxSeriesPerProfile: 1000,
  rejectOlderThanMillis: 60 * MINUTE_MILLIS,
  rejectNewerThanMillis: 10 * MINUTE_MILLIS,
};
