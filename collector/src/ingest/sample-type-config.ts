// SPDX-License-Identifier: Apache-2.0
//
// What a client of the multipart form says about the sample types of its pprof, and the name of the profile that follows
// from it. Only the display names have a meaning here: units are those of the pprof, and values are always deltas.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { ValueType } from '@hearthscope/profile/profile-type';

/** Display name of each sample type, '' where the client gives none. */
export type SampleTypeConfig = ReadonlyMap<string, string>;

/** Sample types that one client may describe. */
export const MAX_SAMPLE_TYPES = 1_000;

/** Go's own names, for clients that say nothing. */
const DEFAULT_CONFIG: SampleTypeConfig = new Map([
  ['samples', 'cpu'],
  ['inuse_objects', ''],
  ['alloc_objects', ''],
  ['inuse_space', ''],
  ['alloc_space', ''],
  ['goroutine', 'goroutines'],
  ['contentions', 'mutex_count'],
  ['delay', 'mutex_duration'],
]);

const FIELD_TYPES: Readonly<Record<string, 'string' | 'boolean'>> = {
  units: 'string',
  'display-name': 'string',
  aggregation: 'string',
  cumulative: 'boolean',
  sampled: 'boolean',
};

/** Reads `{"<type>": {"units", "display-name", "aggregation", "cumulative", "sampled"}}`, all of them optional.
 * @throws HearthscopeError invalid_argument */
export function parseSampleTypeConfig(bytes: Uint8Array): SampleTypeConfig {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw invalid(messageOf(error));
  }
  if (value === null) return DEFAULT_CONFIG;
  const entries = Object.entries(objectOf(value, 'the document'));
  if (entries.length > MAX_SAMPLE_TYPES) {
    throw invalid(`${entries.length} sample types exceed the limit of ${MAX_SAMPLE_TYPES}`);
  }
  return new Map(entries.map(([type, config]) => [type, displayName(type, config)]));
}

function displayName(type: string, config: unknown): string {
  if (config === null) return '';
  const fields = objectOf(config, JSON.stringify(type));
  for (const [field, wanted] of Object.entries(FIELD_TYPES)) {
    const actual = fields[field];
    if (actual !== undefined && actual !== null && typeof actual !== wanted) {
      throw invalid(`${field} of ${JSON.stringify(type)} is not a ${wanted}`);
    }
  }
  return (fields['display-name'] as string | null | undefined) ?? '';
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${what} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function invalid(what: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', `sample_type_config: ${what}`);
}

/** The name of the profile: `wall` when it measures that, else the first of its sample types whose name says where it
 * belongs, else the last of them. @param config undefined when the client sent none */
export function pprofMetricName(
  sampleTypes: readonly ValueType[],
  config: SampleTypeConfig | undefined,
): string {
  if (sampleTypes.some(({ type }) => type === 'wall')) return 'wall';
  const names = sampleTypes.map(({ type }) => (config ?? DEFAULT_CONFIG).get(type) || type);
  for (const name of names) {
    const metric = metricOf(name);
    if (metric !== undefined) return metric;
  }
  return names.at(-1) ?? '';
}

function metricOf(name: string): string | undefined {
  if (name.includes('cpu')) return 'process_cpu';
  if (name.includes('alloc_') || name.includes('inuse_') || name === 'space' || name === 'objects')
    return 'memory';
  if (name.includes('mutex_')) return 'mutex';
  if (name.includes('block_')) return 'block';
  if (name.includes('goroutines')) return 'goroutines';
  return undefined;
}
