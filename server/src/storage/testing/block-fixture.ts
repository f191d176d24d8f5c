// SPDX-License-Identifier: Apache-2.0
//
// Blocks in a directory of their own, without a worker: what the upkeep, the tools and the format are tested with.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import type { Profile } from '@hearthscope/profile/profile';
import { stackSums } from '@hearthscope/profile/stack-tree';
import { finish } from '@hearthscope/profile/steps';
import { LocalBlockFiles } from '../blocks/block-files.ts';
import { KEEP_FOR_EVER } from '../blocks/block-limits.ts';
import { BlockMaintenance, type MaintenanceOptions } from '../blocks/block-maintenance.ts';
import { BlockStore } from '../blocks/block-store.ts';
import { headContent } from '../blocks/head-content.ts';
import { Head } from '../head/head.ts';
import { FileObjectStore } from '../object-store/file-object-store.ts';
import { SqlEngine } from '../sql/sql-engine.ts';
import type { SeriesSelection } from '../store.ts';
import { RecordingLog } from './stored-profile.ts';
import { testDirectory } from './test-directory.ts';

export const TENANT = 't';
export const EVERYTHING: SeriesSelection = { startMillis: 0, endMillis: 1e15, alternatives: [] };

export interface BlockFixtureOptions {
  readonly directory?: string;
  readonly writerId?: string;
  readonly maintenance?: Partial<MaintenanceOptions>;
}

export class BlockFixture {
  readonly directory: string;
  readonly objects: string;
  readonly store: FileObjectStore;
  readonly engine: SqlEngine;
  readonly blocks: BlockStore;
  readonly maintenance: BlockMaintenance;
  readonly log: RecordingLog;
  /** What the clock says, and how much time passed; tests set them. */
  readonly clock: { now: number; monotonic: number };
  #cuts = 0;

  private constructor(parts: {
    readonly directory: string;
    readonly store: FileObjectStore;
    readonly engine: SqlEngine;
    readonly blocks: BlockStore;
    readonly maintenance: BlockMaintenance;
    readonly log: RecordingLog;
    readonly clock: { now: number; monotonic: number };
  }) {
    this.directory = parts.directory;
    this.objects = join(parts.directory, 'objects');
    this.store = parts.store;
    this.engine = parts.engine;
    this.blocks = parts.blocks;
    this.maintenance = parts.maintenance;
    this.log = parts.log;
    this.clock = parts.clock;
  }

  static async open(context: TestContext, options: BlockFixtureOptions = {}): Promise<BlockFixture> {
    const { directory = testDirectory(context), writerId = 'w', maintenance = {} } = options;
    const temporaryDirectory = join(directory, `tmp-${writerId}`);
    mkdirSync(temporaryDirectory, { recursive: true });
    const store = await FileObjectStore.open(join(directory, 'objects'));
    const engine = await SqlEngine.open({
      memoryLimitBytes: 256_000_000,
      threads: 2,
      temporaryDirectory,
      directories: [join(directory, 'objects')],
      maxSessions: 2,
    });
    context.after(() => engine.close());
    const clock = { now: 0, monotonic: 0 };
    const log = new RecordingLog();
    const blocks = await BlockStore.open({
      store,
      engine,
      files: new LocalBlockFiles(store),
      temporaryDirectory,
      writerId,
      symbolCacheBytes: 64_000_000,
      now: () => clock.now,
      log,
    });
    return new BlockFixture({
      directory,
      store,
      engine,
      blocks,
      maintenance: new BlockMaintenance(blocks, {
        retentionOf: () => KEEP_FOR_EVER,
        graceMillis: 0,
        tombstoneMillis: 1000,
        monotonicMillis: () => clock.monotonic,
        log,
        ...maintenance,
      }),
      log,
      clock,
    });
  }

  /** Makes one block of the profiles. */
  async flush(profiles: readonly NormalisedProfile[], tenant = TENANT): Promise<void> {
    const head = new Head(1 << 30);
    head.reserve(tenant, profiles).commit();
    const cut = ++this.#cuts;
    await this.blocks.flush(tenant, finish(headContent(head.tenant(tenant)!)), cut, cut);
    this.blocks.release(cut);
  }

  /** Lines `root;leaf value` of the merged stacks, sorted. */
  async folded(selection: Partial<SeriesSelection> = {}, tenant = TENANT): Promise<string[]> {
    const question = { tenant, selection: { ...EVERYTHING, ...selection }, withoutCuts: [] };
    return foldedLines((await this.blocks.mergeStacks(question, {}))?.profile);
  }

  /** Start times of all profiles, sorted. */
  async times(selection: Partial<SeriesSelection> = {}, tenant = TENANT): Promise<number[]> {
    const question = { tenant, selection: { ...EVERYTHING, ...selection }, withoutCuts: [] };
    const totals = await this.blocks.totals(question);
    return totals.flatMap(({ timeUnixMillis }) => [...timeUnixMillis]).sort((a, b) => a - b);
  }
}

export function foldedLines(profile: Profile | undefined): string[] {
  if (profile === undefined) return [];
  const { names, start, frame, value } = stackSums(profile);
  return [...value]
    .map((sum, i) => {
      const frames = [...frame.subarray(start[i], start[i + 1])].map((name) => names[name]).reverse();
      return `${frames.join(';')} ${sum}`;
    })
    .sort();
}
