// SPDX-License-Identifier: Apache-2.0
//
// Records into one profile, without any server. Batches are taken often, so that processes which end meanwhile keep
// their names and the sampler's memory stays small.

import type { FollowedProcess } from '@hearthscope/native';
import type { Profile } from '@hearthscope/profile/profile';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { ProfileAssembler } from './build/profile-assembler.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import { AgentMetrics } from './metrics.ts';
import { type NamingChoices, SamplingSession } from './session.ts';

export interface RecordingOptions {
  /** 1 to 999 */
  readonly frequencyHz: number;
  /** These processes and their descendants; absent: all processes of the host. */
  readonly follow?: readonly FollowedProcess[];
  readonly symbolCacheBytes: number;
  /** Where unwind tables and fetched symbols are kept between runs; absent: nowhere. */
  readonly cacheDirectory?: string;
  readonly naming?: NamingChoices;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface RecordingResult {
  /** Sample types samples:count and cpu:nanoseconds, period cpu:nanoseconds. */
  readonly profile: Profile;
  /** The sampler's: see native/README.md. */
  readonly counters: Record<string, number>;
}

export interface Recording {
  /** Also records this process and its descendants. Only for a recording that was started with `follow`. */
  follow(process: FollowedProcess): void;
  /** Ends the recording. Call it once. */
  stop(): Promise<RecordingResult>;
}

const COLLECT_INTERVAL_MILLIS = 1000;
/** There is no next batch to hurry for: names are worth waiting for. */
const SYMBOLIZE_TIMEOUT_MILLIS = 60_000;

/** Starts to sample. @throws NativeError when the kernel refuses */
export async function startRecording(options: RecordingOptions): Promise<Recording> {
  const { logger, registry, frequencyHz } = options;
  const session = await SamplingSession.start({
    frequencyHz,
    excludeSelf: true,
    ...(options.follow === undefined ? {} : { follow: options.follow }),
    serviceRules: [],
    symbolCacheBytes: options.symbolCacheBytes,
    ...(options.cacheDirectory === undefined ? {} : { cacheDirectory: options.cacheDirectory }),
    ...(options.naming === undefined ? {} : { naming: options.naming }),
    symbolizeTimeoutMillis: SYMBOLIZE_TIMEOUT_MILLIS,
    metrics: new AgentMetrics(registry, logger),
    logger,
    registry,
  });
  const startUnixNanos = BigInt(Date.now()) * 1_000_000n;
  const startedAtMillis = performance.now();
  const durationNanos = (): bigint => BigInt(Math.round((performance.now() - startedAtMillis) * 1e6));
  // Times are filled in at the end; the samples are added as they come.
  const timing = { startUnixNanos, durationNanos: 0n, frequencyHz };
  const assembler = new ProfileAssembler(timing, { cpuTime: true });
  const collect = async (): Promise<void> => {
    const resolved = await session.collect();
    for (let row = 0; row < resolved.batch.length; row++) assembler.add(resolved, row);
  };
  const timer = new DeadlineTimer();
  let failure: unknown;
  const loop = (async () => {
    while (await timer.waitFor(COLLECT_INTERVAL_MILLIS)) await collect();
  })().catch((error: unknown) => {
    failure = error;
  });
  return {
    follow: (process) => session.follow(process),
    async stop() {
      timer.stop();
      session.stopSampling();
      const duration = durationNanos();
      await loop;
      try {
        if (failure !== undefined) throw failure;
        await collect();
        return {
          profile: { ...assembler.build(), durationNanos: duration },
          counters: session.counters(),
        };
      } finally {
        await session.stop();
      }
    },
  };
}
