// SPDX-License-Identifier: Apache-2.0
//
// What every writer of pprof has to find out about a profile first.

import type { Profile } from '../profile.ts';
import type { ValueType } from '../profile-type.ts';

/** Bits of what is known of a mapping's locations. */
export const MappingSymbols = { functions: 1, filenames: 2, lineNumbers: 4, inlineFrames: 8 } as const;

/** What is known of all locations of each mapping. A flag that is set keeps tools from symbolizing, so one location
 * without symbol takes it away; inlined frames are known to be looked at when there is one. */
export function mappingSymbols({ mappings, locations, functions }: Profile): Uint8Array {
  const all = MappingSymbols.functions | MappingSymbols.filenames | MappingSymbols.lineNumbers;
  const known = new Uint8Array(mappings.length);
  const seen = new Uint8Array(mappings.length);
  for (let location = 0; location < locations.length; location++) {
    const mapping = locations.mapping[location]!;
    if (seen[mapping] === 0) known[mapping] = all;
    seen[mapping] = 1;
    const first = locations.lineStart[location]!;
    const end = locations.lineStart[location + 1]!;
    if (first === end) known[mapping]! &= ~all;
    if (end - first > 1) known[mapping]! |= MappingSymbols.inlineFrames;
    for (let line = first; line < end; line++) {
      const functionRow = locations.lineFunction[line]!;
      if (functions.name[functionRow] === 0) known[mapping]! &= ~MappingSymbols.functions;
      if (functions.filename[functionRow] === 0) known[mapping]! &= ~MappingSymbols.filenames;
      if (locations.lineNumber[line] === 0) known[mapping]! &= ~MappingSymbols.lineNumbers;
    }
  }
  return known;
}

/** pprof cannot say a value type that has neither type nor unit. */
export function isEmptyValueType({ type, unit }: ValueType): boolean {
  return type === '' && unit === '';
}
