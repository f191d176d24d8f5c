// SPDX-License-Identifier: Apache-2.0
//
// Queries that clients leave behind and come back for. A query goes on when its client is gone; its answer is kept for a
// while, for those alone who may read the same tenants. Nothing of it survives the process.

import { randomUUID } from 'node:crypto';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { Counter, Gauge, type Registry } from 'prom-client';

export interface AsyncQueryLimits {
  /** How long an answer is kept. */
  readonly resultMillis: number;
  /** Answers that are kept, of all tenants; the oldest go first. */
  readonly maxResults: number;
  /** Bytes of all answers that are kept. */
  readonly maxResultBytes: number;
}

export const DEFAULT_ASYNC_QUERY_LIMITS: AsyncQueryLimits = {
  resultMillis: 30 * 60_000,
  maxResults: 256,
  maxResultBytes: 256 * 1024 * 1024,
};

export interface AsyncQueriesOptions<Answer> {
  /** Queries in progress of a tenant; 0 and less for none. */
  readonly maxConcurrent: (tenant: string) => number;
  /** About how many bytes an answer takes. */
  readonly sizeOf: (answer: Answer) => number;
  /** Milliseconds of any clock. */
  readonly now: () => number;
  readonly limits?: Partial<AsyncQueryLimits>;
  readonly registry: Registry;
}

export type AsyncQueryState<Answer> =
  | { readonly status: 'in_progress' }
  | { readonly status: 'success'; readonly answer: Answer }
  | { readonly status: 'failure'; readonly message: string };

interface AsyncQuery<Answer> {
  readonly owner: string;
  readonly cancellation: AbortController;
  readonly done: Promise<void>;
  state: AsyncQueryState<Answer>;
  /** Of a query that is done. */
  endMillis: number;
  sizeBytes: number;
}

export class AsyncQueries<Answer> {
  readonly #options: AsyncQueriesOptions<Answer>;
  readonly #limits: AsyncQueryLimits;
  /** In the order in which they were submitted. */
  readonly #queries = new Map<string, AsyncQuery<Answer>>();
  readonly #inProgress = new Map<string, number>();
  readonly #inProgressGauge: Gauge<'tenant'>;
  readonly #maxGauge: Gauge<'tenant'>;
  readonly #dropped: Counter<'reason'>;

  constructor(options: AsyncQueriesOptions<Answer>) {
    this.#options = options;
    this.#limits = { ...DEFAULT_ASYNC_QUERY_LIMITS, ...options.limits };
    const registers = [options.registry];
    this.#inProgressGauge = new Gauge({
      name: 'pyroscope_async_queries_in_progress',
      help: 'Number of async queries currently in progress.',
      labelNames: ['tenant'],
      registers,
    });
    this.#maxGauge = new Gauge({
      name: 'pyroscope_async_queries_max',
      help: 'Maximum number of concurrent async queries allowed per tenant.',
      labelNames: ['tenant'],
      registers,
    });
    this.#dropped = new Counter({
      name: 'hearthscope_async_query_results_dropped_total',
      help: 'Answers of async queries that are not kept any more, by reason.',
      labelNames: ['reason'],
      registers,
    });
  }

  /** Begins a query. @returns the id to ask for
   * @throws HearthscopeError resource_exhausted when too many are in progress */
  submit(tenants: readonly string[], run: (signal: AbortSignal) => Promise<Answer>): string {
    const owner = ownerOf(tenants);
    this.#enter(owner, Math.min(...tenants.map(this.#options.maxConcurrent)));
    this.#dropOld();
    const id = randomUUID();
    const cancellation = new AbortController();
    const query: AsyncQuery<Answer> = {
      owner,
      cancellation,
      done: run(cancellation.signal)
        .then(
          (answer) => this.#end(query, { status: 'success', answer }, this.#options.sizeOf(answer)),
          (error: unknown) => this.#end(query, { status: 'failure', message: publicMessage(error) }, 0),
        )
        .finally(() => this.#leave(owner)),
      state: { status: 'in_progress' },
      endMillis: Number.POSITIVE_INFINITY,
      sizeBytes: 0,
    };
    this.#queries.set(id, query);
    return id;
  }

  /** @throws HearthscopeError not_found for an id that is not known, or is another's */
  poll(tenants: readonly string[], id: string): AsyncQueryState<Answer> {
    this.#dropOld();
    const query = this.#queries.get(id);
    if (query === undefined || query.owner !== ownerOf(tenants)) {
      throw new HearthscopeError('not_found', 'async query not found');
    }
    return query.state;
  }

  /** Gives all queries up. */
  async close(): Promise<void> {
    for (const { cancellation } of this.#queries.values()) cancellation.abort();
    await Promise.all(Array.from(this.#queries.values(), ({ done }) => done));
    this.#queries.clear();
  }

  #enter(owner: string, max: number): void {
    this.#maxGauge.set({ tenant: owner }, max);
    const count = this.#inProgress.get(owner) ?? 0;
    if (max <= 0) {
      throw new HearthscopeError('resource_exhausted', `async queries are disabled for tenant ${owner}`);
    }
    if (count >= max) {
      throw new HearthscopeError(
        'resource_exhausted',
        `tenant ${owner} has reached the maximum number of concurrent async queries (${max})`,
      );
    }
    this.#setInProgress(owner, count + 1);
  }

  #leave(owner: string): void {
    this.#setInProgress(owner, this.#inProgress.get(owner)! - 1);
  }

  #setInProgress(owner: string, count: number): void {
    if (count === 0) this.#inProgress.delete(owner);
    else this.#inProgress.set(owner, count);
    this.#inProgressGauge.set({ tenant: owner }, count);
  }

  #end(query: AsyncQuery<Answer>, state: AsyncQueryState<Answer>, sizeBytes: number): void {
    query.state = state;
    query.sizeBytes = sizeBytes;
    query.endMillis = this.#options.now();
    this.#dropOld();
  }

  #dropOld(): void {
    const { resultMillis, maxResults, maxResultBytes } = this.#limits;
    const oldest = this.#options.now() - resultMillis;
    let count = 0;
    let bytes = 0;
    for (const [id, { endMillis, sizeBytes }] of [...this.#queries].reverse()) {
      if (endMillis === Number.POSITIVE_INFINITY) continue;
      count++;
      bytes += sizeBytes;
      if (endMillis < oldest) this.#drop(id, 'expired');
      else if (count > maxResults) this.#drop(id, 'too_many');
      else if (bytes > maxResultBytes) this.#drop(id, 'too_large');
    }
  }

  #drop(id: string, reason: string): void {
    this.#queries.delete(id);
    this.#dropped.inc({ reason });
  }
}

function ownerOf(tenants: readonly string[]): string {
  return tenants.join('|');
}

function publicMessage(error: unknown): string {
  const isDefect = !(error instanceof HearthscopeError) || error.code === 'internal';
  return isDefect ? 'internal error' : messageOf(error);
}
