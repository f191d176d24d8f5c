// SPDX-License-Identifier: Apache-2.0
//
// What a sender of OTLP is told about a request that was understood.

import type { OtlpPartialSuccess } from '@hearthscope/profile/codecs/otlp-response';
import {
  acceptedProfiles,
  describeRejections,
  errorOfOutcome,
  type IngestOutcome,
  rejectedProfiles,
} from '../receivers/ingest-outcome.ts';
import { Refusal } from '../receivers/refusal.ts';

/** @throws Refusal rejected when nothing was stored, so that a sender over its limit tries again */
export function partialSuccess(outcome: IngestOutcome): OtlpPartialSuccess {
  const error = errorOfOutcome(outcome);
  if (error !== undefined && acceptedProfiles(outcome) === 0) {
    throw new Refusal('rejected', error.message, error.code);
  }
  return { rejectedProfiles: BigInt(rejectedProfiles(outcome)), errorMessage: describeRejections(outcome) };
}
