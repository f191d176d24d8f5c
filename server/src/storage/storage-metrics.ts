// SPDX-License-Identifier: Apache-2.0
//
// What the storage counts. Every counter with a reason starts at 0 for each reason, so that an alert can be written
// before the first failure.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { BlocksStatus } from './blocks/blocks-protocol.ts';
import type { HeadSize } from './head/head.ts';
import { REPLAY_PROBLEMS } from './wal/replay.ts';

export interface WalMetrics {
  readonly commitSeconds: Histogram;
  readonly groupFrames: Histogram;
  readonly writtenBytes: Counter;
  readonly failures: Counter<'reason'>;
  readonly replayedFrames: Counter;
  readonly lostFrames: Counter;
  readonly replayProblems: Counter<'reason'>;
}

export function walMetrics(registry: Registry): WalMetrics {
  const registers = [registry];
  const metrics = {
    commitSeconds: new Histogram({
      name: 'hearthscope_wal_commit_seconds',
      help: 'Time to write and fsync one group of WAL frames',
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers,
    }),
    groupFrames: new Histogram({
      name: 'hearthscope_wal_group_frames',
      help: 'Frames that shared one fsync',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
      registers,
    }),
    writtenBytes: new Counter({
      name: 'hearthscope_wal_written_bytes_total',
      help: 'Bytes of WAL frames written and fsynced',
      registers,
    }),
    failures: new Counter({
      name: 'hearthscope_wal_failures_total',
      help: 'Failed writes or fsyncs of the WAL, by error code; profiles are refused until one succeeds',
      labelNames: ['reason'],
      registers,
    }),
    replayedFrames: new Counter({
      name: 'hearthscope_wal_replayed_frames_total',
      help: 'Frames read back from the WAL at start',
      registers,
    }),
    lostFrames: new Counter({
      name: 'hearthscope_wal_lost_frames_total',
      help: 'Frames that are known to be lost in damaged bytes of the WAL',
      registers,
    }),
    replayProblems: new Counter({
      name: 'hearthscope_wal_replay_problems_total',
      help: 'Regions of the WAL that could not be used at start, by reason; torn_tail is the normal mark of a crash',
      labelNames: ['reason'],
      registers,
    }),
  } as const;
  for (const reason of REPLAY_PROBLEMS) metrics.replayProblems.inc({ reason }, 0);
  return metrics;
}

/** Gauges over the head, read when they are scraped. */
export function registerHeadMetrics(registry: Registry, size: () => HeadSize, maxBytes: number): void {
  const gauge = (name: string, help: string, read: (size: HeadSize) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(size()));
      },
    });
  gauge('hearthscope_head_bytes', 'Memory taken by the head', ({ bytes }) => bytes);
  gauge('hearthscope_head_max_bytes', 'Limit of the head; profiles are refused beyond it', () => maxBytes);
  gauge('hearthscope_head_tenants', 'Tenants with data in the head', ({ tenants }) => tenants);
  gauge('hearthscope_head_series', 'Series in the head', ({ series }) => series);
  gauge('hearthscope_head_profiles', 'Profiles in the head', ({ profiles }) => profiles);
  gauge('hearthscope_head_samples', 'Samples in the head', ({ samples }) => samples);
  gauge('hearthscope_head_stacks', 'Distinct stacks in the head', ({ stacks }) => stacks);
  gauge(
    'hearthscope_head_stack_collisions',
    'Stacks whose hash was taken again because another stack had it',
    ({ stackCollisions }) => stackCollisions,
  );
}

export interface FlushMetrics {
  readonly seconds: Histogram;
  readonly cuts: Counter;
  readonly failures: Counter;
}

export function flushMetrics(registry: Registry): FlushMetrics {
  const registers = [registry];
  return {
    seconds: new Histogram({
      name: 'hearthscope_head_flush_seconds',
      help: 'Time to write what was cut from the head to blocks',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    cuts: new Counter({
      name: 'hearthscope_head_cuts_total',
      help: 'Cuts of the head that became blocks',
      registers,
    }),
    failures: new Counter({
      name: 'hearthscope_head_flush_failures_total',
      help: 'Attempts to cut the head or to write a cut that failed; they are repeated, and nothing is lost',
      registers,
    }),
  };
}

/** Gauges over the disk, as it was looked at last. */
export function registerDiskMetrics(
  registry: Registry,
  disk: { readonly freeBytes: number; readonly isRefusing: boolean },
): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  gauge(
    'hearthscope_disk_free_bytes',
    'Free space of the file system of the data directory',
    () => disk.freeBytes,
  );
  gauge(
    'hearthscope_disk_full',
    '1 while profiles are refused because the disk is nearly full, else 0',
    () => (disk.isRefusing ? 1 : 0),
  );
}

/** Gauges over the blocks, read when they are scraped. */
export function registerBlockMetrics(registry: Registry, read: () => Promise<BlocksStatus>): void {
  // All gauges of one scrape come from one question.
  let asked: Promise<BlocksStatus> | undefined;
  const status = (): Promise<BlocksStatus> => {
    asked ??= read().finally(() => {
      asked = undefined;
    });
    return asked;
  };
  const byLevel = (name: string, help: string, field: 'blocks' | 'bytes') =>
    new Gauge({
      name,
      help,
      labelNames: ['level'],
      registers: [registry],
      async collect() {
        this.reset();
        for (const level of (await status()).blocks) this.set({ level: String(level.level) }, level[field]);
      },
    });
  byLevel(
    'hearthscope_blocks',
    'Blocks by level: 0 as cut from the head, 1 of an hour, 2 of a day',
    'blocks',
  );
  byLevel('hearthscope_block_bytes', 'Bytes of the files of blocks, by level', 'bytes');
  const gauge = (
    name: string,
    help: string,
    field: Exclude<keyof BlocksStatus, 'blocks' | 'retentionLagMillis'>,
  ) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set((await status())[field]);
      },
    });
  gauge('hearthscope_block_symbol_cache_bytes', 'Memory taken by symbols of blocks', 'symbolCacheBytes');
  gauge(
    'hearthscope_block_upkeep_runs',
    'Times that blocks were looked through for what is due',
    'compactionRuns',
  );
  gauge(
    'hearthscope_blocks_merged',
    'Blocks that were merged into others since the start',
    'compactedBlocks',
  );
  // The names that dashboards of Pyroscope, and its introduction, ask for.
  for (const name of [
    'pyroscope_compactor_compactions_total',
    'pyroscope_compaction_worker_jobs_completed_total',
  ]) {
    new Counter({
      name,
      help: 'Times that blocks were merged into others',
      registers: [registry],
      async collect() {
        const { compactions } = await status();
        this.reset();
        this.inc(compactions);
      },
    });
  }
  gauge('hearthscope_blocks_expired', 'Blocks that lost files to retention since the start', 'expiredBlocks');
  gauge('hearthscope_block_files_removed', 'Files of blocks removed since the start', 'removedFiles');
  gauge(
    'hearthscope_blocks_rewritten',
    'Blocks that were written anew without a deleted service since the start',
    'rewrittenBlocks',
  );
  gauge(
    'hearthscope_block_upkeep_failures',
    'Times that the upkeep of a tenant failed since the start; it is tried again',
    'upkeepFailures',
  );
  gauge(
    'hearthscope_blocks_damaged',
    'Blocks that answers do without, as their files are not what was written',
    'damagedBlocks',
  );
  gauge(
    'hearthscope_tenants_unreadable',
    'Tenants whose manifest is damaged: nothing of them is answered or stored',
    'unreadableTenants',
  );
  gauge(
    'hearthscope_service_deletions',
    'Deletions of services whose data is not all removed yet',
    'deletions',
  );
  new Gauge({
    name: 'hearthscope_retention_clock_lag_seconds',
    help: 'How far the clock that retention goes by is behind that of the machine, which jumped or was off',
    registers: [registry],
    async collect() {
      this.set((await status()).retentionLagMillis / 1000);
    },
  });
}
