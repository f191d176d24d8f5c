// SPDX-License-Identifier: Apache-2.0
//
// What is shown, as a file for other tools.

import { ProtobufWriter } from '@hearthscope/profile/wire/protobuf-writer';
import { collapsedStacks } from '../flamegraph/collapsed-stacks.ts';
import { layoutFlameGraph } from '../flamegraph/layout.ts';
import type { Fetch } from './connect.ts';
import { MAX_FLAME_GRAPH_NODES, type ProfileSelection, QUERIER_SERVICE, type Querier } from './querier.ts';

export type ExportFormat = 'pprof' | 'flamebearer' | 'dot' | 'collapsed';

/** The bytes of a file and how it is called. */
export interface ExportedFile {
  readonly name: string;
  readonly content: Blob;
}

export interface Exports {
  /** One selection. Only {@link formatsOf} it can be asked for.
   * @throws HearthscopeError */
  profile(selection: ProfileSelection, format: ExportFormat, signal: AbortSignal): Promise<ExportedFile>;
  /** The difference of two selections as flamebearer JSON. */
  diff(baseline: ProfileSelection, comparison: ProfileSelection, signal: AbortSignal): Promise<ExportedFile>;
}

/** Collapsed stacks are of all frames, as far as the server allows. */
const MAX_EXPORTED_NODES = 1_048_576;
const CONTENT_TYPE = { json: 'application/json', text: 'text/plain', gzip: 'application/gzip' } as const;

/** A single profile has no address in the plain endpoints, and a span none in that for pprof either. */
export function formatsOf({ single }: ProfileSelection): ExportFormat[] {
  if (single?.kind === 'span') return ['collapsed'];
  return single === undefined ? ['pprof', 'flamebearer', 'dot', 'collapsed'] : ['pprof', 'collapsed'];
}

export function createExports(querier: Querier, fetch: Fetch): Exports {
  return {
    async profile(selection, format, signal) {
      const name = fileName(selection);
      switch (format) {
        case 'pprof': {
          const path = `${QUERIER_SERVICE}/SelectMergeProfile`;
          const body = { contentType: 'application/proto', bytes: mergeProfileRequest(selection) };
          const bytes = await fetch(path, signal, body);
          return { name: `${name}.pb.gz`, content: await gzipped(bytes) };
        }
        case 'flamebearer': {
          const query = { ...renderQuery(selection), 'max-nodes': String(MAX_FLAME_GRAPH_NODES) };
          const bytes = await fetch(address('pyroscope/render', query), signal);
          return { name: `${name}.json`, content: new Blob([bytes], { type: CONTENT_TYPE.json }) };
        }
        case 'dot': {
          const query = { ...renderQuery(selection), format: 'dot' };
          const bytes = await fetch(address('pyroscope/render', query), signal);
          return { name: `${name}.dot`, content: new Blob([bytes], { type: CONTENT_TYPE.text }) };
        }
        case 'collapsed': {
          const graph = await querier.flameGraph(selection, signal, MAX_EXPORTED_NODES);
          return collapsedFile(name, collapsedStacks(layoutFlameGraph(graph)));
        }
      }
    },

    async diff(baseline, comparison, signal) {
      const query = {
        leftQuery: selectorWithType(baseline),
        leftFrom: String(baseline.startMillis),
        leftUntil: String(baseline.endMillis),
        rightQuery: selectorWithType(comparison),
        rightFrom: String(comparison.startMillis),
        rightUntil: String(comparison.endMillis),
        'max-nodes': String(MAX_FLAME_GRAPH_NODES),
      };
      const bytes = await fetch(address('pyroscope/render-diff', query), signal);
      return {
        name: `${fileName(comparison)}-diff.json`,
        content: new Blob([bytes], { type: CONTENT_TYPE.json }),
      };
    },
  };
}

export function collapsedFile(name: string, stacks: string): ExportedFile {
  return { name: `${name}.collapsed`, content: new Blob([stacks], { type: CONTENT_TYPE.text }) };
}

export function flamebearerFile(name: string, flamebearer: string): ExportedFile {
  return { name: `${name}.json`, content: new Blob([flamebearer], { type: CONTENT_TYPE.json }) };
}

/** querier.v1.SelectMergeProfileRequest; its answer is pprof only when it is asked in protobuf. */
function mergeProfileRequest(selection: ProfileSelection): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter();
  writer.string(1, selection.profileTypeId);
  writer.string(2, selection.labelSelector);
  writer.int64(3, BigInt(selection.startMillis));
  writer.int64(4, BigInt(selection.endMillis));
  if (selection.single?.kind === 'profile') writer.string(7, selection.single.id);
  return new Uint8Array(writer.finish());
}

function renderQuery(selection: ProfileSelection): Record<string, string> {
  return {
    query: selectorWithType(selection),
    from: String(selection.startMillis),
    until: String(selection.endMillis),
  };
}

function selectorWithType({ profileTypeId, labelSelector }: ProfileSelection): string {
  return `${profileTypeId}${labelSelector}`;
}

function address(path: string, query: Readonly<Record<string, string>>): string {
  return `${path}?${new URLSearchParams(query)}`;
}

function gzipped(bytes: ArrayBuffer): Promise<Blob> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Response(stream, { headers: { 'content-type': CONTENT_TYPE.gzip } }).blob();
}

/** `cpu-2026-11-22T14-03-20`: what it is of and when it ends, in characters that every file system takes. */
export function fileName({ profileTypeId, endMillis }: ProfileSelection): string {
  const type = profileTypeId.split(':')[1] ?? '';
  const time = new Date(endMillis).toISOString().slice(0, 19).replaceAll(':', '-');
  return `${type === '' ? 'profile' : type.replace(/[^\w.-]/g, '_')}-${time}`;
}
