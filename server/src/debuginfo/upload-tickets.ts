// SPDX-License-Identifier: Apache-2.0
//
// Who was asked to upload what. A thousand agents run the same binary; one of them is asked to send it, and when nothing
// has come from it for a while, the next one that wants to know. Lives in memory: after a restart clients ask again.

import type { DebugInfoLimits } from './debug-info-limits.ts';
import { UploadRefusal } from './upload-refusal.ts';

const MINUTE_MILLIS = 60_000;

export interface UploadTicket {
  readonly tenant: string;
  readonly buildId: string;
  /** What the client calls the file. */
  readonly name: string;
  readonly issuedAtUnixMillis: number;
}

export class UploadTickets {
  readonly #limits: DebugInfoLimits;
  readonly #now: () => number;
  /** Oldest first. */
  readonly #tickets = new Map<string, UploadTicket>();
  /** Uploads begun by each tenant in the current minute. */
  readonly #begun = new Map<string, number>();
  #minute = 0;

  constructor(limits: DebugInfoLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  issue(tenant: string, buildId: string, name: string): 'issued' | 'expected' | 'too_many' {
    this.#expire();
    const key = keyOf(tenant, buildId);
    if (this.#tickets.has(key)) return 'expected';
    if (this.#tickets.size >= this.#limits.maxTickets) return 'too_many';
    this.#tickets.set(key, { tenant, buildId, name, issuedAtUnixMillis: this.#now() });
    return 'issued';
  }

  /** The ticket of an upload that begins; it stays until it is removed, so that nobody else is asked meanwhile. */
  take(tenant: string, buildId: string): UploadTicket | undefined {
    this.#expire();
    return this.#tickets.get(keyOf(tenant, buildId));
  }

  remove(tenant: string, buildId: string): void {
    this.#tickets.delete(keyOf(tenant, buildId));
  }

  of(tenant: string): UploadTicket[] {
    this.#expire();
    return [...this.#tickets.values()].filter((ticket) => ticket.tenant === tenant);
  }

  /** @throws UploadRefusal when the tenant has begun too many uploads in this minute */
  countUpload(tenant: string): void {
    const minute = Math.floor(this.#now() / MINUTE_MILLIS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#begun.clear();
    }
    const begun = this.#begun.get(tenant) ?? 0;
    const { maxUploadsPerMinute } = this.#limits;
    if (begun >= maxUploadsPerMinute) {
      throw new UploadRefusal('rate_limited', `more than ${maxUploadsPerMinute} uploads in a minute`);
    }
    this.#begun.set(tenant, begun + 1);
  }

  #expire(): void {
    const oldest = this.#now() - this.#limits.ticketLifetimeMillis;
    for (const [key, { issuedAtUnixMillis }] of this.#tickets) {
      if (issuedAtUnixMillis > oldest) return;
      this.#tickets.delete(key);
    }
  }
}

function keyOf(tenant: string, buildId: string): string {
  return `${buildId} ${tenant}`;
}
