// SPDX-License-Identifier: Apache-2.0
//
// The executable mappings of one process, searched by address. Immutable: a refresh makes a new set and hands over what
// was already learnt about the files of the old one.

import type { BinaryNames } from '../build/binary-names.ts';
import type { MappedRegion } from './procfs.ts';

/** A file of which a process maps one or more executable regions. */
export interface MappedFile {
  readonly device: string;
  readonly inode: number;
  /** As the kernel prints it, ` (deleted)` included; '' for anonymous memory. */
  readonly path: string;
  /** One region of the file: its name in /proc/PID/map_files. */
  readonly start: number;
  readonly limit: number;
  /** When it was first seen: a file of that name and inode which is younger is another one. */
  readonly seenAtUnixMillis: number;
  /** Set once the file's contents are known: see build/. */
  names: BinaryNames | undefined;
}

/** One region, with the file it belongs to. */
export interface Mapping {
  readonly start: number;
  readonly limit: number;
  readonly fileOffset: number;
  readonly file: MappedFile;
}

/** Regions of a file that were unmapped since stay known, for samples of before; this many at most. */
const MAX_FORMER_MAPPINGS = 256;

export class MappingSet {
  static readonly EMPTY = new MappingSet([]);

  readonly #mappings: readonly Mapping[];
  readonly #starts: Float64Array;

  private constructor(mappings: readonly Mapping[]) {
    this.#mappings = mappings;
    this.#starts = Float64Array.from(mappings, (mapping) => mapping.start);
  }

  get length(): number {
    return this.#mappings.length;
  }

  /**
   * @param regions in any order; where two overlap, the later wins by address (the kernel's own list never overlaps)
   * @param former the set that this one replaces: its files keep their names, and regions of it that nothing overlaps stay
   */
  static of(regions: Iterable<MappedRegion>, former: MappingSet = MappingSet.EMPTY): MappingSet {
    const files = new Map<string, MappedFile>();
    for (const { file } of former.#mappings) files.set(fileKey(file), file);
    const mappings: Mapping[] = [];
    for (const region of regions) {
      const key = fileKey(region);
      let file = files.get(key);
      if (file === undefined) {
        const { device, inode, path, start, limit } = region;
        file = { device, inode, path, start, limit, seenAtUnixMillis: Date.now(), names: undefined };
        files.set(key, file);
      }
      mappings.push({ start: region.start, limit: region.limit, fileOffset: region.fileOffset, file });
    }
    mappings.sort(byStart);
    if (former.length === 0) return new MappingSet(mappings);
    const current = new MappingSet(mappings);
    const kept = former.#mappings
      .filter((mapping) => !current.#overlaps(mapping))
      .slice(-MAX_FORMER_MAPPINGS);
    return kept.length === 0 ? current : new MappingSet([...mappings, ...kept].sort(byStart));
  }

  /** In order of addresses. */
  [Symbol.iterator](): Iterator<Mapping> {
    return this.#mappings[Symbol.iterator]();
  }

  /** The mapping that holds the address, or undefined. */
  find(address: number): Mapping | undefined {
    const mapping = this.#mappings[this.#lastStartingAtOrBelow(address)];
    return mapping !== undefined && address < mapping.limit ? mapping : undefined;
  }

  #lastStartingAtOrBelow(address: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #overlaps(mapping: Mapping): boolean {
    const before = this.#mappings[this.#lastStartingAtOrBelow(mapping.limit - 1)];
    return before !== undefined && before.limit > mapping.start;
  }
}

function byStart(a: Mapping, b: Mapping): number {
  return a.start - b.start;
}

/** Anonymous regions are one "file": there is nothing to tell them apart by, and nothing to read. */
function fileKey({ device, inode, path }: { device: string; inode: number; path: string }): string {
  return `${device} ${inode} ${path}`;
}
