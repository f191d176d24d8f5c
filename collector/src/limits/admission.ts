// SPDX-License-Identifier: Apache-2.0
//
// Whether a profile is taken in now: the volume limits of a tenant. The texts are those that clients of Pyroscope know.

import type { Label } from '@hearthscope/profile/labels';
import { iecBytes } from './byte-text.ts';
import type { IngestionLimit, TenantLimits } from './tenant-limits.ts';
import { TokenBucket } from './token-bucket.ts';
import { settingOf, usageGroupsOf } from './usage-groups.ts';

/** Why a profile is not taken in. */
export interface AdmissionRefusal {
  readonly reason: 'rate_limited' | 'ingest_limit_reached';
  /** For the client. */
  readonly message: string;
}

export interface Admission {
  /** @param sizeBytes of the profile, decompressed
   * @returns undefined when it is taken in, and then it counts against the limits */
  admit(
    tenant: string,
    labels: readonly Label[],
    sizeBytes: number,
    limits: TenantLimits,
  ): AdmissionRefusal | undefined;
}

/** Tenants whose rates are kept; beyond, the one that has been quiet the longest is forgotten and starts afresh. */
export const MAX_TRACKED_TENANTS = 10_000;

const MEBIBYTE = 1_048_576;

interface TenantState {
  readonly bucket: TokenBucket;
  /** What is let through although a limit is reached. */
  windowStartMillis: number;
  leftInWindow: number | undefined;
}

export interface TenantAdmissionOptions {
  /** Milliseconds; of a clock that does not jump, if possible. */
  readonly now: () => number;
  readonly maxTenants?: number;
}

/** Keeps account of what each tenant sends. */
export class TenantAdmission implements Admission {
  readonly #now: () => number;
  readonly #maxTenants: number;
  /** The one that was quiet the longest first. */
  readonly #tenants = new Map<string, TenantState>();

  constructor({ now, maxTenants = MAX_TRACKED_TENANTS }: TenantAdmissionOptions) {
    this.#now = now;
    this.#maxTenants = maxTenants;
  }

  admit(
    tenant: string,
    labels: readonly Label[],
    sizeBytes: number,
    limits: TenantLimits,
  ): AdmissionRefusal | undefined {
    const nowMillis = this.#now();
    const state = this.#state(tenant, limits, nowMillis);
    const { ingestionLimit } = limits;
    if (ingestionLimit?.limitReached && !letThrough(state, ingestionLimit, nowMillis)) {
      return limitReached(ingestionLimit, ingestionLimit.periodLimitMegabytes, '');
    }
    const totalBytes = sizeBytes + labelBytes(labels);
    const { ingestionRateBytes, ingestionBurstBytes } = limits;
    if (!state.bucket.take(totalBytes, ingestionRateBytes, ingestionBurstBytes, nowMillis)) {
      return {
        reason: 'rate_limited',
        message: `push rate limit (${iecBytes(ingestionRateBytes)}) exceeded while adding ${iecBytes(totalBytes)}`,
      };
    }
    return ingestionLimit === undefined
      ? undefined
      : usageGroupRefusal(labels, limits, ingestionLimit, state, nowMillis);
  }

  #state(tenant: string, limits: TenantLimits, nowMillis: number): TenantState {
    let state = this.#tenants.get(tenant);
    if (state === undefined) {
      state = {
        bucket: new TokenBucket(limits.ingestionBurstBytes, nowMillis),
        windowStartMillis: nowMillis,
        leftInWindow: undefined,
      };
      const quietest = this.#tenants.keys().next();
      if (this.#tenants.size >= this.#maxTenants && !quietest.done) this.#tenants.delete(quietest.value);
    } else {
      this.#tenants.delete(tenant);
    }
    this.#tenants.set(tenant, state);
    return state;
  }
}

function usageGroupRefusal(
  labels: readonly Label[],
  limits: TenantLimits,
  ingestionLimit: IngestionLimit,
  state: TenantState,
  nowMillis: number,
): AdmissionRefusal | undefined {
  for (const group of usageGroupsOf(labels, limits.usageGroups)) {
    const groupLimit = settingOf(ingestionLimit.usageGroups, group);
    if (groupLimit === undefined || !groupLimit.limitReached) continue;
    if (letThrough(state, ingestionLimit, nowMillis)) return undefined;
    return limitReached(
      ingestionLimit,
      groupLimit.periodLimitMegabytes,
      ` for usage group ${group.resolvedName}`,
    );
  }
  return undefined;
}

/** A limit that is reached lets a few profiles through in each period, so that one sees that the service is alive. */
function letThrough(state: TenantState, { sampling }: IngestionLimit, nowMillis: number): boolean {
  if (state.leftInWindow === undefined || nowMillis - state.windowStartMillis >= sampling.periodMillis) {
    state.windowStartMillis = nowMillis;
    state.leftInWindow = sampling.profiles;
  }
  if (state.leftInWindow <= 0) return false;
  state.leftInWindow--;
  return true;
}

function limitReached(limit: IngestionLimit, megabytes: number, whose: string): AdmissionRefusal {
  const size = iecBytes(megabytes * MEBIBYTE);
  return {
    reason: 'ingest_limit_reached',
    message: `limit of ${size}/${limit.periodType} reached${whose}, next reset at ${timeText(limit.limitResetTimeUnixSeconds)}`,
  };
}

/** RFC 3339 where the time has such a form. */
function timeText(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  return Number.isNaN(date.getTime()) ? `${unixSeconds} s` : date.toISOString().replace('.000Z', 'Z');
}

function labelBytes(labels: readonly Label[]): number {
  let bytes = 0;
  for (const { name, value } of labels) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}
