// SPDX-License-Identifier: Apache-2.0
//
// What the pipelines are told. The configuration is plain data and goes to the worker once; the limits are those of the
// tenant at the moment of the request, as they may be reloaded.

import type { Admission } from './limits/admission.ts';
import type { TenantLimits } from './limits/tenant-limits.ts';

/** Plain data, so that it can be given to a worker thread. */
export interface PipelineConfig {
  /** Attribute names of OTLP that the operator wants as labels, beside the built-in ones. */
  readonly indexedAttributes: readonly string[];
}

export interface PipelineOptions extends PipelineConfig {
  readonly tenant: string;
  /** Of this tenant, now. */
  readonly limits: TenantLimits;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Rate and volume limits; undefined admits everything. */
  readonly admission?: Admission;
  /** From 0 up to 1, for sampling; Math.random unless given. */
  readonly random?: () => number;
}
