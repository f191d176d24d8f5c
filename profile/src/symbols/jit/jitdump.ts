// SPDX-License-Identifier: Apache-2.0
//
// jit-PID.dump: the format of Linux's perf for code compiled at run time, written by node --perf-prof, OpenJDK's
// libperf-jvmti.so, LLVM's PerfJITEventListener and others. It grows while the program runs, so it is read from where
// the last reading ended. Little-endian:
//
//   header  │ "DTiJ" │ version 1 │ header size │ machine │ 0 │ pid │ u64 time │ u64 flags │
//   record  │ u32 id │ u32 size of the whole record │ u64 time │ …
//     0 load        u32 pid, u32 tid, u64 vma, u64 address, u64 size, u64 index, name \0, the code itself
//     1 move        u32 pid, u32 tid, u64 vma, u64 old address, u64 new address, u64 size, u64 index
//     2 debug info  u64 address, u64 count, { u64 address, u32 line, u32 discriminator, file name \0 } … : before its load
//     3 close       nothing more comes
//   The file name "\xff" means: as in the entry before.
//
// V8's debug info is not used: its addresses count from an ELF header that only perf adds, its file names are damaged in
// some versions, and the names of its functions end with file and line.

import { type RandomAccess, viewOf } from '../random-access.ts';
import type { Code, CodeLines, CodeRanges } from './code-ranges.ts';
import type { CodeProblem } from './perf-map.ts';

/** Limits of the reader. */
export const jitdumpLimits = {
  /** A larger record is damage: reading ends there. */
  maxRecordBytes: 256 * 1024 * 1024,
  /** Longer names are cut. */
  maxNameBytes: 4096,
  /** Larger debug information of one piece of code is left out and counted. */
  maxDebugInfoBytes: 1024 * 1024,
  /** Files of one piece of code. */
  maxFiles: 4096,
} as const;

const magic = 0x4a695444;
const headerBytes = 40;
const recordHeaderBytes = 16;
const recordId = { load: 0, move: 1, debugInfo: 2, close: 3 } as const;
const loadBytes = 40;
const moveBytes = 48;
const windowBytes = 256 * 1024;
const addressLimit = 2 ** 56;
const sameFile = 0xff;
const v8Names = /^(JS|Script|Eval|Function|LazyCompile|Builtin|BytecodeHandler|RegExp|Wasm|Callback|Stub):/;
const decoder = new TextDecoder('utf-8');

/** Reads a jitdump piece by piece into `ranges`. */
export class JitdumpReader {
  readonly #ranges: CodeRanges;
  readonly #onProblem: (problem: CodeProblem) => void;
  /** Debug information that waits for the code it belongs to. */
  #lines: { readonly address: number; readonly rows: CodeLines } | undefined;
  #isEnded = false;
  /** Where the next reading begins: after the last whole record. */
  offset = 0;

  constructor(ranges: CodeRanges, onProblem: (problem: CodeProblem) => void) {
    this.#ranges = ranges;
    this.#onProblem = onProblem;
  }

  /** Reads on, up to the end or about `maxBytes` more. A last record that is not whole is left for the next time. */
  readMore(file: RandomAccess, maxBytes: number): void {
    let budget = maxBytes;
    if (this.offset === 0 && !this.#readHeader(file)) return;
    while (!this.#isEnded && budget > 0 && this.offset + recordHeaderBytes <= file.byteLength) {
      const window = file.read(this.offset, Math.min(windowBytes, file.byteLength - this.offset));
      const used = this.#records(file, window);
      if (used === 0) return;
      budget -= Math.min(used, window.byteLength);
      this.offset += used;
    }
  }

  #readHeader(file: RandomAccess): boolean {
    if (file.byteLength < headerBytes) return false;
    const header = viewOf(file.read(0, headerBytes));
    const size = header.byteLength < headerBytes ? 0 : header.getUint32(8, true);
    if (size < headerBytes || header.getUint32(0, true) !== magic || header.getUint32(4, true) !== 1) {
      return this.#end('header_damaged');
    }
    this.offset = size;
    return true;
  }

  /** Takes the whole records at the start of the window; returns how many bytes of the file they were. */
  #records(file: RandomAccess, window: Uint8Array): number {
    const view = viewOf(window);
    let at = 0;
    while (at + recordHeaderBytes <= window.byteLength) {
      const id = view.getUint32(at, true);
      const size = view.getUint32(at + 4, true);
      if (size < recordHeaderBytes || size > jitdumpLimits.maxRecordBytes) {
        this.#end('record_damaged');
        return at;
      }
      if (this.offset + at + size > file.byteLength) return at;
      const wanted = bytesWanted(id, size);
      if (at + wanted > window.byteLength && at > 0) return at;
      const record =
        at + wanted <= window.byteLength
          ? window.subarray(at, at + wanted)
          : file.read(this.offset + at, wanted);
      if (record.byteLength < wanted) return at;
      this.#record(id, size, record);
      at += size;
      if (this.#isEnded) return at;
    }
    return at;
  }

  #record(id: number, size: number, record: Uint8Array): void {
    if (id === recordId.load) this.#load(record);
    else if (id === recordId.move) this.#move(record);
    else if (id === recordId.debugInfo) {
      if (size > record.byteLength) this.#onProblem('debug_info_too_large');
      else this.#lines = this.#debugInfo(record);
    } else if (id === recordId.close) this.#isEnded = true;
  }

  #load(record: Uint8Array): void {
    const lines = this.#lines;
    this.#lines = undefined;
    if (record.byteLength < recordHeaderBytes + loadBytes) {
      this.#onProblem('record_damaged');
      return;
    }
    const view = viewOf(record);
    const start = Number(view.getBigUint64(32, true));
    const size = Number(view.getBigUint64(40, true));
    const nameBytes = record.subarray(recordHeaderBytes + loadBytes);
    const end = nameBytes.indexOf(0);
    const name = decoder.decode(end < 0 ? nameBytes : nameBytes.subarray(0, end));
    const rows = lines?.address === start && !v8Names.test(name) ? lines.rows : undefined;
    this.#add(start, size, { name, ...(rows === undefined ? {} : { lines: rows }) });
  }

  #move(record: Uint8Array): void {
    if (record.byteLength < recordHeaderBytes + moveBytes) {
      this.#onProblem('record_damaged');
      return;
    }
    const view = viewOf(record);
    const from = Number(view.getBigUint64(32, true));
    const to = Number(view.getBigUint64(40, true));
    const size = Number(view.getBigUint64(48, true));
    const moved = this.#ranges.find(from);
    if (moved?.start !== from) return;
    this.#ranges.removeWithin(from, from + 1);
    this.#add(to, size, moved.code);
  }

  #add(start: number, size: number, code: Code): void {
    if (start + size > addressLimit || code.name === '') this.#onProblem('record_damaged');
    else if (size > 0 && !this.#ranges.add(start, start + size, code)) this.#onProblem('too_much_code');
  }

  #debugInfo(record: Uint8Array): { address: number; rows: CodeLines } | undefined {
    const view = viewOf(record);
    const damaged = (): undefined => {
      this.#onProblem('debug_info_damaged');
    };
    if (record.byteLength < recordHeaderBytes + 16) return damaged();
    const address = Number(view.getBigUint64(16, true));
    const count = Number(view.getBigUint64(24, true));
    if (count * 17 > record.byteLength) return damaged();
    const rows: { offset: number; line: number; file: number }[] = [];
    const files = new Map<string, number>();
    let file = 0;
    let at = recordHeaderBytes + 16;
    for (let i = 0; i < count; i++) {
      if (at + 17 > record.byteLength) return damaged();
      const offset = Number(view.getBigUint64(at, true)) - address;
      const line = view.getUint32(at + 8, true);
      const end = record.indexOf(0, at + 16);
      if (end < 0 || offset < 0 || offset > 0xffff_ffff) return damaged();
      const isSameFile = i > 0 && end === at + 17 && record[at + 16] === sameFile;
      if (!isSameFile) {
        const name = decoder.decode(
          record.subarray(at + 16, Math.min(end, at + 16 + jitdumpLimits.maxNameBytes)),
        );
        file = files.get(name) ?? files.size;
        if (file >= jitdumpLimits.maxFiles) return damaged();
        files.set(name, file);
      }
      rows.push({ offset, line, file });
      at = end + 1;
    }
    rows.sort((a, b) => a.offset - b.offset);
    return {
      address,
      rows: {
        offsets: Uint32Array.from(rows, ({ offset }) => offset),
        lines: Uint32Array.from(rows, ({ line }) => line),
        files: [...files.keys()],
        fileOf: Uint16Array.from(rows, (row) => row.file),
      },
    };
  }

  #end(problem: CodeProblem): false {
    this.#onProblem(problem);
    this.#isEnded = true;
    return false;
  }
}

/** The part of a record that is read: the code itself is not, nor what is too large. */
function bytesWanted(id: number, size: number): number {
  if (id === recordId.load) return Math.min(size, recordHeaderBytes + loadBytes + jitdumpLimits.maxNameBytes);
  if (id === recordId.move) return Math.min(size, recordHeaderBytes + moveBytes);
  if (id === recordId.debugInfo && size <= jitdumpLimits.maxDebugInfoBytes) return size;
  return recordHeaderBytes;
}
