// SPDX-License-Identifier: Apache-2.0
//
// How profiles that sampling leaves out are counted, whichever way they came.

import type { Refusal } from './refusal.ts';

export const SAMPLED_OUT: Refusal = {
  reason: 'dropped_by_sampling_rules',
  message: 'the sampling rules of the tenant leave the profile out',
};
