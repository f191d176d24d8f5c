// SPDX-License-Identifier: Apache-2.0
//
// What the main thread and the ingest worker say to each other.

import type { MessagePort } from 'node:worker_threads';
import type { LimitsConfig } from '@hearthscope/collector/limits/tenant-limits';
import type { PipelineConfig } from '@hearthscope/collector/pipeline-options';
import type { ErrorCode } from '@hearthscope/profile/errors';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { Querier } from '../query/querier.ts';
import type { QueryLimits } from '../query/query-limits.ts';
import type { ReceiverService } from '../receivers/receiver-context.ts';
import type { ServiceDeletion } from '../storage/blocks/manifest.ts';
import type { ObjectStoreConfig } from '../storage/object-store/object-store-config.ts';
import type { WalLimits } from '../storage/wal/wal.ts';
import type { NamingLimits } from '../symbolize/frame-namer.ts';

/** Plain data for the worker's start. */
export interface EngineConfig {
  readonly dataDir: string;
  readonly headMaxBytes: number;
  readonly pipeline: PipelineConfig;
  readonly limits: LimitsConfig;
  readonly queryLimits: QueryLimits;
  readonly walLimits: Partial<WalLimits>;
  readonly objectStore: ObjectStoreConfig | undefined;
  /** Undefined for the default. */
  readonly blockCacheMaxBytes: number | undefined;
  readonly naming: NamingConfig | undefined;
}

/** How queries get names for what was stored without. */
export interface NamingConfig {
  /** Its other end answers the questions of a FrameNamer. */
  readonly port: MessagePort;
  readonly limits: NamingLimits;
}

/** The data of a metric, without what does not cross threads. */
export type MetricSnapshot = Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>;

/** How many parameters the methods of a querier have before their options. The engine forwards what is named here. */
export const QUERY_PARAMETERS = {
  profileTypes: 2,
  labelNames: 2,
  labelValues: 2,
  series: 2,
  selectSeries: 2,
  selectHeatmap: 2,
  mergeStacktraces: 2,
  mergeTree: 2,
  mergeDot: 2,
  mergeProfile: 2,
  diff: 2,
  functions: 2,
  diffFunctions: 2,
  sandwich: 2,
  profileStats: 1,
  analyzeQuery: 2,
} as const satisfies Record<keyof Querier, number>;

/** Everything the worker can be asked. */
export interface EngineMethods extends Querier, Omit<ReceiverService, 'readiness'> {
  /** For every request from now on. */
  setLimits(limits: LimitsConfig): Promise<void>;
  /** See LocalStore. */
  deleteService(tenant: string, service: string, throughMillis: number): Promise<ServiceDeletion>;
  deletions(tenant: string): Promise<readonly ServiceDeletion[]>;
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
