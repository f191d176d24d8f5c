// SPDX-License-Identifier: Apache-2.0
//
// The three questions the page asks. Answers are proto3 JSON: int64 are strings, and empty fields are left out.

import { SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { FlameGraphMessage } from '../flamegraph/layout.ts';
import type { TimeWindow } from '../time-range.ts';
import { type Call, notUnderstood } from './connect.ts';

const SERVICE = 'querier.v1.QuerierService';
const PROFILE_TYPE_LABEL = '__profile_type__';

/** Frames below the server's cut are merged into `other`; this many draw in a few milliseconds. Of frames that are as
 * large as the smallest kept, all are kept, so that a profile of many single samples has several times as many. */
export const MAX_FLAME_GRAPH_NODES = 16_384;

/** Which profiles are asked for. */
export interface ProfileSelection extends TimeWindow {
  readonly profileTypeId: string;
  readonly labelSelector: string;
}

/** One (service, profile type) pair that has profiles in the window. `service` is '' when a series has none. */
export interface CatalogueEntry {
  readonly service: string;
  readonly profileTypeId: string;
}

/** The sum of the values of one step, which ends at the timestamp. */
export interface SeriesPoint {
  readonly timestampMillis: number;
  readonly value: number;
}

export interface Querier {
  catalogue(window: TimeWindow, signal: AbortSignal): Promise<CatalogueEntry[]>;
  flameGraph(selection: ProfileSelection, signal: AbortSignal): Promise<FlameGraphMessage>;
  /** Only steps that have profiles are returned, oldest first. */
  series(selection: ProfileSelection, stepMillis: number, signal: AbortSignal): Promise<SeriesPoint[]>;
}

export function createQuerier(call: Call): Querier {
  return {
    async catalogue(window, signal) {
      const answer = await call(
        `${SERVICE}/Series`,
        {
          start: window.startMillis,
          end: window.endMillis,
          labelNames: [SERVICE_NAME_LABEL, PROFILE_TYPE_LABEL],
          matchers: [],
        },
        signal,
      );
      return readList(answer, 'labelsSet', 'Series').map((set) => {
        const labels = new Map(
          readList(set, 'labels', 'Series').map((label) => [
            readText(label, 'name', 'Series'),
            readText(label, 'value', 'Series'),
          ]),
        );
        return {
          service: labels.get(SERVICE_NAME_LABEL) ?? '',
          profileTypeId: labels.get(PROFILE_TYPE_LABEL) ?? '',
        };
      });
    },

    async flameGraph(selection, signal) {
      const method = 'SelectMergeStacktraces';
      const request = { ...selectionFields(selection), maxNodes: MAX_FLAME_GRAPH_NODES };
      const answer = await call(`${SERVICE}/${method}`, request, signal);
      const flamegraph = readField(answer, 'flamegraph', method) ?? {};
      const names = readList(flamegraph, 'names', method);
      if (!names.every((name) => typeof name === 'string')) {
        throw notUnderstood(method, 'a name is not text');
      }
      const levels = readList(flamegraph, 'levels', method).map((level) => ({
        // The layout checks each value when it reads it as a number.
        values: readList(level, 'values', method) as (string | number)[],
      }));
      return { names, levels };
    },

    async series(selection, stepMillis, signal) {
      const method = 'SelectSeries';
      const request = { ...selectionFields(selection), step: stepMillis / 1_000, groupBy: [] };
      const answer = await call(`${SERVICE}/${method}`, request, signal);
      return readList(answer, 'series', method)
        .flatMap((series) => readList(series, 'points', method))
        .map((point) => ({
          timestampMillis: Number(readField(point, 'timestamp', method) ?? 0),
          value: Number(readField(point, 'value', method) ?? 0),
        }));
    },
  };
}

function selectionFields(selection: ProfileSelection): object {
  return {
    profileTypeID: selection.profileTypeId,
    labelSelector: selection.labelSelector,
    start: selection.startMillis,
    end: selection.endMillis,
  };
}

function readField(message: unknown, field: string, method: string): unknown {
  if (typeof message !== 'object' || message === null) {
    throw notUnderstood(method, `there is no object to read "${field}" from`);
  }
  return (message as Record<string, unknown>)[field];
}

function readList(message: unknown, field: string, method: string): unknown[] {
  const value = readField(message, field, method) ?? [];
  if (!Array.isArray(value)) throw notUnderstood(method, `"${field}" is not a list`);
  return value;
}

function readText(message: unknown, field: string, method: string): string {
  const value = readField(message, field, method) ?? '';
  if (typeof value !== 'string') throw notUnderstood(method, `"${field}" is not text`);
  return value;
}
