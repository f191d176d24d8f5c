// SPDX-License-Identifier: Apache-2.0
//
// The frames of one binary that were named so far, shared by every process that maps it and kept across batches.

import type { MappedFile, Mapping } from '../discovery/mapping-set.ts';
import type { Frame, FrameLine, FrameMapping } from './frame.ts';

/** One binary by contents. Frames are found by file offset, which is the same in every process. */
export class BinaryNames {
  readonly path: string;
  readonly buildId: string;
  lastUsedInBatch = 0;
  readonly #frames = new Map<number, Frame>();
  readonly #mappings = new Map<string, FrameMapping>();
  readonly #strings = new Map<string, string>();
  #lineCount = 0;

  constructor(path: string, buildId: string) {
    this.path = path;
    this.buildId = buildId;
  }

  /** Frames that are kept. */
  get size(): number {
    return this.#frames.size;
  }

  /** What they cost: an address costs about as much as one function at it. */
  get weight(): number {
    return this.#frames.size + this.#lineCount;
  }

  get(fileOffset: number): Frame | undefined {
    return this.#frames.get(fileOffset);
  }

  /** @param elfAddress the virtual address that the file offset is loaded at */
  add(mapping: Mapping, fileOffset: number, elfAddress: bigint, lines: readonly FrameLine[]): void {
    const frame = this.frame(mapping, fileOffset, elfAddress, lines);
    this.#lineCount += frame.lines.length - (this.#frames.get(fileOffset)?.lines.length ?? 0);
    this.#frames.set(fileOffset, frame);
  }

  /** As {@link add}, without keeping it: for what may be named better the next time. */
  frame(mapping: Mapping, fileOffset: number, elfAddress: bigint, lines: readonly FrameLine[]): Frame {
    return {
      lines: lines.map((line) => this.#withSharedStrings(line)),
      address: elfAddress,
      mapping: this.#mapping(mapping, elfAddress - BigInt(fileOffset)),
      type: 'native',
    };
  }

  clear(): void {
    this.#frames.clear();
    this.#mappings.clear();
    this.#strings.clear();
    this.#lineCount = 0;
  }

  /** Each answer of the worker brings its strings anew; a binary's functions and files are few. */
  #withSharedStrings(line: FrameLine): FrameLine {
    return {
      ...line,
      name: this.#shared(line.name),
      systemName: this.#shared(line.systemName),
      file: this.#shared(line.file),
    };
  }

  #shared(string: string): string {
    const known = this.#strings.get(string);
    if (known !== undefined) return known;
    this.#strings.set(string, string);
    return string;
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

/** Addresses and functions at them, about 80 bytes each, so 16 MB; 200 busy processes show some 30 000. */
const MAX_CACHED_WEIGHT = 200_000;

/** All binaries whose contents are known, the least recently used forgotten first. */
export class BinaryNamesCache {
  readonly #maxWeight: number;
  readonly #byBuildId = new Map<string, BinaryNames>();
  /** Those without a build id cannot be shared: a file of the same path and inode may be another one by now. */
  #unshared: WeakRef<BinaryNames>[] = [];

  /** @param maxWeight addresses plus functions at them that are kept */
  constructor(maxWeight: number = MAX_CACHED_WEIGHT) {
    this.#maxWeight = maxWeight;
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
    let weight = all.reduce((sum, names) => sum + names.weight, 0);
    if (weight <= this.#maxWeight) return 0;
    all.sort((a, b) => a.lastUsedInBatch - b.lastUsedInBatch);
    let forgotten = 0;
    for (const names of all) {
      if (weight <= this.#maxWeight) break;
      weight -= names.weight;
      // Processes may still refer to it: it starts again from nothing.
      names.clear();
      if (names.buildId !== '') this.#byBuildId.delete(`${names.buildId} ${names.path}`);
      forgotten++;
    }
    return forgotten;
  }

  /** Forgets what was learnt of these builds, because more can be learnt now. */
  forgetBuilds(buildIds: readonly string[]): void {
    if (buildIds.length === 0) return;
    const wanted = new Set(buildIds);
    for (const names of this.#byBuildId.values()) if (wanted.has(names.buildId)) names.clear();
  }

  #all(): BinaryNames[] {
    const unshared = this.#unshared.flatMap((reference) => reference.deref() ?? []);
    return [...this.#byBuildId.values(), ...unshared];
  }
}
