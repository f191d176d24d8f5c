// SPDX-License-Identifier: Apache-2.0
//
// An address that has a name is of no further use, but tells places apart that read the same: it differs with each build
// and each start of a program. Without it the same line is one location, and far fewer stacks are stored.

import type { Profile } from '@hearthscope/profile/profile';

/** Clears the addresses in binaries whose every location has functions, and the places where those were mapped. One
 * location without functions keeps all addresses of its binary, as it can still be named. */
export function withoutNamedAddresses(profile: Profile): Profile {
  const { locations, mappings } = profile;
  const isNamed = new Uint8Array(mappings.length).fill(1);
  for (let row = 0; row < locations.length; row++) {
    if (locations.lineStart[row] === locations.lineStart[row + 1]) isNamed[locations.mapping[row]!] = 0;
  }
  // Row 0 is no binary: what stands there may be of several.
  isNamed[0] = 0;
  if (!isNamed.includes(1)) return profile;
  const where = (values: BigUint64Array) => {
    const kept = values.slice();
    for (let row = 0; row < kept.length; row++) if (isNamed[row] === 1) kept[row] = 0n;
    return kept;
  };
  const address = locations.address.slice();
  for (let row = 0; row < address.length; row++) {
    if (isNamed[locations.mapping[row]!] === 1) address[row] = 0n;
  }
  return {
    ...profile,
    mappings: {
      ...mappings,
      start: where(mappings.start),
      limit: where(mappings.limit),
      fileOffset: where(mappings.fileOffset),
    },
    locations: { ...locations, address },
  };
}
