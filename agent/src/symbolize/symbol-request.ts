// SPDX-License-Identifier: Apache-2.0
//
// What is asked of the symbolizer and what it answers, as it travels between the agent's main thread and the worker.

import type { DemangleMode } from '@hearthscope/profile/symbols/demangle/demangle';

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

/** Addresses in memory of one process that no file is behind: code compiled at run time. */
export interface RuntimeCodeRef {
  pid: number;
  /** CLOCK_BOOTTIME of the process's start, so that a process id used again is noticed. */
  startTimeNanos: bigint;
  addresses: BigUint64Array;
}

export interface SymbolRequest {
  binaries: readonly BinaryRef[];
  kernelAddresses: BigUint64Array;
  runtimeCode?: readonly RuntimeCodeRef[];
}

/** Names of addresses, in columns: address i has the frames `frameStart[i] .. frameStart[i + 1]`, innermost first. */
export interface NamedFrames {
  frameStart: Uint32Array;
  /** What people read. */
  names: string[];
  /** As the file has them (mangled). */
  systemNames: string[];
  /** '' unknown. */
  files: string[];
  /** 0 unknown. */
  lines: Uint32Array;
  columns: Uint32Array;
  /** Line of the function's declaration, 0 unknown. */
  startLines: Uint32Array;
}

/** The answer for one `BinaryRef`. */
export interface BinaryAnswer {
  /** Lower-case hex, '' when the file has none or could not be read. */
  buildId: string;
  /** By file offset; no frame where nothing covers the address. */
  frames: NamedFrames;
  /** Virtual addresses in the ELF file; the file offset itself where they are unknown. */
  elfAddresses: BigUint64Array;
  /** '' or why there are no names: one of the reasons of `hearthscope_agent_symbol_failures_total`. */
  failure: string;
  /** True when neither the binary nor a file beside it has debug information, and its build id can be asked for. */
  lacksDebugInfo: boolean;
}

/** The answer for one `RuntimeCodeRef`. */
export interface RuntimeCodeAnswer {
  frames: NamedFrames;
  /** '' or why there are no names: one of the reasons of `hearthscope_agent_symbol_runtime_code_total`. */
  failure: string;
}

export interface SymbolResponse {
  binaries: BinaryAnswer[];
  /** `modules` has '' for the kernel itself, 'bpf' for BPF programs, else the module's name. */
  kernel: { names: string[]; modules: string[] };
  runtimeCode: RuntimeCodeAnswer[];
  /** Build ids whose names have become better since they were asked for: what was kept of them should be asked again. */
  improvedBuildIds: readonly string[];
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
  'runtime_code',
] as const;
export type SymbolCounterName = (typeof symbolCounterNames)[number];

/** State of the worker's cache after a request. */
export interface CacheState {
  bytes: number;
  tables: number;
  /** Part of `bytes`: what is kept of DWARF and pclntab. */
  debugInfoBytes: number;
  kernelBytes: number;
  runtimeCodeBytes: number;
}

/** How names are made; the same for the life of a symbolizer. */
export interface NamingOptions {
  /** Where user-space names of binaries are made. `server`: only build ids and addresses are found out here. */
  symbolize: 'host' | 'server';
  demangle: DemangleMode;
  /** Inlined functions, files and lines besides the names of functions. */
  lines: boolean;
  /** Directory of debug files that were fetched, named `<build id>.debug`; absent: none are used. */
  fetchedDirectory?: string;
}

/** From the main thread. `quarantined` are binaries during whose reading an earlier worker was lost. */
export interface WorkerOptions extends NamingOptions {
  maxCacheBytes: number;
  quarantined: readonly string[];
}

/** The kinds of work that the worker does: what is asked and what is answered. */
export interface WorkerTasks {
  symbols: { request: SymbolRequest; response: Omit<SymbolResponse, 'improvedBuildIds'> };
  /** Forgets what was read of these binaries, since their debug files have arrived. */
  forget: { request: readonly string[]; response: null };
}
export type WorkerTask = keyof WorkerTasks;

export type WorkerRequest = {
  [Task in WorkerTask]: { task: Task; id: number; request: WorkerTasks[Task]['request'] };
}[WorkerTask];

/** To the main thread: `reading` before a file is parsed, `answer` once per request. */
export type WorkerMessage =
  | { kind: 'ready' }
  | { kind: 'reading'; binary: string }
  | {
      kind: 'answer';
      id: number;
      response: WorkerTasks[WorkerTask]['response'];
      counts: Partial<SymbolCounts>;
      cache: CacheState;
    };

/** No frames for `addressCount` addresses. */
export function noFrames(addressCount: number): NamedFrames {
  return {
    frameStart: new Uint32Array(addressCount + 1),
    names: [],
    systemNames: [],
    files: [],
    lines: new Uint32Array(0),
    columns: new Uint32Array(0),
    startLines: new Uint32Array(0),
  };
}

/** What is known about a binary that could not be read. */
export function failedBinary(ref: BinaryRef, failure: string): BinaryAnswer {
  return {
    buildId: '',
    frames: noFrames(ref.fileOffsets.length),
    elfAddresses: ref.fileOffsets,
    failure,
    lacksDebugInfo: false,
  };
}

/** Identifies a mapped file, for the quarantine and within one request. */
export function binaryKey(ref: BinaryRef): string {
  return `${ref.device} ${ref.inode} ${ref.path}`;
}
