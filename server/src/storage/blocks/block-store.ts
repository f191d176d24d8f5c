// SPDX-License-Identifier: Apache-2.0
//
// All blocks of all tenants: what is cut from the head comes in, questions are answered, and in between blocks are merged,
// aged and removed (see block-maintenance.ts). A tenant's manifest decides what exists.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Log } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { SlicePace } from '../slice-pace.ts';
import type { SqlEngine } from '../sql/sql-engine.ts';
import type { SampleFilter, SelectionSize, SeriesSelection, TenantStats } from '../store.ts';
import type { TimeSteps } from '../time-steps.ts';
import type { BlockFiles } from './block-files.ts';
import {
  type BlockSource,
  type BlockSpans,
  type BlockTotals,
  blockSelectionSize,
  blockSeriesLabels,
  blockSpans,
  blockStackTotals,
  blockTotals,
  type MergedStacks,
  mergeBlockStacks,
  type SelectedBlock,
  selectBlocks,
} from './block-queries.ts';
import { BlockSeries } from './block-series.ts';
import { type BlockSteps, blockStepTotals } from './block-steps.ts';
import type { BlockContent } from './block-tables.ts';
import { createBlockTables, fillBlockTables, storeBlock } from './block-writer.ts';
import { CheckedBlockFiles } from './checked-block-files.ts';
import { DamagedBlocks, mayBeDamage } from './damaged-blocks.ts';
import type { BlockMeta, Manifest, ServiceDeletion } from './manifest.ts';
import { ManifestStore, STORE_PREFIX, storedTenants } from './manifest-store.ts';
import { SymbolCache } from './symbol-cache.ts';
import { SymbolsFileWriter } from './symbols-file.ts';
import { newUlid } from './ulid.ts';

/** Of one tenant at a time: each is looked at for each series of each question. */
export const MAX_DELETIONS = 1000;
/** A question is asked anew when blocks are replaced or found damaged meanwhile. */
const MAX_ATTEMPTS = 20;

export interface BlockStoreOptions {
  readonly store: ObjectStore;
  readonly engine: SqlEngine;
  readonly files: BlockFiles;
  /** Where blocks are made; one of the engine's folders. */
  readonly temporaryDirectory: string;
  /** Names this writer in manifests: the position in its WAL means nothing to others. */
  readonly writerId: string;
  /** Memory for symbols of blocks. */
  readonly symbolCacheBytes: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly log: Log;
}

/** A question to some of a tenant's blocks. */
export interface BlockQuestion {
  readonly tenant: string;
  readonly selection: SeriesSelection;
  /** Cuts of the head that whoever asks still has in memory, and answers for. */
  readonly withoutCuts: readonly number[];
}

export class BlockStore {
  readonly options: BlockStoreOptions;
  /** Whether objects are files of this machine, so that reading them costs little. */
  readonly isLocal: boolean;
  /** Those of the options, checked where they are local. */
  readonly files: BlockFiles;
  readonly symbols: SymbolCache;
  /** What answers do without. */
  readonly damaged: DamagedBlocks;
  readonly #checks: CheckedBlockFiles | undefined;
  readonly #manifests = new Map<string, ManifestStore>();
  /** Tenants whose manifest cannot be read, and why. */
  readonly #unreadable = new Map<string, HearthscopeError>();
  readonly #series = new Map<string, Promise<BlockSeries>>();
  /** Tenants of whom it is not known whether the last flush was stored. */
  readonly #uncertain = new Set<string>();
  /** Blocks of cuts that somebody may still have in memory. */
  readonly #blocksOfCuts = new Map<number, string[]>();

  private constructor(options: BlockStoreOptions) {
    this.options = options;
    this.damaged = new DamagedBlocks(options.store, options.log, (...block) => this.#isNamed(...block));
    this.isLocal = options.store.localPath(STORE_PREFIX) !== undefined;
    this.#checks = this.isLocal
      ? new CheckedBlockFiles(options.files, options.store, (...damage) => this.damaged.report(...damage))
      : undefined;
    this.files = this.#checks ?? options.files;
    this.symbols = new SymbolCache(this.files, options.symbolCacheBytes);
  }

  /** Reads the manifests of all tenants. A tenant whose manifest is damaged is left to itself, the others are served.
   * @throws HearthscopeError failed_precondition for a manifest of an unknown version, unavailable when the store cannot
   * be read */
  static async open(options: BlockStoreOptions): Promise<BlockStore> {
    const blocks = new BlockStore(options);
    await blocks.refresh();
    for (const error of blocks.#unreadable.values()) {
      if (error.code !== 'data_loss' && error.code !== 'invalid_argument') throw error;
    }
    return blocks;
  }

  /** Looks for what other writers of the same store have changed, and for new tenants. */
  async refresh(): Promise<void> {
    for (const tenant of await storedTenants(this.options.store)) {
      try {
        const known = this.#manifests.get(tenant);
        if (known === undefined) await this.manifestsOf(tenant);
        else await known.refresh();
      } catch (error) {
        this.options.log.error(
          { tenant, error: messageOf(error) },
          'the manifest of a tenant cannot be read; what was known of it before, if anything, is served',
        );
      }
    }
  }

  /** Tenants of whom nothing can be answered or stored, and why. */
  get unreadable(): ReadonlyMap<string, HearthscopeError> {
    return this.#unreadable;
  }

  get tenants(): string[] {
    return [...this.#manifests.keys()];
  }

  manifest(tenant: string): Manifest | undefined {
    return this.#manifests.get(tenant)?.current;
  }

  /** By tenant: the last segment of this writer's WAL whose profiles are in blocks. */
  flushedSegments(): Record<string, number> {
    const segments: Record<string, number> = {};
    for (const [tenant, { current }] of this.#manifests) {
      const segment = current.flushedSegments[this.options.writerId];
      if (segment !== undefined) segments[tenant] = segment;
    }
    return segments;
  }

  /** Resolves once what was cut from a tenant's head is a block.
   * @param cut the number of the cut, for {@link BlockQuestion.withoutCuts} until it is released
   * @param segment the last segment of the WAL that the cut goes back to */
  async flush(tenant: string, content: BlockContent, cut: number, segment: number): Promise<void> {
    const { engine, store, temporaryDirectory, writerId, now } = this.options;
    const manifests = await this.manifestsOf(tenant);
    if (this.#uncertain.has(tenant)) {
      const { flushedSegments } = await manifests.refresh();
      this.#uncertain.delete(tenant);
      if ((flushedSegments[writerId] ?? 0) >= segment) return;
    }
    let block: BlockMeta | undefined;
    if (content.profiles.profile.length > 0) {
      const symbols = new SymbolsFileWriter();
      for (const { service, section } of content.symbols) symbols.add(service, section);
      const target = { store, tenant, level: 0, nowMillis: now(), temporaryDirectory };
      block = await engine.session(async (session) => {
        await createBlockTables(session);
        await fillBlockTables(session, content);
        return storeBlock(session, symbols, target, { sums: 'none' });
      });
      block = { ...block, writer: writerId };
      // Before the manifest names it: a question that comes right after must know whose it is.
      const blocks = this.#blocksOfCuts.get(cut);
      if (blocks === undefined) this.#blocksOfCuts.set(cut, [block.id]);
      else blocks.push(block.id);
    }
    try {
      await manifests.commit((manifest) => ({
        ...manifest,
        flushedSegments: { ...manifest.flushedSegments, [writerId]: segment },
        blocks: block === undefined ? manifest.blocks : [...manifest.blocks, block],
      }));
    } catch (error) {
      this.#uncertain.add(tenant);
      throw error;
    }
  }

  /** Nobody answers for the cut from memory any more. */
  release(cut: number): void {
    this.#blocksOfCuts.delete(cut);
  }

  /** Whether the block may be counted by somebody else as well, and so must stay what it is. */
  isHeld(block: BlockMeta): boolean {
    for (const ids of this.#blocksOfCuts.values()) if (ids.includes(block.id)) return true;
    return false;
  }

  mergeStacks(
    question: BlockQuestion,
    filter: SampleFilter,
    signal?: AbortSignal,
  ): Promise<MergedStacks | undefined> {
    const { selection } = question;
    return this.#answer(question, (source) =>
      mergeBlockStacks(source, selection, filter, new SlicePace(signal), signal),
    );
  }

  /** What of which blocks the question is about. */
  select(question: BlockQuestion): Promise<SelectedBlock[]> {
    return this.#answer(question, (source) => selectBlocks(source, question.selection));
  }

  totals(question: BlockQuestion, signal?: AbortSignal): Promise<BlockTotals[]> {
    return this.#answer(question, (source) => blockTotals(source, question.selection, signal));
  }

  stepTotals(question: BlockQuestion, steps: TimeSteps, signal?: AbortSignal): Promise<BlockSteps> {
    return this.#answer(question, (source) => blockStepTotals(source, question.selection, steps, signal));
  }

  stackTotals(
    question: BlockQuestion,
    stackIds: BigUint64Array,
    signal?: AbortSignal,
  ): Promise<BlockTotals[]> {
    return this.#answer(question, (source) => blockStackTotals(source, question.selection, stackIds, signal));
  }

  spans(question: BlockQuestion, maxSpans: number, signal?: AbortSignal): Promise<BlockSpans[]> {
    return this.#answer(question, (source) => blockSpans(source, question.selection, maxSpans, signal));
  }

  seriesLabels(question: BlockQuestion, signal?: AbortSignal): Promise<LabelSet[]> {
    return this.#answer(question, (source) => blockSeriesLabels(source, question.selection, signal));
  }

  size(question: BlockQuestion, signal?: AbortSignal): Promise<SelectionSize> {
    return this.#answer(question, (source) => blockSelectionSize(source, question.selection, signal));
  }

  stats(tenant: string, withoutCuts: readonly number[]): TenantStats {
    const everything = { startMillis: Number.NEGATIVE_INFINITY, endMillis: Number.POSITIVE_INFINITY };
    const blocks = this.#blocksIn(tenant, everything, withoutCuts);
    if (blocks.length === 0) return { profiles: 0, range: undefined };
    return {
      profiles: blocks.reduce((sum, { profiles }) => sum + profiles, 0),
      range: {
        startMillis: Math.min(...blocks.map(({ startMillis }) => startMillis)),
        endMillis: Math.max(...blocks.map(({ endMillis }) => endMillis)),
      },
    };
  }

  /** The manifests of a tenant, who may be new.
   * @throws HearthscopeError data_loss when the last one is damaged */
  async manifestsOf(tenant: string): Promise<ManifestStore> {
    const known = this.#manifests.get(tenant);
    if (known !== undefined) return known;
    try {
      const opened = await ManifestStore.open(this.options.store, tenant);
      // Somebody else may have opened it meanwhile; changes of one process go through one of them.
      const manifests = this.#manifests.get(tenant) ?? opened;
      this.#manifests.set(tenant, manifests);
      this.#unreadable.delete(tenant);
      return manifests;
    } catch (error) {
      if (error instanceof HearthscopeError) this.#unreadable.set(tenant, error);
      throw error;
    }
  }

  /** What was asked to be deleted of the tenant and may still be somewhere. */
  deletions(tenant: string): readonly ServiceDeletion[] {
    return this.manifest(tenant)?.deletions ?? [];
  }

  /** Resolves once no answer has these profiles any more. Their bytes go with the upkeep.
   * @param throughMillis profiles that start up to this moment */
  async deleteService(tenant: string, service: string, throughMillis: number): Promise<ServiceDeletion> {
    const { writerId, now } = this.options;
    const manifests = await this.manifestsOf(tenant);
    const { flushedSegments } = await manifests.refresh();
    const deletion: ServiceDeletion = {
      id: newUlid(now()),
      service,
      throughMillis,
      requestedAtMillis: now(),
      waitingFor: [...new Set([writerId, ...Object.keys(flushedSegments)])],
    };
    await manifests.commit((manifest) => {
      if (manifest.deletions.length >= MAX_DELETIONS) {
        throw new HearthscopeError(
          'resource_exhausted',
          `${MAX_DELETIONS} deletions are being worked on; ask again when some are done`,
        );
      }
      return { ...manifest, deletions: [...manifest.deletions, deletion] };
    });
    return deletion;
  }

  /** This writer has nothing outside of blocks any more that was there when the deletions were asked for. */
  async deletionsInBlocks(tenant: string, deletionIds: readonly string[]): Promise<void> {
    const { writerId } = this.options;
    const manifests = await this.manifestsOf(tenant);
    await manifests.commit((manifest) => ({
      ...manifest,
      deletions: manifest.deletions.map((deletion) =>
        deletionIds.includes(deletion.id)
          ? { ...deletion, waitingFor: deletion.waitingFor.filter((writer) => writer !== writerId) }
          : deletion,
      ),
    }));
  }

  /** What was in memory of blocks that are no more. */
  forget(blockIds: readonly string[]): void {
    for (const id of blockIds) this.#series.delete(id);
    this.symbols.forget(blockIds);
    this.damaged.forget(blockIds);
    this.#checks?.forget(blockIds);
  }

  /** Asks again where a block turns out to be damaged, without it, and where blocks were replaced by another writer. */
  async #answer<Answer>(
    question: BlockQuestion,
    ask: (source: BlockSource) => Promise<Answer>,
  ): Promise<Answer> {
    const { tenant } = question;
    for (let attempt = 1; ; attempt++) {
      const sequence = this.manifest(tenant)?.sequence;
      const source = this.#source(question);
      try {
        return await ask(source);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !mayBeDamage(error)) throw error;
        const { sequence: latest } = await (await this.manifestsOf(tenant)).refresh();
        if (latest === sequence && !(await this.damaged.find(tenant, source.blocks))) throw error;
      }
    }
  }

  async #isNamed(tenant: string, blockId: string): Promise<boolean> {
    const { blocks } = await (await this.manifestsOf(tenant)).refresh();
    return blocks.some(({ id }) => id === blockId);
  }

  #source({ tenant, selection, withoutCuts }: BlockQuestion): BlockSource {
    return {
      tenant,
      blocks: this.#blocksIn(tenant, selection, withoutCuts),
      engine: this.options.engine,
      files: this.files,
      symbols: this.symbols,
      deletions: this.deletions(tenant),
      series: (block) => this.seriesOf(tenant, block),
    };
  }

  #blocksIn(
    tenant: string,
    { startMillis, endMillis }: { readonly startMillis: number; readonly endMillis: number },
    withoutCuts: readonly number[],
  ): BlockMeta[] {
    const unreadable = this.#unreadable.get(tenant);
    if (unreadable !== undefined) throw unreadable;
    const without = new Set(withoutCuts.flatMap((cut) => this.#blocksOfCuts.get(cut) ?? []));
    const blocks = this.manifest(tenant)?.blocks ?? [];
    return blocks.filter(
      (block) =>
        block.startMillis <= endMillis &&
        block.endMillis >= startMillis &&
        !without.has(block.id) &&
        !this.damaged.has(block.id),
    );
  }

  seriesOf(tenant: string, block: BlockMeta): Promise<BlockSeries> {
    let series = this.#series.get(block.id);
    if (series === undefined) {
      series = this.#readSeries(tenant, block);
      this.#series.set(block.id, series);
      series.catch(() => this.#series.delete(block.id));
    }
    return series;
  }

  async #readSeries(tenant: string, block: BlockMeta): Promise<BlockSeries> {
    using file = await this.files.hold(tenant, block, 'series.parquet');
    return await this.options.engine.session((session) => BlockSeries.read(session, file.path));
  }
}
