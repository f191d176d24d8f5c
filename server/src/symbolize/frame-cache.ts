// SPDX-License-Identifier: Apache-2.0
//
// What is known of addresses, by tenant, build id and address, the least recently used forgotten first. A build id whose
// files have changed starts anew at once: its entries carry a number that nobody asks for any more, and age away.

import type { AddressKind, SymbolFailure, SymbolFrames } from './symbol-protocol.ts';

/** One function at an address. */
export interface NamedFrame {
  /** What people read; never empty. */
  readonly name: string;
  readonly systemName: string;
  /** '' when unknown. */
  readonly file: string;
  /** 0 when unknown, as the others. */
  readonly line: number;
  readonly column: number;
  readonly startLine: number;
}

/** The frames at one address, innermost first; none when it is known to have no name. */
export type AddressFrames = readonly NamedFrame[];

export interface FrameCacheOptions {
  /** Estimated bytes of what is kept. */
  readonly maxBytes: number;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
  readonly onEviction: () => void;
}

/** The entry of an address beside its frames, and of a frame beside its own strings. */
const ADDRESS_BYTES = 160;
const FRAME_BYTES = 80;

/** How long it is remembered that there are no names. An upload ends it at once, whatever the reason was. */
const FAILURE_LIFETIME_MILLIS: Record<SymbolFailure, number> = {
  no_debug_info: 60_000,
  needs_executable: 600_000,
  unreadable: 600_000,
  quarantined: 600_000,
  timeout: 60_000,
  worker_lost: 5000,
  worker_unavailable: 5000,
  overloaded: 1000,
  stopped: 1000,
};

interface Binary {
  readonly number: number;
  readonly failures: Map<AddressKind, { readonly failure: SymbolFailure; readonly untilMillis: number }>;
}

interface Entry {
  readonly frames: AddressFrames;
  readonly bytes: number;
}

export class FrameCache {
  readonly #options: FrameCacheOptions;
  readonly #binaries = new Map<string, Binary>();
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  #nextNumber = 1;
  #bytes = 0;

  constructor(options: FrameCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The addresses of one binary as they are known now. What is learned later about an older state of the binary is kept
   * where nobody finds it. */
  binary(tenant: string, buildId: string, kind: AddressKind): BinaryFrames {
    const { number, failures } = this.#binary(tenant, buildId);
    const keyOf = (address: bigint) => `${number} ${kind} ${address.toString(36)}`;
    return {
      failure: () => {
        const known = failures.get(kind);
        return known !== undefined && this.#options.now() < known.untilMillis ? known.failure : '';
      },
      fail: (failure) => {
        const untilMillis = this.#options.now() + FAILURE_LIFETIME_MILLIS[failure];
        failures.set(kind, { failure, untilMillis });
      },
      get: (address) => this.#get(keyOf(address)),
      learn: (addresses, frames) => {
        const all = framesByAddress(frames);
        for (const [i, own] of all.entries()) this.#set(keyOf(addresses[i]!), own);
        return all;
      },
    };
  }

  /** The files of a build id have changed: nothing is known of it any more. */
  forget(tenant: string, buildId: string): void {
    this.#binaries.delete(binaryKey(tenant, buildId));
  }

  #binary(tenant: string, buildId: string): Binary {
    const key = binaryKey(tenant, buildId);
    let binary = this.#binaries.get(key);
    if (binary === undefined) {
      binary = { number: this.#nextNumber++, failures: new Map() };
      this.#trimBinaries();
    } else {
      this.#binaries.delete(key);
    }
    this.#binaries.set(key, binary);
    return binary;
  }

  /** Clients make build ids up as they like. */
  #trimBinaries(): void {
    for (const key of this.#binaries.keys()) {
      if (this.#binaries.size < MAX_BINARIES) return;
      this.#binaries.delete(key);
      this.#options.onEviction();
    }
  }

  #get(key: string): AddressFrames | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.frames;
  }

  #set(key: string, frames: AddressFrames): void {
    const bytes = frames.reduce((sum, frame) => sum + bytesOf(frame), ADDRESS_BYTES);
    const old = this.#entries.get(key);
    if (old !== undefined) {
      this.#entries.delete(key);
      this.#bytes -= old.bytes;
    }
    this.#entries.set(key, { frames, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#options.maxBytes) return;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
      this.#options.onEviction();
    }
  }
}

/** A window into the cache: the addresses of one kind of one binary. */
export interface BinaryFrames {
  /** Why the binary has no names, '' when nothing is known against it. */
  failure(): SymbolFailure | '';
  fail(failure: SymbolFailure): void;
  /** Undefined when the address was not asked for yet. */
  get(address: bigint): AddressFrames | undefined;
  /** Keeps an answer. @returns the frames of each address */
  learn(addresses: BigUint64Array, frames: SymbolFrames): AddressFrames[];
}

/** Build ids of which it is remembered whether they have names. */
const MAX_BINARIES = 16_384;

function binaryKey(tenant: string, buildId: string): string {
  return `${buildId} ${tenant}`;
}

function bytesOf({ name, systemName, file }: NamedFrame): number {
  return FRAME_BYTES + name.length + (systemName === name ? 0 : systemName.length) + file.length;
}

function framesByAddress(answer: SymbolFrames): AddressFrames[] {
  const { frameStart, names, systemNames, files, lines, columns, startLines } = answer;
  return Array.from({ length: frameStart.length - 1 }, (_, i) => {
    const frames: NamedFrame[] = [];
    for (let at = frameStart[i]!; at < frameStart[i + 1]!; at++) {
      frames.push({
        name: names[at]!,
        systemName: systemNames[at]!,
        file: files[at]!,
        line: lines[at]!,
        column: columns[at]!,
        startLine: startLines[at]!,
      });
    }
    return frames;
  });
}
