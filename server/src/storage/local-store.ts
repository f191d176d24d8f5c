// SPDX-License-Identifier: Apache-2.0
//
// The store of one machine: a write-ahead log, a head that is rebuilt from it at start, and blocks that the head is cut
// into. Each profile is in exactly one of the active head, a cut that is being written, and a block; a question goes to
// all three.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { Registry } from 'prom-client';
import { type BlockLimits, blocksConfig, DEFAULT_BLOCK_LIMITS } from './blocks/block-limits.ts';
import { BlocksClient, plainQuestion } from './blocks/blocks-client.ts';
import type { RetentionConfig } from './blocks/blocks-protocol.ts';
import { headContent } from './blocks/head-content.ts';
import type { ServiceDeletion } from './blocks/manifest.ts';
import { DataDir } from './data-dir.ts';
import { DiskSpace } from './disk-space.ts';
import { decodeFrame, encodeFrame } from './frame-codec.ts';
import { type HeadGeneration, HeadGenerations } from './head/head-generations.ts';
import {
  mergedStackRows,
  mergeStacks,
  selectionSize,
  selectSeries,
  selectTotals,
  stackTotals,
  tenantStats,
} from './head/head-reader.ts';
import { spanTotals } from './head/span-totals.ts';
import type { Log } from './log.ts';
import {
  distinctSets,
  mergedProfiles,
  mergedStats,
  spansBySeries,
  stepsBySeries,
  stepsOfTotals,
  totalsBySeries,
} from './merge-answers.ts';
import type { ObjectStoreConfig } from './object-store/object-store-config.ts';
import { SlicePace } from './slice-pace.ts';
import {
  flushMetrics,
  registerBlockMetrics,
  registerDiskMetrics,
  registerHeadMetrics,
  walMetrics,
} from './storage-metrics.ts';
import { StorageStates } from './storage-states.ts';
import type {
  Pace,
  SampleFilter,
  SelectionSize,
  SeriesSelection,
  SeriesSpans,
  SeriesSteps,
  SeriesTotals,
  StackChoice,
  Store,
  TenantStats,
} from './store.ts';
import { plainSteps, type TimeSteps } from './time-steps.ts';
import { storedPayload } from './wal/payload.ts';
import { DEFAULT_WAL_LIMITS, Wal, type WalLimits } from './wal/wal.ts';

export interface LocalStoreOptions {
  readonly dataDir: string;
  /** Of the head and what was cut from it together; beyond it profiles are refused. What the WAL holds is loaded in any
   * case. */
  readonly headMaxBytes: number;
  readonly walLimits?: Partial<WalLimits>;
  readonly blockLimits?: Partial<BlockLimits>;
  /** Where blocks are kept. Default: a folder of the data directory. */
  readonly objectStore?: ObjectStoreConfig | undefined;
  /** Called when writing begins to fail, with the reason, and with undefined when it works again. */
  readonly onStateChange: (failure: string | undefined) => void;
  readonly registry: Registry;
  readonly log: Log;
}

export const WAL_DIRECTORY = 'wal';
export const OBJECTS_DIRECTORY = 'objects';
const TEMPORARY_DIRECTORY = 'tmp';
const CACHE_DIRECTORY = 'cache';
/** A cut and what is written meanwhile share the memory. */
const GENERATIONS = 2;

export class LocalStore implements Store {
  readonly #directory: DataDir;
  readonly #wal: Wal;
  readonly #heads: HeadGenerations;
  readonly #blocks: BlocksClient;
  readonly #disk: DiskSpace;
  readonly #writerId: string;
  readonly #limits: BlockLimits;
  readonly #log: Log;
  readonly #metrics: ReturnType<typeof flushMetrics>;
  #timer: NodeJS.Timeout | undefined;
  #generationStart = performance.now();
  #flushing: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();
  /** Deletions that this store has answered, or is about to. */
  readonly #answered = new Set<string>();

  private constructor(parts: {
    readonly directory: DataDir;
    readonly wal: Wal;
    readonly heads: HeadGenerations;
    readonly blocks: BlocksClient;
    readonly disk: DiskSpace;
    readonly writerId: string;
    readonly limits: BlockLimits;
    readonly options: LocalStoreOptions;
  }) {
    this.#directory = parts.directory;
    this.#wal = parts.wal;
    this.#heads = parts.heads;
    this.#blocks = parts.blocks;
    this.#disk = parts.disk;
    this.#writerId = parts.writerId;
    this.#limits = parts.limits;
    this.#log = parts.options.log;
    this.#metrics = flushMetrics(parts.options.registry);
    this.#blocks.onDeletions = (tenant) => this.#answerDeletions(tenant);
    for (const tenant of this.#blocks.tenantsWithDeletions) this.#answerDeletions(tenant);
    this.#schedule();
  }

  /** Locks the directory, opens the blocks and replays the WAL.
   * @throws HearthscopeError failed_precondition when the directory is unwritable, locked, or of an unknown version */
  static async open(options: LocalStoreOptions): Promise<LocalStore> {
    const { dataDir, headMaxBytes, registry, log } = options;
    const states = new StorageStates(options.onStateChange);
    const limits = { ...DEFAULT_BLOCK_LIMITS, ...options.blockLimits };
    await using opened = new AsyncDisposableStack();
    const directory = opened.adopt(DataDir.open(dataDir), (open) => open.close());
    const writerId = directory.writerId();
    const blocks = opened.adopt(
      await BlocksClient.start(
        blocksConfig(limits, {
          objectStore: options.objectStore ?? {
            backend: 'filesystem',
            filesystem: { directory: directory.subdirectory(OBJECTS_DIRECTORY) },
          },
          cacheDirectory: directory.subdirectory(CACHE_DIRECTORY),
          temporaryDirectory: directory.subdirectory(TEMPORARY_DIRECTORY),
          writerId,
        }),
        log,
      ),
      (open) => open.stop(),
    );
    const heads = new HeadGenerations(headMaxBytes / GENERATIONS);
    registerHeadMetrics(registry, () => heads.size(), headMaxBytes);
    registerBlockMetrics(registry, () => blocks.call('status', []));
    const disk = new DiskSpace({
      directory: directory.path,
      minFreeBytes: limits.minFreeBytes,
      onStateChange: states.of('disk'),
      log,
    });
    await disk.look();
    registerDiskMetrics(registry, disk);
    const wal = await replayedWal(
      { ...options, onStateChange: states.of('wal') },
      directory.subdirectory(WAL_DIRECTORY),
      heads,
      blocks.flushedSegments,
    );
    const store = new LocalStore({ directory, wal, heads, blocks, disk, writerId, limits, options });
    opened.move();
    return store;
  }

  async append(tenant: string, profiles: readonly NormalisedProfile[]): Promise<void> {
    this.#disk.check();
    this.#blocks.check(tenant);
    await this.#heads.append(tenant, profiles, () =>
      this.#wal.append(profiles.map((profile) => storedPayload(encodeFrame({ tenant, ...profile })))),
    );
  }

  async series(tenant: string, selection: SeriesSelection): Promise<LabelSet[]> {
    using held = this.#heads.hold(tenant);
    const inHead = this.#withoutDeleted(tenant, selection);
    const stored = this.#blocks.call('seriesLabels', [plainQuestion(tenant, selection, held.cuts)]);
    return distinctSets([...held.heads.flatMap((head) => selectSeries(head, inHead)), ...(await stored)]);
  }

  async totals(tenant: string, selection: SeriesSelection): Promise<SeriesTotals[]> {
    using held = this.#heads.hold(tenant);
    const inHead = this.#withoutDeleted(tenant, selection);
    const stored = await this.#blocks.call('totals', [plainQuestion(tenant, selection, held.cuts)]);
    return [...held.heads.flatMap((head) => selectTotals(head, inHead)), ...stored.flatMap(totalsBySeries)];
  }

  async stepTotals(tenant: string, selection: SeriesSelection, steps: TimeSteps): Promise<SeriesSteps[]> {
    using held = this.#heads.hold(tenant);
    const question = plainQuestion(tenant, selection, held.cuts);
    const stored = await this.#blocks.call('stepTotals', [question, plainSteps(steps)]);
    return [
      ...held.heads
        .flatMap((head) => selectTotals(head, selection))
        .map((totals) => stepsOfTotals(totals, steps)),
      ...stepsBySeries(stored),
    ];
  }

  async mergeStacks(
    tenant: string,
    selection: SeriesSelection,
    filter: SampleFilter,
    pace: Pace,
  ): Promise<Profile | undefined> {
    using held = this.#heads.hold(tenant);
    const inHead = this.#withoutDeleted(tenant, selection);
    const question = plainQuestion(tenant, selection, held.cuts);
    const [stored, ...inHeads] = await Promise.all([
      this.#blocks.call('mergeStacks', [question, filter]),
      ...held.heads.map((head) => pace.run(mergeStacks(head, inHead, filter))),
    ]);
    return mergedProfiles([...inHeads, stored?.profile].flatMap(present), pace);
  }

  async stackTotals(
    tenant: string,
    selection: SeriesSelection,
    choose: StackChoice,
    pace: Pace,
  ): Promise<SeriesTotals[]> {
    using held = this.#heads.hold(tenant);
    const inHead = this.#withoutDeleted(tenant, selection);
    const question = plainQuestion(tenant, selection, held.cuts);
    const answers: SeriesTotals[] = [];
    for (const head of held.heads) {
      const merged = await pace.run(mergedStackRows(head, inHead, {}));
      const stackRows = merged?.stackRows ?? new Uint32Array(0);
      const chosen = merged === undefined ? new Uint8Array(0) : await choose(merged.profile);
      answers.push(...(await pace.run(stackTotals(head, inHead, stackRows, chosen))));
    }
    const merged = await this.#blocks.call('mergeStacks', [question, {}]);
    if (merged === undefined) return answers;
    const chosen = await choose(merged.profile);
    const ids = merged.ids.filter((_, i) => chosen[i] === 1);
    const stored = await this.#blocks.call('stackTotals', [question, ids]);
    return [...answers, ...stored.flatMap(totalsBySeries)];
  }

  async spanTotals(
    tenant: string,
    selection: SeriesSelection,
    maxSpans: number,
    pace: Pace,
  ): Promise<SeriesSpans[]> {
    using held = this.#heads.hold(tenant);
    const inHead = this.#withoutDeleted(tenant, selection);
    const question = plainQuestion(tenant, selection, held.cuts);
    const answers: SeriesSpans[] = [];
    for (const head of held.heads) answers.push(...(await pace.run(spanTotals(head, inHead, maxSpans))));
    const stored = await this.#blocks.call('spans', [question, maxSpans]);
    return [...answers, ...stored.flatMap(spansBySeries)];
  }

  async size(tenant: string, selection: SeriesSelection): Promise<SelectionSize> {
    using held = this.#heads.hold(tenant);
    const inHead = this.#withoutDeleted(tenant, selection);
    const stored = await this.#blocks.call('size', [plainQuestion(tenant, selection, held.cuts)]);
    const sizes = [...held.heads.map((head) => selectionSize(head, inHead)), stored];
    const sum = (field: 'profiles' | 'samples' | 'bytes') =>
      sizes.reduce((total, size) => total + size[field], 0);
    return {
      series: (await this.series(tenant, selection)).length,
      profiles: sum('profiles'),
      samples: sum('samples'),
      bytes: sum('bytes'),
    };
  }

  async stats(tenant: string): Promise<TenantStats> {
    using held = this.#heads.hold(tenant);
    const stored = await this.#blocks.call('stats', [tenant, held.cuts]);
    return mergedStats([...held.heads.map(tenantStats), stored]);
  }

  setRetention(retention: RetentionConfig): Promise<void> {
    return this.#blocks.call('setRetention', [retention]);
  }

  /** Resolves once no answer has the service's profiles any more that start up to the moment. Their bytes go with the
   * upkeep of blocks. */
  async deleteService(tenant: string, service: string, throughMillis: number): Promise<ServiceDeletion> {
    return this.#blocks.call('deleteService', [tenant, service, throughMillis]);
  }

  /** What was asked to be deleted and is not all removed yet. */
  async deletions(tenant: string): Promise<readonly ServiceDeletion[]> {
    return this.#blocks.deletions(tenant);
  }

  /** Makes all that was appended so far a block. */
  async flush(): Promise<void> {
    await this.#cut();
    await this.#flushing;
  }

  /** Merges and removes the blocks that are due. */
  maintain(): Promise<void> {
    return this.#blocks.call('maintain', []);
  }

  /** Waits for what is being written, then gives the directory up. What is not a block yet stays in the WAL. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#flushing;
    await this.#wal.close();
    await this.#blocks.stop();
    this.#directory.close();
  }

  #withoutDeleted(tenant: string, selection: SeriesSelection): SeriesSelection {
    return { ...selection, deleted: this.#blocks.deletions(tenant) };
  }

  /** Brings what may have been deleted into blocks, where upkeep can take it out, and says so. */
  #answerDeletions(tenant: string): void {
    const ids = this.#blocks
      .deletions(tenant)
      .filter(({ id, waitingFor }) => waitingFor.includes(this.#writerId) && !this.#answered.has(id))
      .map(({ id }) => id);
    if (ids.length === 0) return;
    for (const id of ids) this.#answered.add(id);
    const answer = async () => {
      await this.flush();
      if (this.#heads.frozen.length > 0)
        throw new HearthscopeError('unavailable', 'the head is not in blocks yet');
      await this.#blocks.call('deletionsInBlocks', [tenant, ids]);
    };
    answer().catch((error: unknown) => {
      // Once more the next time that something is to be cut.
      for (const id of ids) this.#answered.delete(id);
      if (this.#closing.signal.aborted) return;
      this.#log.warn({ tenant, error: messageOf(error) }, 'a deletion is not done yet; it is tried again');
    });
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.#lookAfter().finally(() => {
        if (!this.#closing.signal.aborted) this.#schedule();
      });
    }, this.#limits.checkMillis);
  }

  async #lookAfter(): Promise<void> {
    await this.#disk.look();
    await this.#cutWhenDue();
    for (const tenant of this.#blocks.tenantsWithDeletions) this.#answerDeletions(tenant);
  }

  async #cutWhenDue(): Promise<void> {
    const { active, frozen } = this.#heads;
    // A cut that could not be written is tried again before another one is made.
    if (frozen.length > 0) {
      this.#flushAll();
      await this.#flushing;
      return;
    }
    const isOld = performance.now() - this.#generationStart >= this.#limits.maxHeadMillis;
    const isLarge = active.budget.usedBytes >= active.budget.maxBytes * this.#limits.headShare;
    if (isOld || isLarge) await this.#cut();
  }

  async #cut(): Promise<void> {
    try {
      await this.#heads.cut(() => this.#wal.rotate());
      this.#generationStart = performance.now();
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#flushAll();
    await this.#flushing;
  }

  #flushAll(): void {
    this.#flushing = this.#flushing.then(async () => {
      for (const frozen of this.#heads.frozen) {
        if (this.#closing.signal.aborted) return;
        try {
          await this.#flush(frozen);
        } catch (error) {
          this.#failed(error);
          return;
        }
      }
    });
  }

  async #flush(generation: HeadGeneration): Promise<void> {
    const stop = this.#metrics.seconds.startTimer();
    const { head, cut, segment, flushed } = generation;
    let failure: unknown;
    for (const tenant of head.tenantNames) {
      if (flushed.has(tenant)) continue;
      try {
        const content = await new SlicePace().run(headContent(head.tenant(tenant)!));
        await this.#blocks.flush(tenant, content, cut, segment);
        flushed.add(tenant);
      } catch (error) {
        // What is wrong with one tenant must not keep the others out of blocks.
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
    this.#heads.drop(generation);
    await this.#wal.removeThrough(segment);
    stop();
    this.#metrics.cuts.inc();
    await generation.unread();
    await this.#blocks.call('release', [cut]);
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#metrics.failures.inc();
    this.#log.error(
      { error: messageOf(error) },
      'the head could not be written to blocks; it is tried again',
    );
  }
}

/** Replays into the active head what is in no block yet. */
async function replayedWal(
  { headMaxBytes, walLimits, registry, log, onStateChange }: LocalStoreOptions,
  directory: string,
  heads: HeadGenerations,
  flushedSegments: Readonly<Record<string, number>>,
): Promise<Wal> {
  const startedAt = performance.now();
  const { active } = heads;
  let inBlocks = 0;
  active.budget.enforced = false;
  const { wal, replay } = await Wal.open({
    directory,
    limits: { ...DEFAULT_WAL_LIMITS, ...walLimits },
    lastKnownSequence: Math.max(0, ...Object.values(flushedSegments)),
    onFrame: (payload, sequence) => {
      const { tenant, ...profile } = decodeFrame(payload);
      if (sequence <= (flushedSegments[tenant] ?? 0)) inBlocks++;
      else active.reserve(tenant, [profile]).commit();
    },
    onStateChange,
    metrics: walMetrics(registry),
    log,
  });
  active.budget.enforced = true;
  const millis = Math.round(performance.now() - startedAt);
  log.info({ ...replay, inBlocks, millis }, 'the WAL was replayed');
  if (active.budget.usedBytes > active.budget.maxBytes) {
    log.warn(
      { headBytes: active.budget.usedBytes, headMaxBytes },
      'what the WAL holds is more than the head may grow to; profiles are refused until it is in blocks',
    );
  }
  return wal;
}

function present<Item>(item: Item | undefined): Item[] {
  return item === undefined ? [] : [item];
}
