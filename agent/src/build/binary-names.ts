// SPDX-License-Identifier: Apache-2.0
//
// The frames of one binary that were named so far, shared by every process that maps it and kept across batches.

import type { MappedFile, Mapping } from '../discovery/mapping-set.ts';
import { displayName } from '../symbolize/symbolizer.ts';
import type { Frame, FrameMapping } from './frame.ts';

/** One binary by contents. Frames are found by file offset, which is the same in every process. */
export class BinaryNames {
  readonly path: string;
  readonly buildId: string;
  lastUsedInBatch = 0;
  readonly #frames = new Map<number, Frame>();
  readonly #mappings = new Map<string, FrameMapping>();

  constructor(path: string, buildId: string) {
    this.path = path;
    this.buildId = buildId;
  }

  get size(): number {
    return this.#frames.size;
  }

  get(fileOffset: number): Frame | undefined {
    return this.#frames.get(fileOffset);
  }

  /** @param elfAddress the virtual address that the file offset is loaded at @param name '' when no symbol covers it */
  add(mapping: Mapping, fileOffset: number, elfAddress: bigint, name: string): void {
    this.#frames.set(fileOffset, this.frame(mapping, fileOffset, elfAddress, name));
  }

  /** As {@link add}, without keeping it: for what may be named better the next time. */
  frame(mapping: Mapping, fileOffset: number, elfAddress: bigint, name: string): Frame {
    const shown = displayName(name, this.path, elfAddress);
    return {
      name: shown,
      systemName: name === '' ? shown : name,
      address: elfAddress,
      mapping: this.#mapping(mapping, elfAddress - BigInt(fileOffset)),
      type: 'native',
    };
  }

  clear(): void {
    this.#frames.clear();
    this.#mappings.clear();
  }

  #mapping(mapping: Mapping, offsetToAddress: bigint): FrameMapping {
    const key = `${mapping.fileOffset} ${mapping.limit - mapping.start} ${offsetToAddress}`;
    let known = this.#mappings.get(key);
    if (known === undefined) {
      const start = BigInt(mapping.fileOffset) + offsetToAddress;
      known = {
        start,
        limit: start + BigInt(mapping.limit - mapping.start),
        fileOffset: BigInt(mapping.fileOffset),
        filename: this.path,
        buildId: this.buildId,
      };
      this.#mappings.set(key, known);
    }
    return known;
  }
}

/** About 120 bytes each, so 12 MB; two hundred busy processes show some ten thousand. */
const MAX_CACHED_FRAMES = 100_000;

/** All binaries whose contents are known, the least recently used forgotten first. */
export class BinaryNamesCache {
  readonly #maxFrames: number;
  readonly #byBuildId = new Map<string, BinaryNames>();
  /** Those without a build id cannot be shared: a file of the same path and inode may be another one by now. */
  #unshared: WeakRef<BinaryNames>[] = [];

  constructor(maxFrames: number = MAX_CACHED_FRAMES) {
    this.#maxFrames = maxFrames;
  }

  get binaries(): number {
    return this.#byBuildId.size + this.#unshared.length;
  }

  get frames(): number {
    return this.#all().reduce((sum, names) => sum + names.size, 0);
  }

  /** The names of a file that turned out to have this build id ('' for none); the file refers to them from now on. */
  bind(file: MappedFile, buildId: string): BinaryNames {
    if (file.names !== undefined && file.names.buildId === buildId) return file.names;
    const path = file.path.replace(/ \(deleted\)$/, '');
    // Two paths of one build id are shown under their own names, as containers have their own copies.
    const key = `${buildId} ${path}`;
    let names = buildId === '' ? undefined : this.#byBuildId.get(key);
    if (names === undefined) {
      names = new BinaryNames(path, buildId);
      if (buildId === '') this.#unshared.push(new WeakRef(names));
      else this.#byBuildId.set(key, names);
    }
    file.names = names;
    return names;
  }

  /** Forgets binaries until the limit holds again. Returns how many were forgotten. */
  trim(): number {
    this.#unshared = this.#unshared.filter((reference) => reference.deref() !== undefined);
    const all = this.#all();
    let frames = all.reduce((sum, names) => sum + names.size, 0);
    if (frames <= this.#maxFrames) return 0;
    all.sort((a, b) => a.lastUsedInBatch - b.lastUsedInBatch);
    let forgotten = 0;
    for (const names of all) {
      if (frames <= this.#maxFrames) break;
      frames -= names.size;
      // Processes may still refer to it: it starts again from nothing.
      names.clear();
      if (names.buildId !== '') this.#byBuildId.delete(`${names.buildId} ${names.path}`);
      forgotten++;
    }
    return forgotten;
  }

  #all(): BinaryNames[] {
    const unshared = this.#unshared.flatMap((reference) => reference.deref() ?? []);
    return [...this.#byBuildId.values(), ...unshared];
  }
}
