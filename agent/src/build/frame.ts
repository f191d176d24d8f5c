// SPDX-License-Identifier: Apache-2.0
//
// A named place in a program. Frames are made once and shared by all stacks, profiles and batches that contain them, so
// their identity can serve as a key.

/**
 * The mapping that a frame's address lies in, in the coordinates of the ELF file and not of a process: the same for
 * every process that runs the file, and what `go tool pprof` and llvm-symbolizer want.
 */
export interface FrameMapping {
  readonly start: bigint;
  readonly limit: bigint;
  readonly fileOffset: bigint;
  readonly filename: string;
  readonly buildId: string;
}

export interface Frame {
  /** What people read; never empty. */
  readonly name: string;
  /** The name in the symbol table, or `name` where there is none. */
  readonly systemName: string;
  /** Virtual address in the ELF file; the address itself for kernel frames and memory without a file. */
  readonly address: bigint;
  readonly mapping: FrameMapping;
  /** profile.frame.type */
  readonly type: 'kernel' | 'native';
}

/** A mapping without known bounds. */
export function unboundedMapping(filename: string): FrameMapping {
  return { start: 0n, limit: 0n, fileOffset: 0n, filename, buildId: '' };
}

const UNKNOWN_MAPPING = unboundedMapping('[unknown]');

/** An address of user space that no mapping holds. The address is kept; the name is one for all, as it tells nothing. */
export function unknownFrame(address: number): Frame {
  return {
    name: '[unknown]',
    systemName: '[unknown]',
    address: BigInt(address),
    mapping: UNKNOWN_MAPPING,
    type: 'native',
  };
}

/**
 * An address in executable memory without a file: code that was compiled at run time. The name is one for all: with the
 * address in it there would be as many useless names as samples.
 *
 * @param region what the kernel calls the memory (`[heap]`, `[anon:v8]`), or ''
 */
export function anonymousFrame(address: number, region: string): Frame {
  const name = region === '' ? '[anon]' : region;
  return {
    name,
    systemName: name,
    address: BigInt(address),
    mapping: unboundedMapping(name),
    type: 'native',
  };
}
