// SPDX-License-Identifier: Apache-2.0
//
// What the three threads that take part in naming say to each other:
//
//   ingest worker ──SymbolQuestion──▶ main thread ──WorkerRequest──▶ symbol worker
//    (runs queries) ◀─SymbolMessage──  (knows which  ◀─WorkerMessage── (opens and parses files)
//                                       files there are)

import type { ErrorCode } from '@hearthscope/profile/errors';
import type { DemangleMode } from '@hearthscope/profile/symbols/demangle/demangle';

/** What addresses are: virtual addresses of the ELF file, or offsets in it. */
export type AddressKind = 'virtual' | 'file_offset';

/** Chains of functions in columns: address i has the frames `frameStart[i] .. frameStart[i + 1]`, the innermost (inlined)
 * first, and none when it has no name. */
export interface SymbolFrames {
  readonly frameStart: Uint32Array;
  /** What people read. */
  readonly names: readonly string[];
  /** As the file has them, possibly mangled. */
  readonly systemNames: readonly string[];
  /** '' when unknown. */
  readonly files: readonly string[];
  /** 0 when unknown. */
  readonly lines: Uint32Array;
  readonly columns: Uint32Array;
  readonly startLines: Uint32Array;
}

/** Why the addresses of a binary have no names; labels of `hearthscope_symbolize_failures_total`. */
export type SymbolFailure =
  /** Neither uploaded nor in a debug directory. */
  | 'no_debug_info'
  /** Offsets were asked for, and there is only a debug file, which does not say where they are loaded. */
  | 'needs_executable'
  /** The file is damaged, or cannot be read. */
  | 'unreadable'
  /** A worker was lost over it before. */
  | 'quarantined'
  | 'timeout'
  | 'worker_lost'
  | 'worker_unavailable'
  | 'overloaded'
  | 'stopped';

export type SymbolAnswer =
  | {
      readonly frames: SymbolFrames;
      readonly failure: '';
      /** What was damaged or left out on the way, by reason. */
      readonly problems: Readonly<Record<string, number>>;
    }
  | { readonly frames: undefined; readonly failure: SymbolFailure };

export interface SymbolQuestion {
  readonly id: number;
  readonly tenant: string;
  readonly buildId: string;
  readonly kind: AddressKind;
  readonly addresses: BigUint64Array;
}

export type SymbolMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: SymbolAnswer }
  /** There is something new to read for a build id, or something less. */
  | { readonly kind: 'changed'; readonly tenant: string; readonly buildId: string };

/** Which half of a binary a file is: what is run, or what a debugger reads beside it. */
export type DebugFileKind = 'executable' | 'debug';

/** Paths of the uploaded files of one build id of one tenant. */
export interface DebugFiles {
  readonly executable?: string;
  readonly debug?: string;
  /** Tells one state of these files from another; '' when there are none. */
  readonly version: string;
}

/** What an uploaded file turned out to be. */
export interface Inspection {
  /** Lower-case hex, '' when the file has none. */
  readonly buildId: string;
  readonly kind: DebugFileKind;
  readonly machine: number;
  readonly hasSymbolTable: boolean;
  readonly hasDebugInfo: boolean;
}

/** Plain data for the worker's start. */
export interface SymbolWorkerConfig {
  /** Folders with a `.build-id` folder in them, such as /usr/lib/debug. */
  readonly debugDirectories: readonly string[];
  readonly demangle: DemangleMode;
  /** Of the symbols of all binaries that are kept open. */
  readonly maxTableBytes: number;
}

export type WorkerCall =
  | { readonly kind: 'inspect'; readonly path: string }
  | {
      readonly kind: 'look_up';
      readonly buildId: string;
      readonly files: DebugFiles;
      readonly addressKind: AddressKind;
      readonly addresses: BigUint64Array;
    };

export type WorkerRequest =
  | { readonly id: number; readonly call: WorkerCall }
  /** Files of this version are gone, and must not be held open. */
  | { readonly forget: string };

export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: SymbolAnswer | Inspection }
  | {
      readonly kind: 'refused';
      readonly id: number;
      readonly error: { readonly code: ErrorCode; readonly message: string };
    };
