// SPDX-License-Identifier: Apache-2.0
//
// Short names of profile types: `cpu` for `process_cpu:cpu:nanoseconds:cpu:nanoseconds`. Which type is meant depends on
// what is stored, as one runtime calls the goroutines' profile `goroutine`, another `goroutines`.

import { parseProfileType } from '../profile-type.ts';

/** What a name stands for beside the sample types and profiles that are called so. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  goroutines: ['goroutine'],
  goroutine: ['goroutines'],
  memory: ['inuse_space', 'alloc_space', 'space'],
  heap: ['inuse_space'],
  lock: ['mutex', 'block'],
};
/** The profiles that others are measured by: a sample type of one of them is meant before the same one elsewhere. */
const USUAL_PROFILES = ['process_cpu', 'memory', 'goroutine', 'mutex', 'block'];
/** Of several types of one profile, the one people mean comes first: time before bytes before counts. */
const UNITS = ['nanoseconds', 'bytes', 'count'];

/** The id of the type that a short name means among those that are stored, or undefined when none is.
 * @param available ids of five parts */
export function profileTypeOfName(name: string, available: Iterable<string>): string | undefined {
  let best: { readonly id: string; readonly rank: number } | undefined;
  for (const id of available) {
    const rank = rankOf(name, id);
    if (rank === undefined) continue;
    if (best === undefined || rank < best.rank || (rank === best.rank && id < best.id)) best = { id, rank };
  }
  return best?.id;
}

/** Less is better; undefined: the name does not mean this type. */
function rankOf(name: string, id: string): number | undefined {
  const type = parseProfileType(id);
  const names = [name, ...(OTHER_NAMES[name] ?? [])];
  const bySampleType = names.indexOf(type.sampleType.type);
  const byProfile = names.indexOf(type.name);
  if (bySampleType < 0 && byProfile < 0) return undefined;
  const match = bySampleType >= 0 ? bySampleType : names.length + byProfile;
  const unit = UNITS.indexOf(type.sampleType.unit);
  const isUsual = USUAL_PROFILES.includes(type.name);
  return (match * 2 + (isUsual ? 0 : 1)) * (UNITS.length + 1) + (unit < 0 ? UNITS.length : unit);
}
