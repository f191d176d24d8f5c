// SPDX-License-Identifier: Apache-2.0
//
// What the storage counts. Every counter with a reason starts at 0 for each reason, so that an alert can be written
// before the first failure.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
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
