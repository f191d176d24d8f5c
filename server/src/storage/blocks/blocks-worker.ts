// SPDX-License-Identifier: Apache-2.0
//
// The worker thread that has the blocks: SQL, symbols, upkeep. Nothing that it does can hold up what is being received.

import { mkdirSync, rmSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { labelMatcher } from '@hearthscope/profile/selector/selector';
import { type CallMessage, errorData } from '../../worker-calls/call-messages.ts';
import { type Answered, CallServer } from '../../worker-calls/call-server.ts';
import type { Log } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { openObjectStore } from '../object-store/open-object-store.ts';
import { SqlEngine } from '../sql/sql-engine.ts';
import { type BlockFiles, LocalBlockFiles } from './block-files.ts';
import { BlockMaintenance } from './block-maintenance.ts';
import { type BlockQuestion, BlockStore } from './block-store.ts';
import type {
  BlockMethods,
  BlocksConfig,
  BlocksMessage,
  BlocksStatus,
  PlainQuestion,
} from './blocks-protocol.ts';
import { CachedBlockFiles, DEFAULT_BLOCK_CACHE_LIMITS } from './cached-block-files.ts';
import { bytesOf } from './manifest.ts';

if (parentPort === null) throw new HearthscopeError('internal', 'the blocks worker is no program of its own');
const port = parentPort;
const config = workerData as BlocksConfig;

function send(message: BlocksMessage, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

const log: Log = {
  info: (fields, message) => send({ kind: 'log', level: 'info', fields, message }),
  warn: (fields, message) => send({ kind: 'log', level: 'warn', fields, message }),
  error: (fields, message) => send({ kind: 'log', level: 'error', fields: plainFields(fields), message }),
};

/** Errors lose their stack on the way to another thread. */
function plainFields(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]),
  );
}

function questionOf({
  tenant,
  startMillis,
  endMillis,
  alternatives,
  withoutCuts,
}: PlainQuestion): BlockQuestion {
  return {
    tenant,
    withoutCuts,
    selection: {
      startMillis,
      endMillis,
      alternatives: alternatives.map((matchers) =>
        matchers.map(({ name, operator, value }) => labelMatcher(name, operator, value)),
      ),
    },
  };
}

interface Upkeep {
  retention: BlocksConfig['retention'];
  readonly totals: {
    compactedBlocks: number;
    compactionRuns: number;
    compactions: number;
    expiredBlocks: number;
    removedFiles: number;
    rewrittenBlocks: number;
    upkeepFailures: number;
  };
  retentionLagMillis: number;
  readonly stopping: AbortController;
  running: Promise<void>;
  timer: NodeJS.Timeout | undefined;
}

function statusOf(blocks: BlockStore, { totals, retentionLagMillis }: Upkeep): BlocksStatus {
  const levels = new Map<number, { level: number; blocks: number; bytes: number }>();
  for (const tenant of blocks.tenants) {
    for (const block of blocks.manifest(tenant)?.blocks ?? []) {
      const known = levels.get(block.level) ?? { level: block.level, blocks: 0, bytes: 0 };
      known.blocks++;
      known.bytes += bytesOf(block);
      levels.set(block.level, known);
    }
  }
  return {
    blocks: [...levels.values()],
    symbolCacheBytes: blocks.symbols.usedBytes,
    damagedBlocks: blocks.damaged.size,
    unreadableTenants: blocks.unreadable.size,
    deletions: blocks.tenants.reduce((sum, tenant) => sum + blocks.deletions(tenant).length, 0),
    retentionLagMillis,
    ...totals,
  };
}

/** Tells the other thread what it must hide of its own, and whom it must refuse. */
class TenantNews {
  readonly #blocks: BlockStore;
  readonly #told = new Map<string, string>();
  #toldUnreadable = '{}';

  constructor(blocks: BlockStore) {
    this.#blocks = blocks;
  }

  tell(): void {
    const reasons = Object.fromEntries(
      [...this.#blocks.unreadable].map(([tenant, { message }]) => [tenant, message]),
    );
    if (JSON.stringify(reasons) !== this.#toldUnreadable) {
      this.#toldUnreadable = JSON.stringify(reasons);
      send({ kind: 'unreadable', reasons });
    }
    for (const tenant of this.#blocks.tenants) {
      const deletions = this.#blocks.deletions(tenant);
      const text = JSON.stringify(deletions);
      if (text === (this.#told.get(tenant) ?? '[]')) continue;
      this.#told.set(tenant, text);
      send({ kind: 'deletions', tenant, deletions });
    }
  }
}

type Handler<Method extends keyof BlockMethods> = (
  parameters: Parameters<BlockMethods[Method]>,
  signal: AbortSignal,
) => Promise<Awaited<ReturnType<BlockMethods[Method]>>>;

function handlers(
  blocks: BlockStore,
  engine: SqlEngine,
  upkeep: Upkeep,
  news: TenantNews,
  maintain: () => Promise<void>,
): { readonly [Method in keyof BlockMethods]: Handler<Method> } {
  return {
    flush: ([tenant, content, cut, segment]) => blocks.flush(tenant, content, cut, segment),
    release: async ([cut]) => blocks.release(cut),
    mergeStacks: ([question, filter], signal) => blocks.mergeStacks(questionOf(question), filter, signal),
    totals: ([question], signal) => blocks.totals(questionOf(question), signal),
    stepTotals: ([question, steps], signal) => blocks.stepTotals(questionOf(question), steps, signal),
    stackTotals: ([question, ids], signal) => blocks.stackTotals(questionOf(question), ids, signal),
    spans: ([question, maxSpans], signal) => blocks.spans(questionOf(question), maxSpans, signal),
    seriesLabels: ([question], signal) => blocks.seriesLabels(questionOf(question), signal),
    size: ([question], signal) => blocks.size(questionOf(question), signal),
    stats: async ([tenant, withoutCuts]) => blocks.stats(tenant, withoutCuts),
    setRetention: async ([retention]) => {
      upkeep.retention = retention;
    },
    deleteService: async ([tenant, service, throughMillis]) => {
      const deletion = await blocks.deleteService(tenant, service, throughMillis);
      news.tell();
      return deletion;
    },
    deletionsInBlocks: async ([tenant, ids]) => {
      await blocks.deletionsInBlocks(tenant, ids);
      news.tell();
    },
    maintain: () => maintain(),
    status: async () => statusOf(blocks, upkeep),
    stop: async () => {
      clearTimeout(upkeep.timer);
      upkeep.stopping.abort(new HearthscopeError('unavailable', 'the server is stopping'));
      await upkeep.running;
      engine.close();
      // The answer is sent first; without a port the thread has nothing left to live for.
      setImmediate(() => port.close());
    },
  };
}

/** Where SQL reads files of blocks: the store's own folder, or a cache of what lies in a bucket. */
async function blockFilesOf(
  store: ObjectStore,
): Promise<{ readonly directory: string; readonly files: BlockFiles }> {
  const { objectStore, cacheDirectory, cacheMaxBytes } = config;
  if (objectStore.backend === 'filesystem') {
    return { directory: objectStore.filesystem.directory, files: new LocalBlockFiles(store) };
  }
  const limits = { ...DEFAULT_BLOCK_CACHE_LIMITS, maxBytes: cacheMaxBytes };
  const files = await CachedBlockFiles.open({ store, directory: cacheDirectory, limits, log });
  return { directory: cacheDirectory, files };
}

async function start(): Promise<void> {
  rmSync(config.temporaryDirectory, { recursive: true, force: true });
  mkdirSync(config.temporaryDirectory, { recursive: true, mode: 0o750 });
  const store = await openObjectStore(config.objectStore);
  const { directory, files } = await blockFilesOf(store);
  const engine = await SqlEngine.open({
    memoryLimitBytes: config.sqlMemoryBytes,
    threads: config.sqlThreads,
    temporaryDirectory: config.temporaryDirectory,
    directories: [directory],
    maxSessions: config.maxSessions,
  });
  const blocks = await BlockStore.open({
    store,
    engine,
    files,
    temporaryDirectory: config.temporaryDirectory,
    writerId: config.writerId,
    symbolCacheBytes: config.symbolCacheBytes,
    now: () => Date.now(),
    log,
  });
  const upkeep: Upkeep = {
    retention: config.retention,
    totals: {
      compactedBlocks: 0,
      compactionRuns: 0,
      compactions: 0,
      expiredBlocks: 0,
      removedFiles: 0,
      rewrittenBlocks: 0,
      upkeepFailures: 0,
    },
    retentionLagMillis: 0,
    stopping: new AbortController(),
    running: Promise.resolve(),
    timer: undefined,
  };
  const maintenance = new BlockMaintenance(blocks, {
    retentionOf: (tenant) => upkeep.retention.overrides[tenant] ?? upkeep.retention.defaults,
    graceMillis: config.graceMillis,
    tombstoneMillis: config.tombstoneMillis,
    monotonicMillis: () => performance.now(),
    log,
  });
  const news = new TenantNews(blocks);
  const maintain = (): Promise<void> => {
    upkeep.running = upkeep.running.then(async () => {
      if (upkeep.stopping.signal.aborted) return;
      const done = await maintenance.run(upkeep.stopping.signal);
      upkeep.totals.compactionRuns++;
      upkeep.totals.compactions += done.compactions;
      upkeep.totals.compactedBlocks += done.compacted;
      upkeep.totals.expiredBlocks += done.expired;
      upkeep.totals.removedFiles += done.removedFiles;
      upkeep.totals.rewrittenBlocks += done.rewritten;
      upkeep.totals.upkeepFailures += done.failures;
      upkeep.retentionLagMillis = done.clockLagMillis;
      news.tell();
    });
    return upkeep.running;
  };
  const schedule = (): void => {
    // A timer would keep a thread alive that was told to end.
    if (upkeep.stopping.signal.aborted) return;
    upkeep.timer = setTimeout(() => {
      void maintain().finally(schedule);
    }, config.maintenanceMillis);
  };
  const methods = handlers(blocks, engine, upkeep, news, maintain);
  const calls = new CallServer(async (method, parameters, signal): Promise<Answered> => {
    const handler = methods[method as keyof BlockMethods] as Handler<never> | undefined;
    if (handler === undefined)
      throw new HearthscopeError('internal', `the blocks worker has no method ${method}`);
    return { value: await handler(parameters as never, signal), transfer: [] };
  }, send);
  port.on('message', (message: CallMessage) => void calls.receive(message));
  schedule();
  news.tell();
  send({ kind: 'started', flushedSegments: blocks.flushedSegments() });
}

try {
  await start();
} catch (error) {
  send({ kind: 'start_failed', error: errorData(error) });
}
