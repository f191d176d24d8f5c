// SPDX-License-Identifier: Apache-2.0
//
// The heads of all tenants, which share one memory budget.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { MemoryBudget } from './memory-budget.ts';
import { type PreparedProfile, TenantHead } from './tenant-head.ts';

/** Counts over all tenants. */
export interface HeadSize {
  readonly bytes: number;
  readonly tenants: number;
  readonly series: number;
  readonly profiles: number;
  readonly samples: number;
  readonly stacks: number;
  readonly stackCollisions: number;
}

/** The profiles of one request, all paid for. Exactly one of `commit` and `release` must be called. */
export interface Reservation {
  commit(): void;
  release(): void;
}

export class Head {
  readonly budget: MemoryBudget;
  readonly #tenants = new Map<string, TenantHead>();

  constructor(maxBytes: number) {
    this.budget = new MemoryBudget(maxBytes);
  }

  get tenantNames(): string[] {
    return [...this.#tenants.keys()];
  }

  /** Whether no profile was ever committed. */
  get isEmpty(): boolean {
    for (const { profiles } of this.#tenants.values()) if (profiles.length > 0) return false;
    return true;
  }

  /** Undefined for a tenant that never stored anything. */
  tenant(name: string): TenantHead | undefined {
    return this.#tenants.get(name);
  }

  /** Reserves room for all of the profiles or for none.
   * @throws HearthscopeError unavailable when the head is full; invalid_argument when a profile cannot be stored */
  reserve(tenantName: string, profiles: readonly NormalisedProfile[]): Reservation {
    const tenant = this.#tenantOrNew(tenantName);
    const prepared: PreparedProfile[] = [];
    const release = () => {
      for (const profile of prepared) tenant.release(profile);
    };
    try {
      for (const profile of profiles) prepared.push(tenant.prepare(profile));
    } catch (error) {
      release();
      throw error;
    }
    return {
      commit: () => {
        for (const profile of prepared) tenant.commit(profile);
      },
      release,
    };
  }

  size(): HeadSize {
    const tenants = [...this.#tenants.values()];
    const sum = (count: (tenant: TenantHead) => number) =>
      tenants.reduce((total, tenant) => total + count(tenant), 0);
    return {
      bytes: this.budget.usedBytes,
      tenants: tenants.length,
      series: sum((tenant) => tenant.series.length),
      profiles: sum((tenant) => tenant.profiles.length),
      samples: sum((tenant) => tenant.rows.length),
      stacks: sum((tenant) => tenant.stacks.length),
      stackCollisions: sum((tenant) => tenant.stacks.collisions),
    };
  }

  #tenantOrNew(name: string): TenantHead {
    let tenant = this.#tenants.get(name);
    if (tenant !== undefined) return tenant;
    const before = this.budget.usedBytes;
    try {
      tenant = new TenantHead(this.budget);
    } catch (error) {
      this.budget.give(this.budget.usedBytes - before);
      throw error;
    }
    this.#tenants.set(name, tenant);
    return tenant;
  }
}
