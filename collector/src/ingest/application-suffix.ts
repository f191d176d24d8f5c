// SPDX-License-Identifier: Apache-2.0
//
// Texts and trees do not say what they measure. Old clients say it behind the last dot of the application's name.

import type { ValueType } from '@hearthscope/profile/profile-type';
import { IngestMetadataError } from './ingest-metadata.ts';

/** What an application's name says. */
export interface ApplicationSuffix {
  /** The name without the suffix. */
  readonly application: string;
  /** The profile's name, `__name__`. */
  readonly metricName: string;
  readonly sampleType: ValueType;
}

const SAMPLES: ValueType = { type: 'samples', unit: 'count' };
const CONTENTIONS: ValueType = { type: 'contentions', unit: 'count' };
const DELAY: ValueType = { type: 'delay', unit: 'nanoseconds' };

function counted(type: string): ValueType {
  return { type, unit: 'count' };
}

function inBytes(type: string): ValueType {
  return { type, unit: 'bytes' };
}

const SUFFIXES: ReadonlyMap<string, readonly [metricName: string, sampleType: ValueType]> = new Map([
  ['cpu', ['process_cpu', SAMPLES]],
  ['itimer', ['process_cpu', SAMPLES]],
  ['wall', ['wall', SAMPLES]],
  // The units of speedscope, behind a name to tell several profiles of one file apart.
  ['nanoseconds', ['wall', SAMPLES]],
  ['microseconds', ['wall', SAMPLES]],
  ['milliseconds', ['wall', SAMPLES]],
  ['seconds', ['wall', SAMPLES]],
  ['bytes', ['memory', inBytes('samples')]],
  ['inuse_objects', ['memory', counted('inuse_objects')]],
  ['inuse_space', ['memory', inBytes('inuse_space')]],
  ['alloc_objects', ['memory', counted('alloc_objects')]],
  ['alloc_space', ['memory', inBytes('alloc_space')]],
  ['alloc_in_new_tlab_objects', ['memory', counted('alloc_in_new_tlab_objects')]],
  ['alloc_in_new_tlab_bytes', ['memory', inBytes('alloc_in_new_tlab_bytes')]],
  ['alloc_outside_tlab_objects', ['memory', counted('alloc_outside_tlab_objects')]],
  ['alloc_outside_tlab_bytes', ['memory', inBytes('alloc_outside_tlab_bytes')]],
  ['live', ['memory', counted('live')]],
  ['goroutines', ['goroutine', counted('goroutines')]],
  ['mutex_count', ['mutex', CONTENTIONS]],
  ['mutex_duration', ['mutex', DELAY]],
  ['block_count', ['block', CONTENTIONS]],
  ['block_duration', ['block', DELAY]],
  ['lock_count', ['block', CONTENTIONS]],
  ['lock_duration', ['block', DELAY]],
  ['exceptions', ['exceptions', SAMPLES]],
]);

/** A name without a dot is that of a CPU profile.
 * @throws IngestMetadataError for a suffix that nobody knows */
export function applicationSuffix(name: string): ApplicationSuffix {
  const dot = name.lastIndexOf('.');
  const suffix = dot < 0 ? 'cpu' : name.slice(dot + 1);
  const known = SUFFIXES.get(suffix);
  if (known === undefined) {
    throw new IngestMetadataError(
      `pyroscopeIngesterAdapter failed to convert metadata: unknown profile type: ${suffix}`,
    );
  }
  const [metricName, sampleType] = known;
  return { application: dot < 0 ? name : name.slice(0, dot), metricName, sampleType };
}
