// SPDX-License-Identifier: Apache-2.0
//
// What is remembered of a tenant's rules between two evaluations: for each rule what was counted already, and the
// requests that the receiver has not taken yet. Both change in one write of one file. So a profile is counted once even
// when the process is killed: either the file says that it was counted, and holds the request that tells so, or neither.
// A request that was sent and not yet taken out of the file is sent again as it was, which receivers take for the same
// sample.

import { join } from 'node:path';
import type { Label } from '@hearthscope/profile/labels';
import { TenantDocuments } from '../settings/tenant-documents.ts';
import type { WrittenSeries } from './remote-write-message.ts';
import { MAX_TENANTS_WITH_RULES, RULES_FOLDER } from './rule-store.ts';

/** What was counted of one series in one window. */
export interface CountedWindow {
  /** The window is (end - interval, end]. */
  readonly endMillis: number;
  readonly value: number;
}

export interface CountedSeries {
  /** The labels that the rule groups by. */
  readonly labels: readonly Label[];
  /** By time. */
  readonly windows: readonly CountedWindow[];
}

export interface RuleState {
  readonly ruleId: string;
  /** Of what the rule says: one that says something else begins anew. */
  readonly fingerprint: string;
  /** Windows that end before are not counted. */
  readonly sinceMillis: number;
  /** When it was last evaluated. */
  readonly evaluatedMillis: number;
  readonly series: readonly CountedSeries[];
}

/** A request that waits to be sent. */
export interface QueuedRequest {
  readonly timestampMillis: number;
  readonly series: readonly WrittenSeries[];
}

export interface TenantState {
  readonly rules: readonly RuleState[];
  /** The oldest first. */
  readonly queue: readonly QueuedRequest[];
}

export const MAX_STATE_FILE_BYTES = 64 * 1024 * 1024;
const FORMAT_VERSION = 1;

export function ruleStates(dataDir: string): TenantDocuments<TenantState> {
  return new TenantDocuments({
    folder: join(dataDir, RULES_FOLDER),
    fileName: 'state.json',
    version: FORMAT_VERSION,
    maxBytes: MAX_STATE_FILE_BYTES,
    maxTenants: MAX_TENANTS_WITH_RULES,
    empty: { rules: [], queue: [] },
    parse: parseState,
  });
}

function parseState({ rules, queue }: Readonly<Record<string, unknown>>): TenantState {
  if (!Array.isArray(rules) || !Array.isArray(queue)) throw new Error('`rules` and `queue` are no lists');
  if (!rules.every(isRuleState)) throw new Error('`rules` holds something else');
  if (!queue.every(isQueuedRequest)) throw new Error('`queue` holds something else');
  return { rules, queue };
}

function isRuleState(rule: Partial<RuleState> | null): rule is RuleState {
  const { ruleId, fingerprint, sinceMillis, evaluatedMillis, series } = rule ?? {};
  return (
    typeof ruleId === 'string' &&
    typeof fingerprint === 'string' &&
    [sinceMillis, evaluatedMillis].every(Number.isSafeInteger) &&
    Array.isArray(series) &&
    series.every(
      ({ labels, windows }: CountedSeries) =>
        isLabels(labels) &&
        Array.isArray(windows) &&
        windows.every(({ endMillis, value }) => Number.isSafeInteger(endMillis) && Number.isFinite(value)),
    )
  );
}

function isQueuedRequest(request: Partial<QueuedRequest> | null): request is QueuedRequest {
  const { timestampMillis, series } = request ?? {};
  return (
    Number.isSafeInteger(timestampMillis) &&
    Array.isArray(series) &&
    series.every(({ labels, value }: WrittenSeries) => isLabels(labels) && Number.isFinite(value))
  );
}

function isLabels(labels: unknown): labels is readonly Label[] {
  return (
    Array.isArray(labels) &&
    labels.every((label) => typeof label?.name === 'string' && typeof label?.value === 'string')
  );
}
