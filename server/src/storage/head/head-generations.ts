// SPDX-License-Identifier: Apache-2.0
//
// The head over time: one generation is written to, and those cut from it before are read until they are blocks.
//
//   writes ──▶ active ──cut──▶ frozen ──flushed──▶ dropped
//
// A cut waits for the writes in flight, so that each of them is in one generation, and in the WAL's segments of that one.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { Head, type HeadSize } from './head.ts';
import type { TenantHead } from './tenant-head.ts';

/** The head of a stretch of time. */
export class HeadGeneration {
  /** Its number; the one of the cut when it is cut. */
  readonly cut: number;
  readonly head: Head;
  /** The last segment of the WAL that its profiles are in; known once it is cut. */
  segment = 0;
  /** Tenants whose part is a block already. */
  readonly flushed = new Set<string>();
  #readers = 0;
  #onUnread: (() => void) | undefined;

  constructor(cut: number, maxBytes: number) {
    this.cut = cut;
    this.head = new Head(maxBytes);
  }

  /** Somebody answers from it until they give it back. */
  hold(): void {
    this.#readers++;
  }

  giveBack(): void {
    this.#readers--;
    if (this.#readers === 0) this.#onUnread?.();
  }

  /** Resolves when nobody answers from it any more. Nobody must begin to. */
  async unread(): Promise<void> {
    if (this.#readers > 0) await new Promise<void>((resolve) => (this.#onUnread = resolve));
  }
}

/** A tenant's part of all generations, held for one question. */
export interface HeldHeads extends Disposable {
  /** Oldest first. */
  readonly heads: readonly TenantHead[];
  /** Their generations. */
  readonly cuts: readonly number[];
}

export class HeadGenerations {
  readonly #maxBytes: number;
  #active: HeadGeneration;
  /** Oldest first. */
  #frozen: HeadGeneration[] = [];
  #writes = 0;
  /** While a cut waits: what writes wait for. */
  #gate: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  /** @param maxBytes of one generation */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#active = new HeadGeneration(1, maxBytes);
  }

  get active(): Head {
    return this.#active.head;
  }

  get frozen(): readonly HeadGeneration[] {
    return this.#frozen;
  }

  /** Reserves room, runs `write`, and commits when it succeeds.
   * @throws HearthscopeError as Head.reserve does, and what `write` throws; nothing is kept then */
  async append(
    tenant: string,
    profiles: readonly NormalisedProfile[],
    write: () => Promise<void>,
  ): Promise<void> {
    while (this.#gate !== undefined) await this.#gate;
    this.#writes++;
    try {
      const reservation = this.active.reserve(tenant, profiles);
      await write().catch((error: unknown) => {
        reservation.release();
        throw error;
      });
      reservation.commit();
    } finally {
      this.#writes--;
      if (this.#writes === 0) this.#onIdle?.();
    }
  }

  /** Freezes the active generation, unless it is empty, and begins a new one.
   * @param rotate ends the WAL's segment and tells its number; called while nothing is written
   * @throws what `rotate` throws; the active generation goes on then */
  async cut(rotate: () => Promise<number>): Promise<void> {
    if (this.#gate !== undefined || this.active.isEmpty) return;
    let open: () => void = () => undefined;
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    try {
      if (this.#writes > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
      const generation = this.#active;
      generation.segment = await rotate();
      this.#frozen.push(generation);
      this.#active = new HeadGeneration(generation.cut + 1, this.#maxBytes);
    } finally {
      this.#onIdle = undefined;
      this.#gate = undefined;
      open();
    }
  }

  /** Its profiles are answered for elsewhere now. */
  drop(generation: HeadGeneration): void {
    this.#frozen = this.#frozen.filter((other) => other !== generation);
  }

  /** Must be disposed when the question is answered. */
  hold(tenant: string): HeldHeads {
    const generations = [...this.#frozen, this.#active];
    for (const generation of generations) generation.hold();
    return {
      heads: generations.flatMap(({ head }) => head.tenant(tenant) ?? []),
      cuts: generations.map(({ cut }) => cut),
      [Symbol.dispose]: () => {
        for (const generation of generations) generation.giveBack();
      },
    };
  }

  size(): HeadSize {
    const sizes = [...this.#frozen, this.#active].map(({ head }) => head.size());
    const sum = (field: keyof HeadSize) => sizes.reduce((total, size) => total + size[field], 0);
    return {
      bytes: sum('bytes'),
      tenants: Math.max(...sizes.map(({ tenants }) => tenants)),
      series: sum('series'),
      profiles: sum('profiles'),
      samples: sum('samples'),
      stacks: sum('stacks'),
      stackCollisions: sum('stackCollisions'),
    };
  }
}
