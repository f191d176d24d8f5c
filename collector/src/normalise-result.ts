// SPDX-License-Identifier: Apache-2.0
//
// What a pipeline makes of one request.

import type { Rejection, Repair } from '@hearthscope/profile/codecs/decode-report';
import type { NormalisedProfile } from './normalised-profile.ts';

export interface NormaliseResult {
  readonly accepted: NormalisedProfile[];
  /** What was refused, by the decoder and by the pipeline; one entry for each reason. */
  readonly rejected: Rejection[];
  /** What was changed on the way in. */
  readonly repaired: Repair[];
}
