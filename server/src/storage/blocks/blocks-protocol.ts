// SPDX-License-Identifier: Apache-2.0
//
// What the ingest worker asks of the worker that has the blocks. Plain data only: matchers are made anew on the other side.

import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { MatchOperator } from '@hearthscope/profile/selector/label-matcher';
import type { AnswerMessage, ErrorData } from '../../worker-calls/call-messages.ts';
import type { ObjectStoreConfig } from '../object-store/object-store-config.ts';
import type { SampleFilter, SelectionSize, TenantStats, TimeRange } from '../store.ts';
import type { TimeSteps } from '../time-steps.ts';
import type { BlockSpans, BlockTotals } from './block-queries.ts';
import type { BlockSteps } from './block-steps.ts';
import type { BlockContent } from './block-tables.ts';
import type { ServiceDeletion } from './manifest.ts';
import type { BlockRetention } from './retention.ts';

export interface PlainMatcher {
  readonly name: string;
  readonly operator: MatchOperator;
  readonly value: string;
}

export interface PlainQuestion extends TimeRange {
  readonly tenant: string;
  readonly alternatives: readonly (readonly PlainMatcher[])[];
  readonly withoutCuts: readonly number[];
}

export interface PlainMergedStacks {
  readonly profile: Profile;
  readonly ids: BigUint64Array;
}

export interface BlockMethods {
  flush(tenant: string, content: BlockContent, cut: number, segment: number): Promise<void>;
  release(cut: number): Promise<void>;
  mergeStacks(question: PlainQuestion, filter: SampleFilter): Promise<PlainMergedStacks | undefined>;
  totals(question: PlainQuestion): Promise<BlockTotals[]>;
  stepTotals(question: PlainQuestion, steps: TimeSteps): Promise<BlockSteps>;
  stackTotals(question: PlainQuestion, stackIds: BigUint64Array): Promise<BlockTotals[]>;
  spans(question: PlainQuestion, maxSpans: number): Promise<BlockSpans[]>;
  seriesLabels(question: PlainQuestion): Promise<LabelSet[]>;
  size(question: PlainQuestion): Promise<SelectionSize>;
  stats(tenant: string, withoutCuts: readonly number[]): Promise<TenantStats>;
  setRetention(retention: RetentionConfig): Promise<void>;
  /** Resolves once no answer of blocks has the service's profiles any more that start up to the moment. */
  deleteService(tenant: string, service: string, throughMillis: number): Promise<ServiceDeletion>;
  /** This writer has nothing in memory any more that it had when the deletions were asked for. */
  deletionsInBlocks(tenant: string, deletionIds: readonly string[]): Promise<void>;
  /** Does the upkeep that is due now. */
  maintain(): Promise<void>;
  status(): Promise<BlocksStatus>;
  stop(): Promise<void>;
}

export interface RetentionConfig {
  readonly defaults: BlockRetention;
  readonly overrides: Readonly<Record<string, BlockRetention>>;
}

/** Plain data for the worker's start. */
export interface BlocksConfig {
  readonly objectStore: ObjectStoreConfig;
  /** For files of remote stores; nobody else's. */
  readonly cacheDirectory: string;
  readonly cacheMaxBytes: number;
  readonly temporaryDirectory: string;
  readonly writerId: string;
  readonly symbolCacheBytes: number;
  readonly sqlMemoryBytes: number;
  readonly sqlThreads: number;
  readonly maxSessions: number;
  readonly maintenanceMillis: number;
  readonly graceMillis: number;
  readonly tombstoneMillis: number;
  readonly retention: RetentionConfig;
}

/** For metrics. */
export interface BlocksStatus {
  readonly blocks: readonly { readonly level: number; readonly blocks: number; readonly bytes: number }[];
  readonly symbolCacheBytes: number;
  readonly compactedBlocks: number;
  /** Looks for what is due. */
  readonly compactionRuns: number;
  /** Times that blocks were made of others. */
  readonly compactions: number;
  readonly expiredBlocks: number;
  readonly removedFiles: number;
  readonly rewrittenBlocks: number;
  readonly upkeepFailures: number;
  /** Now. */
  readonly damagedBlocks: number;
  readonly unreadableTenants: number;
  readonly deletions: number;
  readonly retentionLagMillis: number;
}

export type BlocksMessage =
  | AnswerMessage
  | { readonly kind: 'started'; readonly flushedSegments: Readonly<Record<string, number>> }
  /** Why tenants cannot be served, whenever that changes; also before `started`. */
  | { readonly kind: 'unreadable'; readonly reasons: Readonly<Record<string, string>> }
  /** Of a tenant, whenever they change; also before `started`. */
  | { readonly kind: 'deletions'; readonly tenant: string; readonly deletions: readonly ServiceDeletion[] }
  | { readonly kind: 'start_failed'; readonly error: ErrorData }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message: string;
    };
