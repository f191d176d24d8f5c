// SPDX-License-Identifier: Apache-2.0
//
// What the main thread and the ingest worker say to each other.

import type { MessagePort } from 'node:worker_threads';
import type { PipelineConfig } from '@hearthscope/collector/otlp-pipeline';
import type { ErrorCode } from '@hearthscope/profile/errors';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { Querier } from '../query/querier.ts';
import type { QueryLimits } from '../query/query-limits.ts';
import type { WalLimits } from '../storage/wal/wal.ts';
import type { NamingLimits } from '../symbolize/frame-namer.ts';

/** Plain data for the worker's start. */
export interface EngineConfig {
  readonly dataDir: string;
  readonly headMaxBytes: number;
  readonly pipeline: PipelineConfig;
  readonly queryLimits: QueryLimits;
  readonly walLimits: Partial<WalLimits>;
  readonly naming: NamingConfig | undefined;
}

/** How queries get names for what was stored without. */
export interface NamingConfig {
  /** Its other end answers the questions of a FrameNamer. */
  readonly port: MessagePort;
  readonly limits: NamingLimits;
}

/** What became of the profiles of one request. */
export interface IngestOutcome {
  readonly acceptedProfiles: number;
  readonly rejectedProfiles: number;
  /** Why profiles were rejected; '' when none were. */
  readonly errorMessage: string;
}

/** The data of a metric, without what does not cross threads. */
export type MetricSnapshot = Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>;

/** Everything the worker can be asked. */
export interface EngineMethods extends Querier {
  /** @param body decompressed; the caller gives it away */
  ingestOtlp(tenant: string, body: Uint8Array): Promise<IngestOutcome>;
  metrics(): Promise<MetricSnapshot[]>;
  /** Flushes and closes; nothing may be asked after it. */
  stop(): Promise<void>;
}

export type EngineMethod = keyof EngineMethods;

export interface EngineCall {
  readonly kind: 'call';
  readonly id: number;
  readonly method: EngineMethod;
  /** Without options, which do not cross threads. */
  readonly parameters: readonly unknown[];
}

export type EngineMessage =
  | EngineCall
  /** Nobody waits for the answer of this call any more. */
  | { readonly kind: 'cancel'; readonly id: number };

export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
}

export type LogLevel = 'info' | 'warn' | 'error';

export type WorkerMessage =
  /** The WAL is replayed and calls are taken. */
  | { readonly kind: 'started'; readonly metrics: MetricSnapshot[] }
  | { readonly kind: 'start_failed'; readonly error: ErrorData }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: ErrorData }
  /** Why profiles cannot be stored, '' once they can again. */
  | { readonly kind: 'storage_state'; readonly failure: string }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly fields: object; readonly message: string };
