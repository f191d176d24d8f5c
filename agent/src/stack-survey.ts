// SPDX-License-Identifier: Apache-2.0
//
// Samples processes for a while, only to find out how whole their stacks are and why those that are not end early.

import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { DeadlineTimer } from './deadline-timer.ts';
import { AgentMetrics } from './metrics.ts';
import { SamplingSession } from './session.ts';
import type { BinaryStacks } from './unwind/stack-report.ts';

export interface SurveyOptions {
  /** The process, with its descendants. */
  readonly pid: number;
  readonly frequencyHz: number;
  readonly durationMillis: number;
  readonly cacheDirectory?: string;
  readonly symbolCacheBytes: number;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Ends the survey early. */
  readonly signal: AbortSignal;
}

export interface StackSurvey {
  /** Samples in user space or on behalf of it. */
  readonly samples: number;
  /** Those whose stack reaches the start of its thread. */
  readonly complete: number;
  /** Most sampled first. */
  readonly binaries: readonly BinaryStacks[];
}

const COLLECT_INTERVAL_MILLIS = 500;
/** Names are not looked at, but the binaries must be known. */
const SYMBOLIZE_TIMEOUT_MILLIS = 5000;

/** @throws NativeError when the kernel refuses */
export async function surveyStacks(options: SurveyOptions): Promise<StackSurvey> {
  const { logger, registry, signal } = options;
  const session = await SamplingSession.start({
    frequencyHz: options.frequencyHz,
    excludeSelf: true,
    follow: [{ pid: options.pid, sampleItself: true }],
    serviceRules: [],
    symbolCacheBytes: options.symbolCacheBytes,
    symbolizeTimeoutMillis: SYMBOLIZE_TIMEOUT_MILLIS,
    ...(options.cacheDirectory === undefined ? {} : { cacheDirectory: options.cacheDirectory }),
    metrics: new AgentMetrics(registry, logger),
    logger,
    registry,
  });
  try {
    const timer = new DeadlineTimer();
    signal.addEventListener('abort', () => timer.stop(), { once: true });
    const endsAtMillis = performance.now() + options.durationMillis;
    while (!signal.aborted && performance.now() < endsAtMillis) {
      await timer.waitFor(Math.min(COLLECT_INTERVAL_MILLIS, Math.max(1, endsAtMillis - performance.now())));
      await session.collect();
    }
    session.stopSampling();
    await session.collect();
    return { ...session.report.totals, binaries: session.report.binaries() };
  } finally {
    await session.stop();
  }
}
