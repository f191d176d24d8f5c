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

/** One function at an address. */
export interface FrameLine {
  /** What people read; never empty. */
  readonly name: string;
  /** The name in the symbol table, or `name` where there is none. */
  readonly systemName: string;
  /** '' when it is not known. */
  readonly file: string;
  /** 0 when it is not known. Where the function was inlined into the next one, that one's line is the call's. */
  readonly line: number;
  readonly column: number;
  /** The line at which the function is declared, 0 when it is not known. */
  readonly startLine: number;
}

export interface Frame {
  /** Inlined functions first, the function that was called last. None where the server is to name the address. */
  readonly lines: readonly FrameLine[];
  /** Virtual address in the ELF file; the address itself for kernel frames and memory without a file. */
  readonly address: bigint;
  readonly mapping: FrameMapping;
  /** profile.frame.type */
  readonly type: 'kernel' | 'native';
}

/** A function of which nothing but the name is known. */
export function nameLine(name: string, systemName: string = name): FrameLine {
  return { name, systemName, file: '', line: 0, column: 0, startLine: 0 };
}

/** A mapping without known bounds. */
export function unboundedMapping(filename: string): FrameMapping {
  return { start: 0n, limit: 0n, fileOffset: 0n, filename, buildId: '' };
}

const UNKNOWN_MAPPING = unboundedMapping('[unknown]');
const UNKNOWN_LINES = [nameLine('[unknown]')];

/** An address of user space that no mapping holds. The address is kept; the name is one for all, as it tells nothing. */
export function unknownFrame(address: number): Frame {
  return { lines: UNKNOWN_LINES, address: BigInt(address), mapping: UNKNOWN_MAPPING, type: 'native' };
}

/**
 * An address in executable memory without a file: code that was compiled at run time. Where its compiler told nobody
 * the name, it is one for all: with the address in it there would be as many useless names as samples.
 *
 * @param region what the kernel calls the memory (`[heap]`, `[anon:v8]`), or ''
 * @param lines what a perf map or jitdump says, none when it says nothing
 */
export function anonymousFrame(address: number, region: string, lines: readonly FrameLine[] = []): Frame {
  const name = region === '' ? '[anon]' : region;
  return {
    lines: lines.length > 0 ? lines : [nameLine(name)],
    address: BigInt(address),
    mapping: unboundedMapping(name),
    type: 'native',
  };
}
