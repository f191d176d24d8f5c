// SPDX-License-Identifier: Apache-2.0
//
// Queries share their thread with ingest, and one that reads everything takes seconds. So they take turns: a query works
// for a slice, then whatever came in meanwhile is done, then the next query works. A few are in flight at a time, because
// each holds its own tables; others wait in a queue with an end.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Steps } from '@hearthscope/profile/steps';
import type { Pace } from '../storage/store.ts';
import type { QueryLimits } from './query-limits.ts';

export interface QueryOptions {
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

export class QueryScheduler {
  readonly #limits: QueryLimits;
  /** Milliseconds of a clock that never jumps. */
  readonly #now: () => number;
  #inFlight = 0;
  /** Queries that are not yet in flight. */
  readonly #queue: (() => void)[] = [];
  /** Queries in flight that wait for their next slice. */
  readonly #waiting: (() => void)[] = [];
  #sliceEnd = 0;

  constructor(limits: QueryLimits, now = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** @throws HearthscopeError resource_exhausted when too many queries wait already, deadline_exceeded when the time is
   * up, canceled when the signal is aborted, and what the query throws */
  async run<Answer>(query: (pace: Pace) => Promise<Answer>, { signal }: QueryOptions = {}): Promise<Answer> {
    const check = this.#checkUntil(this.#now() + this.#limits.queryTimeoutMillis, signal);
    await this.#enter();
    try {
      await this.#nextSlice(check);
      return await query({ run: (steps) => this.#runSteps(steps, check) });
    } finally {
      this.#leave();
    }
  }

  #checkUntil(deadline: number, signal: AbortSignal | undefined): () => void {
    return () => {
      if (signal?.aborted) throw new HearthscopeError('canceled', 'the client does not wait any more');
      if (this.#now() < deadline) return;
      throw new HearthscopeError(
        'deadline_exceeded',
        `the query took longer than ${this.#limits.queryTimeoutMillis} ms; narrow the time range or the selector`,
      );
    };
  }

  async #enter(): Promise<void> {
    const { maxConcurrentQueries, maxQueuedQueries } = this.#limits;
    if (this.#inFlight < maxConcurrentQueries) {
      this.#inFlight++;
      return;
    }
    if (this.#queue.length >= maxQueuedQueries) {
      throw new HearthscopeError(
        'resource_exhausted',
        `${this.#inFlight} queries run and ${this.#queue.length} wait already (max_queued_queries, limit: ${maxQueuedQueries}); try again later`,
      );
    }
    // The one that leaves hands its place over, so nobody can slip in between.
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#inFlight--;
    else next();
  }

  async #runSteps<Result>(steps: Steps<Result>, check: () => void): Promise<Result> {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (this.#now() >= this.#sliceEnd) await this.#nextSlice(check);
    }
  }

  async #nextSlice(check: () => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(this.#wakeOne);
    });
    check();
  }

  /** One query for each turn of the event loop. */
  readonly #wakeOne = (): void => {
    const wake = this.#waiting.shift()!;
    this.#sliceEnd = this.#now() + this.#limits.querySliceMillis;
    wake();
    if (this.#waiting.length > 0) setImmediate(this.#wakeOne);
  };
}
