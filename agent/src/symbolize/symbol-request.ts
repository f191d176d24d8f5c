// SPDX-License-Identifier: Apache-2.0
//
// What is asked of the symbolizer and what it answers, as it travels between the agent's main thread and the worker.

/** One mapped file as it was seen in a process when its samples were taken. */
export interface BinaryRef {
  /** A process that had the file mapped; it may have ended since. */
  pid: number;
  /** The mapping in that process. */
  start: bigint;
  limit: bigint;
  /** From /proc/PID/maps: `major:minor` in hexadecimal, such as `fd:00`. */
  device: string;
  inode: bigint;
  /** From /proc/PID/maps; may end with ` (deleted)`, may be `[vdso]`, `//anon` or `/memfd:x (deleted)`. */
  path: string;
  /** Address - start + the mapping's file offset. */
  fileOffsets: BigUint64Array;
  /** Other processes that see the same files (a parent, the container's first process): asked when `pid` has ended. */
  siblingPids?: readonly number[];
  /** When the mapping was seen, in ms since 1970: a file that is younger is another file that got its inode number. */
  seenAtUnixMillis?: number;
}

export interface SymbolRequest {
  binaries: readonly BinaryRef[];
  kernelAddresses: BigUint64Array;
}

/** The answer for one `BinaryRef`. */
export interface BinarySymbols {
  /** Lower-case hex, '' when the file has none or could not be read. */
  buildId: string;
  /** By file offset, as the file has them (mangled); '' where no symbol covers the address. */
  names: string[];
  /** Virtual addresses in the ELF file; the file offset itself where they are unknown. */
  elfAddresses: BigUint64Array;
  /** '' or why there are no names: one of the reasons of `hearthscope_agent_symbol_failures_total`. */
  failure: string;
}

export interface SymbolResponse {
  binaries: BinarySymbols[];
  /** `modules` has '' for the kernel itself, 'bpf' for BPF programs, else the module's name. */
  kernel: { names: string[]; modules: string[] };
}

/** Numbers the worker counted since its last report, by metric and reason. */
export type SymbolCounts = Record<SymbolCounterName, Record<string, number>>;

export const symbolCounterNames = [
  'failures',
  'addresses',
  'opened_files',
  'debug_files',
  'dropped_symbols',
  'cache_evictions',
  'kernel_reads',
] as const;
export type SymbolCounterName = (typeof symbolCounterNames)[number];

/** State of the worker's cache after a request. */
export interface CacheState {
  bytes: number;
  tables: number;
  kernelBytes: number;
}

/** From the main thread. `quarantined` are binaries during whose reading an earlier worker was lost. */
export interface WorkerOptions {
  maxCacheBytes: number;
  quarantined: readonly string[];
}

export interface WorkerRequest {
  id: number;
  request: SymbolRequest;
}

/** To the main thread: `reading` before a file is parsed, `answer` once per request. */
export type WorkerMessage =
  | { kind: 'ready' }
  | { kind: 'reading'; binary: string }
  | {
      kind: 'answer';
      id: number;
      response: SymbolResponse;
      counts: Partial<SymbolCounts>;
      cache: CacheState;
    };

/** What is known about a binary that could not be read. */
export function failedBinary(ref: BinaryRef, failure: string): BinarySymbols {
  return {
    buildId: '',
    names: new Array<string>(ref.fileOffsets.length).fill(''),
    elfAddresses: ref.fileOffsets,
    failure,
  };
}

/** Identifies a mapped file, for the quarantine and within one request. */
export function binaryKey(ref: BinaryRef): string {
  return `${ref.device} ${ref.inode} ${ref.path}`;
}
