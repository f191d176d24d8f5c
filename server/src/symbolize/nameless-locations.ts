// SPDX-License-Identifier: Apache-2.0
//
// The locations of a profile that came without names and may get some: they have an address in a binary with a build id.

import type { Profile } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import { isBuildId } from '../debuginfo/build-id.ts';
import { linkedOrigin } from '../storage/mapping-origin.ts';
import type { AddressKind } from './symbol-protocol.ts';

/** Locations handled in one step. */
const LOCATIONS_PER_STEP = 16_384;
/** Kernel addresses are named where they are sampled or not at all: they are moved at each boot. */
const KERNEL_FRAME_TYPE = 'kernel';

/** Addresses of one binary and one kind. */
export interface NamelessAddresses {
  readonly buildId: string;
  readonly kind: AddressKind;
  /** Distinct; an offset in the file or a virtual address of it. */
  readonly locationsByAddress: Map<bigint, number[]>;
}

export function* namelessLocations({ strings, locations, mappings }: Profile): Steps<NamelessAddresses[]> {
  const groups = new Map<string, NamelessAddresses>();
  const group = (buildId: string, kind: AddressKind): NamelessAddresses => {
    const key = `${kind} ${buildId}`;
    let found = groups.get(key);
    if (found === undefined) {
      found = { buildId, kind, locationsByAddress: new Map() };
      groups.set(key, found);
    }
    return found;
  };
  const buildIds = Array.from(mappings.buildId, (index) => {
    const buildId = strings[index]!;
    return isBuildId(buildId) ? buildId : undefined;
  });
  for (let location = 0; location < locations.length; location++) {
    if (location % LOCATIONS_PER_STEP === 0) yield;
    if (locations.lineStart[location] !== locations.lineStart[location + 1]) continue;
    const mapping = locations.mapping[location]!;
    const buildId = buildIds[mapping];
    if (buildId === undefined || strings[locations.frameType[location]!] === KERNEL_FRAME_TYPE) continue;
    const sent = locations.address[location]!;
    const start = mappings.start[mapping]!;
    const fileOffset = mappings.fileOffset[mapping]!;
    const isInside = start <= sent && sent < mappings.limit[mapping]!;
    // An address without a place in the file is taken for the file's own: there is nothing else it could be.
    const isVirtual = !isInside || linkedOrigin(start, fileOffset) !== undefined;
    const address = isVirtual ? sent : sent - start + fileOffset;
    const { locationsByAddress } = group(buildId, isVirtual ? 'virtual' : 'file_offset');
    const known = locationsByAddress.get(address);
    if (known === undefined) locationsByAddress.set(address, [location]);
    else known.push(location);
  }
  return [...groups.values()];
}
