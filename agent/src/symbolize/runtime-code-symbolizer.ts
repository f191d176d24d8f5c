// SPDX-License-Identifier: Apache-2.0
//
// Names of code that was compiled at run time, from the files in which JIT compilers list it:
//
//   /tmp/perf-PID.map   in the root of the process, PID as in the innermost PID namespace
//   jit-PID.dump        wherever the process has it mapped as executable: the mapping is how compilers point to it
//
// The files belong to the process that is profiled, so they are hostile: regular files of root or of the process's user
// only, no link on the way, read in pieces within limits. They grow, so each request reads on where the last one ended;
// a file that was replaced or written anew is read from its beginning. Does its I/O synchronously, in the worker.

import { closeSync, openSync, readFileSync } from 'node:fs';
import { CodeRanges, lineAt } from '@hearthscope/profile/symbols/jit/code-ranges';
import { JitdumpReader } from '@hearthscope/profile/symbols/jit/jitdump';
import { PerfMapReader } from '@hearthscope/profile/symbols/jit/perf-map';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';
import { type FileIdentity, OpenedFile, openMappedFile, openOwnedFile, readAt } from './mapped-file.ts';
import { processRoot } from './root-path.ts';
import type { SymbolCounters } from './symbol-counters.ts';
import type { BinaryRef, NamedFrames, RuntimeCodeAnswer, RuntimeCodeRef } from './symbol-request.ts';

/** Limits of the files and of what is kept of them. */
const limits = {
  /** Larger files are not read. */
  maxFileBytes: 2n * 1024n * 1024n * 1024n,
  /** Bytes read of one file for one request; the rest follows with the next. */
  maxBytesPerRequest: 16 * 1024 * 1024,
  maxProcesses: 256,
  /** Of all processes together; the least recently used are forgotten. */
  maxBytes: 24 * 1024 * 1024,
  /** Bytes of /proc/PID/maps that are searched for a jitdump. */
  maxMapsBytes: 8 * 1024 * 1024,
  maxJitdumps: 4,
  /** Between two searches for a jitdump in a process. */
  searchIntervalMillis: 30_000,
} as const;

const nanosPerTick = 10_000_000n;
/** Before it reads on, the end of what was read is compared with what it was: a file may be written anew in place. */
const tailBytes = 64;
const procWindowBytes = 64 * 1024;

export interface RuntimeCodeOptions {
  readonly counters: SymbolCounters;
  /** Called before a file is read, so that a crash can be blamed on it. */
  readonly onReading?: (what: string) => void;
  /** What is not read, as told to `onReading`. */
  readonly quarantined?: ReadonlySet<string>;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

export class RuntimeCodeSymbolizer {
  readonly #options: RuntimeCodeOptions;
  readonly #now: () => number;
  /** By pid and start time, the least recently used first. */
  readonly #processes = new Map<string, ProcessCode>();

  constructor(options: RuntimeCodeOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** What is kept of all processes. */
  get bytes(): number {
    let bytes = 0;
    for (const code of this.#processes.values()) bytes += code.bytes;
    return bytes;
  }

  /** Answers in the order of `refs`. Never throws. */
  symbolize(refs: readonly RuntimeCodeRef[]): RuntimeCodeAnswer[] {
    return refs.map((ref) => {
      const key = `${ref.pid} ${ref.startTimeNanos}`;
      const code = this.#processes.get(key) ?? new ProcessCode(this.#options);
      this.#processes.delete(key);
      this.#processes.set(key, code);
      const what = `runtime code of ${key}`;
      if (this.#options.quarantined?.has(what) !== true) {
        this.#options.onReading?.(what);
        code.update(ref, this.#now());
      }
      const frames = code.lookUp(ref.addresses);
      this.#trim();
      this.#options.counters.add('addresses', 'runtime_named', frames.names.length);
      this.#options.counters.add('addresses', 'runtime_unnamed', ref.addresses.length - frames.names.length);
      return { frames, failure: code.hasFiles ? '' : 'no_code_list' };
    });
  }

  #trim(): void {
    let { bytes } = this;
    for (const [key, code] of this.#processes) {
      if (this.#processes.size <= limits.maxProcesses && bytes <= limits.maxBytes) return;
      bytes -= code.bytes;
      this.#processes.delete(key);
      this.#options.counters.add('cache_evictions', 'runtime_code');
    }
  }
}

/** One list of code, with where its reading stands. */
interface CodeList {
  readonly kind: 'perf_map' | 'jitdump';
  ranges: CodeRanges;
  reader: PerfMapReader | JitdumpReader;
  identity: FileIdentity;
  /** The last bytes that were read, which must still be there when reading goes on. */
  tail: Uint8Array;
}

/** What is known of the code of one process. */
class ProcessCode {
  readonly #counters: SymbolCounters;
  readonly #lists = new Map<string, CodeList>();
  #jitdumps: BinaryRef[] = [];
  #searchedAt = Number.NEGATIVE_INFINITY;

  constructor({ counters }: RuntimeCodeOptions) {
    this.#counters = counters;
  }

  get hasFiles(): boolean {
    return this.#lists.size > 0;
  }

  get bytes(): number {
    let bytes = 1024;
    for (const { ranges } of this.#lists.values()) bytes += ranges.byteSize;
    return bytes;
  }

  /** Reads what is new in the files of the process, if it still lives. */
  update({ pid, startTimeNanos }: RuntimeCodeRef, now: number): void {
    try {
      const owner = ownerOf(pid, startTimeNanos);
      const isWanted = ({ ownerUid, size }: FileIdentity): string =>
        !owner.uids.includes(ownerUid) ? 'foreign_owner' : size > limits.maxFileBytes ? 'too_large' : '';
      this.#read('perf_map', `perf-${owner.namespacePid}`, () =>
        openOwnedFile(processRoot(pid), `/tmp/perf-${owner.namespacePid}.map`, isWanted),
      );
      if (now - this.#searchedAt >= limits.searchIntervalMillis) {
        this.#searchedAt = now;
        this.#jitdumps = this.#findJitdumps(pid);
      }
      for (const ref of this.#jitdumps) {
        this.#read('jitdump', ref.path, () => {
          const file = openMappedFile(ref);
          const refusal = file instanceof OpenedFile ? isWanted(file.identity) : '';
          if (!(file instanceof OpenedFile) || refusal === '') return file;
          file[Symbol.dispose]();
          return refusal;
        });
      }
    } catch (error) {
      // The process has ended, or its pid belongs to another one: what was read before still holds.
      this.#counters.add(
        'runtime_code',
        error instanceof ProcessGoneError ? 'process_gone' : 'process_unreadable',
      );
    }
  }

  /** Jitdumps have lines, so they are asked first. */
  lookUp(addresses: BigUint64Array): NamedFrames {
    const lists = [...this.#lists.values()].sort((a, b) => (a.kind < b.kind ? -1 : 1));
    const frameStart = new Uint32Array(addresses.length + 1);
    const names: string[] = [];
    const files: string[] = [];
    const lines: number[] = [];
    for (let i = 0; i < addresses.length; i++) {
      const address = Number(addresses[i]!);
      for (const { ranges } of lists) {
        const found = ranges.find(address);
        if (found === undefined) continue;
        const { file, line } = lineAt(found.code.lines, address - found.start);
        names.push(found.code.name);
        files.push(file);
        lines.push(line);
        break;
      }
      frameStart[i + 1] = names.length;
    }
    const none = new Uint32Array(names.length);
    return {
      frameStart,
      names,
      systemNames: names,
      files,
      lines: Uint32Array.from(lines),
      columns: none,
      startLines: none,
    };
  }

  #read(kind: CodeList['kind'], key: string, open: () => OpenedFile | string): void {
    const file = open();
    if (!(file instanceof OpenedFile)) {
      this.#counters.add('runtime_code', `${kind}_${file === 'gone' ? 'absent' : file}`);
      return;
    }
    using _ = file;
    let list = this.#lists.get(key);
    try {
      if (list === undefined || !isContinued(list, file)) {
        if (list !== undefined) this.#counters.add('runtime_code', `${kind}_written_anew`);
        list = this.#newList(kind, file.identity);
        this.#lists.set(key, list);
      }
      const { reader } = list;
      const from = reader.offset;
      reader.readMore(file, limits.maxBytesPerRequest);
      list.identity = file.identity;
      if (reader.offset === from) return;
      const tailFrom = Math.max(0, reader.offset - tailBytes);
      list.tail = file.read(tailFrom, reader.offset - tailFrom).slice();
      this.#counters.add('runtime_code', `${kind}_read`);
    } catch {
      this.#counters.add('runtime_code', `${kind}_io_error`);
    }
  }

  #newList(kind: CodeList['kind'], identity: FileIdentity): CodeList {
    const ranges = new CodeRanges();
    const onProblem = (problem: string): void => this.#counters.add('runtime_code', `${kind}_${problem}`);
    const Reader = kind === 'perf_map' ? PerfMapReader : JitdumpReader;
    return { kind, ranges, reader: new Reader(ranges, onProblem), identity, tail: new Uint8Array(0) };
  }

  /** Executable mappings of files that are named like a jitdump. */
  #findJitdumps(pid: number): BinaryRef[] {
    const maps = readBounded(`/proc/${pid}/maps`, limits.maxMapsBytes);
    const found = [...maps.matchAll(jitdumpMapping)].slice(0, limits.maxJitdumps);
    return found.map(([, start, limit, device, inode, path]) => ({
      pid,
      start: BigInt(`0x${start}`),
      limit: BigInt(`0x${limit}`),
      device: device!,
      inode: BigInt(inode!),
      path: path!,
      fileOffsets: new BigUint64Array(0),
    }));
  }
}

const jitdumpMapping = /^([0-9a-f]+)-([0-9a-f]+) ..x. [0-9a-f]+ (\S+) (\d+) +(\/.*\/jit-\d+\.dump)$/gm;

class ProcessGoneError extends Error {}

/** Whose files may describe the process, and its pid as itself knows it. Throws ProcessGoneError. */
function ownerOf(pid: number, startTimeNanos: bigint): { uids: readonly bigint[]; namespacePid: number } {
  let stat: string;
  let status: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    throw new ProcessGoneError();
  }
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  if (BigInt(startTicks ?? 0) !== startTimeNanos / nanosPerTick) throw new ProcessGoneError();
  const uids = /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/).map(BigInt) ?? [];
  const namespacePid = Number(/^NSpid:\s+(?:\d+\s+)*(\d+)$/m.exec(status)?.[1] ?? pid);
  return { uids: [0n, ...uids], namespacePid };
}

/** True when the file is the one that was read, and has only grown. */
function isContinued({ identity, reader, tail }: CodeList, file: OpenedFile & RandomAccess): boolean {
  const isSameFile = identity.device === file.identity.device && identity.inode === file.identity.inode;
  if (!isSameFile || file.byteLength < reader.offset) return false;
  const there = file.read(reader.offset - tail.byteLength, tail.byteLength);
  return Buffer.compare(there, tail) === 0;
}

/** The beginning of a file of /proc, which has no size. */
function readBounded(path: string, maxBytes: number): string {
  const descriptor = openSync(path, 'r');
  try {
    const chunks: Uint8Array[] = [];
    for (let total = 0; total < maxBytes; total += chunks.at(-1)!.byteLength) {
      const chunk = readAt(descriptor, total, Math.min(procWindowBytes, maxBytes - total));
      if (chunk.byteLength === 0) break;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}
