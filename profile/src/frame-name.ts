// SPDX-License-Identifier: Apache-2.0
//
// What people read for a frame. A frame is one function of a location: a location with inlined functions is several
// frames, one without symbols is one.

import type { Profile } from './profile.ts';
import { finish, type Steps } from './steps.ts';

/** Locations handled in one step. */
const LOCATIONS_PER_STEP = 4096;

/** The frame of a location of which nothing at all is known. */
export const UNKNOWN_FRAME = '[unknown]';

/** The name of a function, never empty. */
export function functionName(profile: Profile, functionIndex: number): string {
  const { strings, functions } = profile;
  return (
    strings[functions.name[functionIndex]!] || strings[functions.systemName[functionIndex]!] || UNKNOWN_FRAME
  );
}

/** `binary+0xoffset` for an address without symbol, where the offset is that in the file when the mapping's place is
 * known; `0xaddress` without a mapping. */
export function addressName(profile: Profile, location: number): string {
  const { strings, locations, mappings } = profile;
  const mapping = locations.mapping[location]!;
  const address = locations.address[location]!;
  const path = strings[mappings.filename[mapping]!]!;
  const binary = path.slice(path.lastIndexOf('/') + 1);
  if (binary === '') return address === 0n ? UNKNOWN_FRAME : `0x${address.toString(16)}`;
  const start = mappings.start[mapping]!;
  const isMapped = start <= address && address < mappings.limit[mapping]!;
  const offset = isMapped ? address - start + mappings.fileOffset[mapping]! : address;
  return `${binary}+0x${offset.toString(16)}`;
}

/** The frames of every location, leaf first, as indexes into `names`: `frame[start[l] .. start[l + 1]]`. */
export interface LocationFrames {
  readonly names: readonly string[];
  readonly start: Uint32Array;
  readonly frame: Uint32Array;
}

export function locationFrames(profile: Profile): LocationFrames {
  return finish(locationFramesInSteps(profile));
}

export function* locationFramesInSteps(profile: Profile): Steps<LocationFrames> {
  const { locations } = profile;
  const names: string[] = [];
  const indexOf = new Map<string, number>();
  const nameIndex = (name: string): number => {
    let index = indexOf.get(name);
    if (index === undefined) {
      index = names.push(name) - 1;
      indexOf.set(name, index);
    }
    return index;
  };
  const start = new Uint32Array(locations.length + 1);
  const frame = new Uint32Array(locations.lineFunction.length + locations.length);
  let count = 0;
  for (let location = 0; location < locations.length; location++) {
    if (location % LOCATIONS_PER_STEP === 0) yield;
    const firstLine = locations.lineStart[location]!;
    const endLine = locations.lineStart[location + 1]!;
    for (let line = firstLine; line < endLine; line++) {
      frame[count++] = nameIndex(functionName(profile, locations.lineFunction[line]!));
    }
    if (firstLine === endLine) frame[count++] = nameIndex(addressName(profile, location));
    start[location + 1] = count;
  }
  return { names, start, frame: frame.subarray(0, count) };
}
