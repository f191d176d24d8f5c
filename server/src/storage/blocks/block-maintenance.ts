// SPDX-License-Identifier: Apache-2.0
//
// What happens to blocks after they were cut: what somebody asked to be deleted is taken out, what is older than its
// retention goes, those of past hours become one block an hour and those of past days one a day, and files that no manifest
// names any more are removed. Each step is one change of the manifest, so a crash between two of them costs only work.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Log } from '../log.ts';
import { SlicePace } from '../slice-pace.ts';
import type { BlockStore } from './block-store.ts';
import { blockKey, blocksPrefix } from './block-writer.ts';
import { compactBlocks } from './compaction.ts';
import { type CompactionJob, compactionJob, DAY_MILLIS } from './compaction-jobs.ts';
import { mayBeDamage } from './damaged-blocks.ts';
import { isAffected, rewrittenBlock } from './deletion-rewrite.ts';
import {
  BLOCK_FILE_NAMES,
  type BlockFileName,
  type BlockMeta,
  type Manifest,
  type Tombstone,
} from './manifest.ts';
import type { ManifestStore } from './manifest-store.ts';
import { type BlockRetention, expiry, RetentionClock } from './retention.ts';
import { ulidMillis } from './ulid.ts';

export interface MaintenanceOptions {
  readonly retentionOf: (tenant: string) => BlockRetention;
  /** How long after the end of an hour or a day late profiles of it are waited for. */
  readonly graceMillis: number;
  /** How long the files of removed blocks stay for queries that began before. */
  readonly tombstoneMillis: number;
  /** Of a clock that nobody sets. */
  readonly monotonicMillis: () => number;
  readonly log: Log;
}

/** Files that no manifest ever named are left alone for so long by the machine's clock, which may jump: their block may be
 * about to be named. */
const ORPHAN_MILLIS = DAY_MILLIS;
/** They are also left alone for so long since they were seen first. */
const ORPHAN_SEEN_MILLIS = 3_600_000;
/** A writer that is gone is not waited for longer than this. */
const WAIT_FOR_WRITERS_MILLIS = 7 * DAY_MILLIS;
/** How far the clock of retention may be behind before somebody is told. */
const CLOCK_LAG_MILLIS = DAY_MILLIS;
/** How often the clock of retention is written down when nothing else is. */
const CLOCK_SAVED_MILLIS = 6 * 3_600_000;
/** What one run reads to see whether old blocks are still what was written. */
const SCRUB_BYTES = 256 * 1024 * 1024;

export interface MaintenanceResult {
  /** Blocks that became part of others. */
  readonly compacted: number;
  /** Times that blocks were made of others. */
  readonly compactions: number;
  readonly expired: number;
  readonly removedFiles: number;
  /** Blocks that were written anew without what was deleted. */
  readonly rewritten: number;
  /** Tenants whose turn failed. */
  readonly failures: number;
  /** The most that the clock of retention is behind the machine's. */
  readonly clockLagMillis: number;
}

export class BlockMaintenance {
  readonly #blocks: BlockStore;
  readonly #options: MaintenanceOptions;
  readonly #clocks = new Map<string, RetentionClock>();
  readonly #laggingTenants = new Set<string>();
  /** When each folder that no manifest names was seen first. */
  readonly #orphans = new Map<string, number>();

  constructor(blocks: BlockStore, options: MaintenanceOptions) {
    this.#blocks = blocks;
    this.#options = options;
  }

  /** Everything that is due now, tenant by tenant. A tenant whose turn fails is tried again the next time.
   * @param signal ends it between two steps */
  async run(signal?: AbortSignal): Promise<MaintenanceResult> {
    const { log } = this.#options;
    const result = {
      compacted: 0,
      compactions: 0,
      expired: 0,
      removedFiles: 0,
      rewritten: 0,
      failures: 0,
      clockLagMillis: 0,
    };
    await this.#blocks.refresh();
    await this.#blocks.damaged.recheck(signal);
    let scrubBytes = SCRUB_BYTES;
    for (const tenant of this.#blocks.tenants) {
      try {
        // What frees space comes first: on a full disk the rest may have to wait for it.
        const { expired, clockLagMillis } = await this.#expire(tenant);
        result.expired += expired;
        result.clockLagMillis = Math.max(result.clockLagMillis, clockLagMillis);
        result.removedFiles += await this.#sweep(tenant);
        result.rewritten += await this.#delete(tenant, signal);
        const merged = await this.#compact(tenant, signal);
        result.compacted += merged.blocks;
        result.compactions += merged.jobs;
        scrubBytes -= await this.#scrub(tenant, scrubBytes, signal);
      } catch (error) {
        if (signal?.aborted) break;
        result.failures++;
        log.error({ tenant, error: messageOf(error) }, 'the upkeep of blocks failed; it is tried again');
      }
    }
    return result;
  }

  async #compact(
    tenant: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly blocks: number; readonly jobs: number }> {
    const merged = { blocks: 0, jobs: 0 };
    for (;;) {
      signal?.throwIfAborted();
      const job = this.#nextJob(tenant);
      if (job === undefined) return merged;
      // A damaged block must not spoil a sound one; the job is made anew without it. What comes from a remote store is
      // checked when it is fetched.
      const { damaged, isLocal } = this.#blocks;
      if (isLocal && (await damaged.find(tenant, job.inputs, signal))) continue;
      try {
        await this.#runJob(tenant, job, signal);
      } catch (error) {
        if (mayBeDamage(error) && (await damaged.find(tenant, job.inputs, signal))) continue;
        throw error;
      }
      merged.blocks += job.inputs.length;
      merged.jobs++;
    }
  }

  #nextJob(tenant: string): CompactionJob | undefined {
    const manifest = this.#blocks.manifest(tenant);
    if (manifest === undefined) return undefined;
    const nowMillis = this.#blocks.options.now();
    return compactionJob(
      manifest.blocks.filter((block) => block.files['samples.parquet'] !== undefined && this.#isFree(block)),
      nowMillis - this.#options.graceMillis,
    );
  }

  /** Whether the block may be replaced by others. */
  #isFree(block: BlockMeta): boolean {
    const { writerId } = this.#blocks.options;
    const isOurs = block.writer === undefined || block.writer === writerId || this.#isAbandoned(block);
    return isOurs && !this.#blocks.isHeld(block) && !this.#blocks.damaged.has(block.id);
  }

  /** Whether its writer had all the time that it may take to merge the block. */
  #isAbandoned({ id }: BlockMeta): boolean {
    return ulidMillis(id) + WAIT_FOR_WRITERS_MILLIS < this.#blocks.options.now();
  }

  async #runJob(
    tenant: string,
    { inputs, windows, level }: CompactionJob,
    signal?: AbortSignal,
  ): Promise<void> {
    const { engine, store, temporaryDirectory, now } = this.#blocks.options;
    const manifests = await this.#blocks.manifestsOf(tenant);
    const { deletions } = manifests.current;
    const outputs: BlockMeta[] = [];
    try {
      for (const window of windows) {
        signal?.throwIfAborted();
        const target = { store, tenant, level, nowMillis: now(), temporaryDirectory };
        const output = await compactBlocks(
          { engine, files: this.#blocks.files, pace: new SlicePace(signal) },
          inputs,
          window,
          deletions,
          target,
        );
        if (output !== undefined) outputs.push(output);
      }
    } catch (error) {
      await this.#discard(tenant, outputs);
      throw error;
    }
    await this.#replace(tenant, manifests, inputs, outputs);
    this.#options.log.info(
      { tenant, inputs: inputs.length, outputs: outputs.length, level },
      'blocks were merged',
    );
  }

  /** @throws HearthscopeError failed_precondition when another writer was faster */
  async #replace(
    tenant: string,
    manifests: ManifestStore,
    inputs: readonly BlockMeta[],
    outputs: readonly BlockMeta[],
  ): Promise<void> {
    const deletedAtMillis = this.#blocks.options.now();
    const replaced = new Set(inputs.map(({ id }) => id));
    let isLost = false;
    try {
      await manifests.commit((manifest) => {
        const lost = inputs.find((input) => !isThere(manifest, input));
        isLost = lost !== undefined;
        if (lost !== undefined) {
          throw new HearthscopeError(
            'failed_precondition',
            `block ${lost.id} of tenant ${tenant} was replaced by another writer of the same store`,
          );
        }
        return {
          ...manifest,
          blocks: [...manifest.blocks.filter(({ id }) => !replaced.has(id)), ...outputs],
          tombstones: [...manifest.tombstones, ...inputs.map(({ id }) => ({ id, deletedAtMillis }))],
        };
      });
    } catch (error) {
      // After any other failure the manifest may have been stored all the same: files that it names must stay.
      if (isLost) await this.#discard(tenant, outputs);
      throw error;
    }
    this.#blocks.forget([...replaced]);
  }

  /** Removes files of blocks that no manifest is going to name. What is left of them is swept later. */
  async #discard(tenant: string, outputs: readonly BlockMeta[]): Promise<void> {
    for (const { id, files } of outputs) {
      for (const name of Object.keys(files) as BlockFileName[]) {
        await this.#blocks.options.store.delete(blockKey(tenant, id, name)).catch(() => undefined);
      }
    }
  }

  /** Takes out what somebody asked to be deleted. @returns how many blocks were written anew */
  async #delete(tenant: string, signal: AbortSignal | undefined): Promise<number> {
    const manifests = await this.#blocks.manifestsOf(tenant);
    const { deletions } = manifests.current;
    if (deletions.length === 0) return 0;
    const { engine, store, temporaryDirectory, now } = this.#blocks.options;
    const sources = { engine, files: this.#blocks.files, pace: new SlicePace(signal) };
    let rewritten = 0;
    let isDone = true;
    for (const block of manifests.current.blocks) {
      signal?.throwIfAborted();
      // A damaged block is not read any more; it keeps the deletion alive until it is restored or expires.
      const isReadable = !this.#blocks.damaged.has(block.id);
      if (
        isReadable &&
        !(await isAffected(sources, tenant, block, await this.#blocks.seriesOf(tenant, block), deletions))
      ) {
        continue;
      }
      if (!this.#isFree(block) || (await this.#blocks.damaged.find(tenant, [block], signal))) {
        isDone = false;
        continue;
      }
      const target = { store, tenant, level: block.level, nowMillis: now(), temporaryDirectory };
      const output = await rewrittenBlock(sources, block, deletions, target);
      const outputs = output === undefined ? [] : [output];
      await this.#replace(tenant, manifests, [block], outputs);
      rewritten++;
    }
    if (isDone) await this.#forgetDeletions(tenant, manifests, deletions);
    return rewritten;
  }

  async #forgetDeletions(
    tenant: string,
    manifests: ManifestStore,
    looked: Manifest['deletions'],
  ): Promise<void> {
    const nowMillis = this.#blocks.options.now();
    const done = new Set(
      looked
        .filter(
          ({ waitingFor, requestedAtMillis }) =>
            waitingFor.length === 0 || requestedAtMillis + WAIT_FOR_WRITERS_MILLIS < nowMillis,
        )
        .map(({ id }) => id),
    );
    if (done.size === 0) return;
    await manifests.commit((manifest) => ({
      ...manifest,
      deletions: manifest.deletions.filter(({ id }) => !done.has(id)),
    }));
    this.#options.log.info({ tenant, deletions: done.size }, 'what was asked to be deleted is gone');
  }

  async #expire(tenant: string): Promise<{ readonly expired: number; readonly clockLagMillis: number }> {
    const manifests = await this.#blocks.manifestsOf(tenant);
    const nowMillis = this.#blocks.options.now();
    const clockMillis = this.#clockOf(tenant, manifests.current, nowMillis);
    const plan = expiry(manifests.current, this.#options.retentionOf(tenant), clockMillis);
    const fileNames = new Map(plan.map(({ block, files }) => [block.id, files]));
    const clockLagMillis = nowMillis - clockMillis;
    const { retentionClockMillis: saved } = manifests.current;
    const isSaved = saved !== undefined && Math.abs(clockMillis - saved) < CLOCK_SAVED_MILLIS;
    const hasData = manifests.current.blocks.length > 0;
    if (plan.length > 0 || (hasData && !isSaved)) {
      await manifests.commit((manifest) => ({
        ...withoutExpired(manifest, fileNames, nowMillis),
        retentionClockMillis: clockMillis,
      }));
      this.#blocks.forget([...fileNames.keys()]);
    }
    return { expired: plan.length, clockLagMillis };
  }

  #clockOf(tenant: string, manifest: Manifest, nowMillis: number): number {
    const monotonicMillis = this.#options.monotonicMillis();
    let clock = this.#clocks.get(tenant);
    if (clock === undefined) {
      clock = new RetentionClock(manifest, nowMillis, monotonicMillis);
      this.#clocks.set(tenant, clock);
    }
    const millis = clock.read(nowMillis, monotonicMillis);
    const isLagging = nowMillis - millis > CLOCK_LAG_MILLIS;
    if (isLagging && !this.#laggingTenants.has(tenant)) {
      this.#laggingTenants.add(tenant);
      this.#options.log.warn(
        { tenant, clock: new Date(nowMillis).toISOString(), retention: new Date(millis).toISOString() },
        'the clock is far ahead of when this tenant was last looked after: if it is wrong, set it; what is too old is removed little by little',
      );
    } else if (!isLagging) this.#laggingTenants.delete(tenant);
    return millis;
  }

  /** Removes the files of old tombstones, and those that no manifest names. */
  async #sweep(tenant: string): Promise<number> {
    const { store, now } = this.#blocks.options;
    const { tombstoneMillis } = this.#options;
    const manifests = await this.#blocks.manifestsOf(tenant);
    const nowMillis = now();
    // One from the future was made while the clock was wrong.
    const due = manifests.current.tombstones.filter(
      ({ deletedAtMillis }) =>
        deletedAtMillis + tombstoneMillis <= nowMillis || deletedAtMillis > nowMillis + DAY_MILLIS,
    );
    let removed = 0;
    for (const { id, files = BLOCK_FILE_NAMES } of due) {
      for (const name of files) {
        await store.delete(blockKey(tenant, id, name));
        removed++;
      }
    }
    if (due.length > 0) {
      await manifests.commit((manifest) => ({
        ...manifest,
        tombstones: manifest.tombstones.filter(
          (tombstone) =>
            !due.some(
              ({ id, deletedAtMillis }) =>
                id === tombstone.id && deletedAtMillis === tombstone.deletedAtMillis,
            ),
        ),
      }));
    }
    return removed + (await this.#sweepOrphans(tenant, manifests.current, nowMillis));
  }

  async #sweepOrphans(tenant: string, manifest: Manifest, nowMillis: number): Promise<number> {
    const { store } = this.#blocks.options;
    const monotonicMillis = this.#options.monotonicMillis();
    const known = new Set([...manifest.blocks, ...manifest.tombstones].map(({ id }) => id));
    const prefix = blocksPrefix(tenant);
    let removed = 0;
    for await (const id of store.folders(prefix)) {
      const folder = `${prefix}${id}/`;
      if (known.has(id) || ulidMillis(id) + ORPHAN_MILLIS > nowMillis) {
        this.#orphans.delete(folder);
        continue;
      }
      const seenAt = this.#orphans.get(folder) ?? monotonicMillis;
      this.#orphans.set(folder, seenAt);
      if (seenAt + ORPHAN_SEEN_MILLIS > monotonicMillis) continue;
      for await (const { key } of store.list(folder)) {
        await store.delete(key);
        removed++;
      }
      this.#orphans.delete(folder);
    }
    return removed;
  }

  /** Only where reading costs nothing. */
  async #scrub(tenant: string, maxBytes: number, signal: AbortSignal | undefined): Promise<number> {
    const manifest = this.#blocks.manifest(tenant);
    if (manifest === undefined || !this.#blocks.isLocal) return 0;
    return this.#blocks.damaged.scrub(tenant, manifest.blocks, maxBytes, signal);
  }
}

/** Whether the block is still what it was. */
function isThere({ blocks }: Manifest, { id, files }: BlockMeta): boolean {
  const current = blocks.find((block) => block.id === id);
  return current !== undefined && Object.keys(current.files).length === Object.keys(files).length;
}

/** The manifest without some files of blocks. */
function withoutExpired(
  manifest: Manifest,
  fileNames: ReadonlyMap<string, readonly BlockFileName[]>,
  deletedAtMillis: number,
): Manifest {
  const blocks: BlockMeta[] = [];
  const tombstones: Tombstone[] = [...manifest.tombstones];
  for (const block of manifest.blocks) {
    const names = fileNames.get(block.id);
    if (names === undefined) {
      blocks.push(block);
      continue;
    }
    const left = withoutFiles(block, names);
    if (left === undefined) tombstones.push({ id: block.id, deletedAtMillis });
    else {
      blocks.push(left);
      tombstones.push({ id: block.id, deletedAtMillis, files: names });
    }
  }
  return { ...manifest, blocks, tombstones };
}

/** Undefined when nothing is left that could answer. */
function withoutFiles(block: BlockMeta, names: readonly BlockFileName[]): BlockMeta | undefined {
  const files = Object.fromEntries(
    Object.entries(block.files).filter(([name]) => !names.includes(name as BlockFileName)),
  );
  return files['series.parquet'] === undefined ? undefined : { ...block, files };
}
