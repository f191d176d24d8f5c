// SPDX-License-Identifier: Apache-2.0
//
// The ingest worker's handle of the worker that has the blocks.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { CallClient, type CallOptions } from '../../worker-calls/call-client.ts';
import { errorOf } from '../../worker-calls/call-messages.ts';
import type { Log } from '../log.ts';
import type { SeriesSelection } from '../store.ts';
import type { BlockContent } from './block-tables.ts';
import type { BlockMethods, BlocksConfig, BlocksMessage, PlainQuestion } from './blocks-protocol.ts';
import type { ServiceDeletion } from './manifest.ts';

export class BlocksClient {
  /** By tenant: the last segment of this writer's WAL whose profiles were in blocks at the start. */
  readonly flushedSegments: Readonly<Record<string, number>>;
  /** By tenant: what must not be seen any more. */
  readonly #deletions: ReadonlyMap<string, readonly ServiceDeletion[]>;
  /** By tenant: why nothing of them can be stored. */
  #unreadable: Readonly<Record<string, string>> = {};
  /** Called when a tenant's deletions change. */
  onDeletions: (tenant: string) => void = () => undefined;
  readonly #worker: Worker;
  readonly #calls: CallClient<BlockMethods>;

  private constructor(
    worker: Worker,
    calls: CallClient<BlockMethods>,
    flushedSegments: Readonly<Record<string, number>>,
    deletions: ReadonlyMap<string, readonly ServiceDeletion[]>,
  ) {
    this.#deletions = deletions;
    this.#worker = worker;
    this.#calls = calls;
    this.flushedSegments = flushedSegments;
  }

  /** @throws HearthscopeError when manifests cannot be read or the folder cannot be used */
  static async start(config: BlocksConfig, log: Log): Promise<BlocksClient> {
    const worker = new Worker(new URL(`./blocks-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: config,
      name: 'hearthscope-blocks',
    });
    const calls = new CallClient<BlockMethods>((message, transfer) => worker.postMessage(message, transfer));
    const deletions = new Map<string, readonly ServiceDeletion[]>();
    let unreadable: Readonly<Record<string, string>> = {};
    let client: BlocksClient | undefined;
    const flushedSegments = await new Promise<Readonly<Record<string, number>>>((resolve, reject) => {
      worker.on('message', (message: BlocksMessage) => {
        if (message.kind === 'started') resolve(message.flushedSegments);
        else if (message.kind === 'start_failed') reject(errorOf(message.error));
        else if (message.kind === 'deletions') {
          deletions.set(message.tenant, message.deletions);
          client?.onDeletions(message.tenant);
        } else if (message.kind === 'unreadable') {
          unreadable = message.reasons;
          if (client !== undefined) client.#unreadable = unreadable;
        } else if (message.kind === 'log') log[message.level](message.fields, message.message);
        else calls.receive(message);
      });
      worker.once('error', (error) => {
        reject(error);
        log.error({ error: messageOf(error) }, 'the blocks worker failed');
        calls.end(`the blocks worker failed: ${messageOf(error)}`);
      });
      worker.once('exit', () => calls.end('the blocks worker ended'));
    });
    client = new BlocksClient(worker, calls, flushedSegments, deletions);
    client.#unreadable = unreadable;
    return client;
  }

  /** @throws HearthscopeError unavailable when nothing of the tenant can become a block */
  check(tenant: string): void {
    const reason = Object.hasOwn(this.#unreadable, tenant) ? this.#unreadable[tenant] : undefined;
    if (reason !== undefined) throw new HearthscopeError('unavailable', reason);
  }

  /** What must not be seen any more of the tenant. */
  deletions(tenant: string): readonly ServiceDeletion[] {
    return this.#deletions.get(tenant) ?? [];
  }

  /** Tenants of whom something must not be seen any more. */
  get tenantsWithDeletions(): string[] {
    return [...this.#deletions].filter(([, list]) => list.length > 0).map(([tenant]) => tenant);
  }

  /** Why no questions are answered any more. */
  get ended(): string | undefined {
    return this.#calls.ended;
  }

  call: CallClient<BlockMethods>['call'] = (method, parameters, options?: CallOptions) =>
    this.#calls.call(method, parameters, options);

  /** Gives the content's memory away. */
  flush(tenant: string, content: BlockContent, cut: number, segment: number): Promise<void> {
    return this.#calls.call('flush', [tenant, content, cut, segment], { transfer: buffersOf(content) });
  }

  async stop(): Promise<void> {
    if (this.#calls.ended !== undefined) return;
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    await this.#calls.call('stop', []);
    await exited;
  }
}

export function plainQuestion(
  tenant: string,
  { startMillis, endMillis, alternatives }: SeriesSelection,
  withoutCuts: readonly number[],
): PlainQuestion {
  return {
    tenant,
    startMillis,
    endMillis,
    alternatives: alternatives.map((matchers) =>
      matchers.map(({ name, operator, value }) => ({ name, operator, value })),
    ),
    withoutCuts,
  };
}

/** The large columns. Sections of symbols are copied: a small one may lie in memory that it shares with others. */
function buffersOf({ samples, profiles }: BlockContent): ArrayBuffer[] {
  return [...Object.values(samples), ...Object.values(profiles)].map(({ buffer }) => buffer as ArrayBuffer);
}
