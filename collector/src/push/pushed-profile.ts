// SPDX-License-Identifier: Apache-2.0
//
// What every receiver but OTLP's hands to the pipeline, so that push, /ingest and JFR are checked and normalised by the
// same code.

import type { Label } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';

/** One profile as a client of push or /ingest sent it, decoded. */
export interface PushedProfile {
  /** As sent, in its order; names may repeat, which the pipeline refuses. With `__name__` unless the sender forgot it,
   * and without the labels of the profile type, which the pipeline adds. */
  readonly labels: readonly Label[];
  /** All its sample types. `id`: 32 hex digits when the sender named a UUID, else ''. The labels of pprof samples are
   * attributes of the samples. */
  readonly profile: Profile;
  /** Size of the profile before decoding, decompressed. */
  readonly sizeBytes: number;
}
