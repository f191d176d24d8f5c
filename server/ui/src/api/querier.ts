// SPDX-License-Identifier: Apache-2.0
//
// The questions the page asks about what is stored.

import { SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { FlameDiffMessage } from '../flamegraph/diff-layout.ts';
import type { FlameGraphMessage } from '../flamegraph/layout.ts';
import type { TimeWindow } from '../time-range.ts';
import type { Single } from '../url-state.ts';
import type { Call } from './connect.ts';
import { readField, readFlameGraph, readList, readNumber, readText } from './fields.ts';
import { type HeatmapKind, type HeatmapSlot, heatmapFields, readHeatmap } from './heatmap.ts';

export const QUERIER_SERVICE = 'querier.v1.QuerierService';
const PROFILE_TYPE_LABEL = '__profile_type__';

/** Frames below the server's cut are merged into `other`; this many draw in a few milliseconds. Of frames that are as
 * large as the smallest kept, all are kept, so that a profile of many single samples has several times as many. */
export const MAX_FLAME_GRAPH_NODES = 16_384;

/** Which profiles are asked for. */
export interface ProfileSelection extends TimeWindow {
  readonly profileTypeId: string;
  readonly labelSelector: string;
  /** One of them only. */
  readonly single?: Single | undefined;
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
  /** @param maxNodes {@link MAX_FLAME_GRAPH_NODES} unless given */
  flameGraph(selection: ProfileSelection, signal: AbortSignal, maxNodes?: number): Promise<FlameGraphMessage>;
  diff(
    baseline: ProfileSelection,
    comparison: ProfileSelection,
    signal: AbortSignal,
  ): Promise<FlameDiffMessage>;
  /** Only steps that have profiles are returned, oldest first. */
  series(selection: ProfileSelection, stepMillis: number, signal: AbortSignal): Promise<SeriesPoint[]>;
  /** Only steps that have profiles, or spans, are returned, oldest first. */
  heatmap(
    selection: ProfileSelection,
    kind: HeatmapKind,
    stepMillis: number,
    signal: AbortSignal,
  ): Promise<HeatmapSlot[]>;
}

export function createQuerier(call: Call): Querier {
  const ask = (method: string, request: object, signal: AbortSignal): Promise<unknown> =>
    call(`${QUERIER_SERVICE}/${method}`, request, signal);
  return {
    async catalogue(window, signal) {
      const method = 'Series';
      const answer = await ask(
        method,
        {
          start: window.startMillis,
          end: window.endMillis,
          labelNames: [SERVICE_NAME_LABEL, PROFILE_TYPE_LABEL],
          matchers: [],
        },
        signal,
      );
      return readList(answer, 'labelsSet', method).map((set) => {
        const labels = new Map(
          readList(set, 'labels', method).map((label) => [
            readText(label, 'name', method),
            readText(label, 'value', method),
          ]),
        );
        return {
          service: labels.get(SERVICE_NAME_LABEL) ?? '',
          profileTypeId: labels.get(PROFILE_TYPE_LABEL) ?? '',
        };
      });
    },

    async flameGraph(selection, signal, maxNodes = MAX_FLAME_GRAPH_NODES) {
      const method = 'SelectMergeStacktraces';
      const answer = await ask(method, mergeFields(selection, maxNodes), signal);
      return readFlameGraph(readField(answer, 'flamegraph', method) ?? {}, method);
    },

    async diff(baseline, comparison, signal) {
      const method = 'Diff';
      const request = {
        left: mergeFields(baseline, MAX_FLAME_GRAPH_NODES),
        right: mergeFields(comparison, MAX_FLAME_GRAPH_NODES),
      };
      const answer = await ask(method, request, signal);
      return readFlameGraph(readField(answer, 'flamegraph', method) ?? {}, method);
    },

    async series(selection, stepMillis, signal) {
      const method = 'SelectSeries';
      const request = { ...selectionFields(selection), step: stepMillis / 1_000, groupBy: [] };
      const answer = await ask(method, request, signal);
      return readList(answer, 'series', method)
        .flatMap((series) => readList(series, 'points', method))
        .map((point) => ({
          timestampMillis: readNumber(point, 'timestamp', method),
          value: readNumber(point, 'value', method),
        }));
    },

    async heatmap(selection, kind, stepMillis, signal) {
      const request = { ...selectionFields(selection), ...heatmapFields(kind, stepMillis) };
      return readHeatmap(await ask('SelectHeatmap', request, signal));
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

function mergeFields(selection: ProfileSelection, maxNodes: number): object {
  const { single } = selection;
  return {
    ...selectionFields(selection),
    maxNodes,
    ...(single?.kind === 'profile' ? { profileIdSelector: [single.id] } : {}),
    ...(single?.kind === 'span' ? { spanSelector: [single.id] } : {}),
  };
}
