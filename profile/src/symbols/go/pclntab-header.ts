// SPDX-License-Identifier: Apache-2.0
//
// The header of Go's pclntab, the table that maps program counters to functions, files, lines and stack depths, and
// that the Go runtime itself needs, so that no stripping removes it. Its layout changed three times:
//
//   magic       Go           functions' addresses   what is new
//   0xfffffffb  1.2 – 1.15   absolute, 8 bytes      everything is relative to the start of the table
//   0xfffffffa  1.16 – 1.17  absolute, 8 bytes      tables of names, units, files and pc values on their own
//   0xfffffff0  1.18 – 1.19  relative, 4 bytes      relative to the text start, which the module data tell
//   0xfffffff1  1.20 –       relative, 4 bytes      each function's first line; since 1.26 no text start in the header
//
//   0      4    6        7         8
//   magic  0 0  quantum  ptrsize   functions, [files, [text start,] offsets of the tables]   8 bytes each

import { elfMachine } from '../elf.ts';
import { viewOf } from '../random-access.ts';
import type { ElfMemory, MappedPart } from './elf-memory.ts';
import type { FileWindows } from './file-windows.ts';

/** The first Go release (1.x) that wrote a layout. */
export type PclntabVersion = 2 | 16 | 18 | 20;

const versionOfMagic: Readonly<Record<number, PclntabVersion>> = {
  4294967291: 2,
  4294967290: 16,
  4294967280: 18,
  4294967281: 20,
};

/** The sections that hold the table; in position-independent files of older linkers it is one of the relocated. */
const sectionNames = ['.gopclntab', '.data.rel.ro.gopclntab'];
/** Any of these says that a file with section headers may be a Go binary. */
const evidenceSections = [...sectionNames, '.go.buildinfo', '.note.go.buildid', '.gosymtab'];
const scanBytes = 1024 * 1024;
/** Enough for the longest header: 8 bytes and 8 words. */
const headerBytes = 72;

/** A header that has been checked against the file. Offsets are offsets in the file. */
export interface PclntabHeader {
  readonly version: PclntabVersion;
  /** Where the table starts: its address in memory and its offset in the file. */
  readonly address: number;
  readonly offset: number;
  /** The end of the section or of the mapped part that holds it. */
  readonly limit: number;
  /** Program counters in tables count this many bytes. */
  readonly quantum: number;
  readonly functionCount: number;
  /** The text start that the header tells (Go 1.18 to 1.25), 0 for none. Not relocated. */
  readonly textStart: number;
  readonly nameTable: number;
  readonly unitTable: number;
  readonly fileTable: number;
  readonly pcTable: number;
  /** The function index, and what its offsets are relative to. */
  readonly functionTable: number;
  readonly functionBase: number;
}

/** Finds and checks the table. Undefined when the file is no Go binary for x86-64 or arm64. */
export function findPclntab(memory: ElfMemory, windows: FileWindows): PclntabHeader | undefined {
  const { elf } = memory;
  if (!elf.is64 || quantumOf(elf.machine) === 0) return undefined;
  if (elf.hasSections) {
    if (!evidenceSections.some((name) => elf.section(name) !== undefined)) return undefined;
    for (const name of sectionNames) {
      const section = elf.section(name);
      if (section === undefined) continue;
      const header = readHeader(memory, windows, section.offset, section.offset + section.size);
      if (header !== undefined) return header;
    }
  }
  // External linkers sort it into .data.rel.ro, and section headers can be stripped: read-only data first.
  const parts = [...memory.parts].sort((a, b) => scanRank(a) - scanRank(b));
  for (const part of parts) {
    const header = scanForHeader(memory, windows, part);
    if (header !== undefined) return header;
  }
  return undefined;
}

function scanRank({ isExecutable, isWritable }: MappedPart): number {
  return (isExecutable ? 2 : 0) + (isWritable ? 1 : 0);
}

/** x86-64 and arm64 instructions start at multiples of this; 0 for other machines. */
function quantumOf(machine: number): number {
  if (machine === elfMachine.x86_64) return 1;
  return machine === elfMachine.arm64 ? 4 : 0;
}

function scanForHeader(
  memory: ElfMemory,
  windows: FileWindows,
  { offset, size }: MappedPart,
): PclntabHeader | undefined {
  const { access, machine } = memory.elf;
  // The four bytes after the magic: 0, 0, quantum, pointer size.
  const second = (quantumOf(machine) << 16) | (8 << 24);
  let scratch: Uint8Array | undefined;
  const start = Math.ceil(offset / 8) * 8;
  for (let at = start; at < offset + size; at += scanBytes) {
    const chunk = access.read(at, Math.min(scanBytes, offset + size - at), scratch);
    scratch = chunk.byteLength === scanBytes ? chunk : scratch;
    const view = viewOf(chunk);
    for (let i = 0; i + 8 <= chunk.byteLength; i += 8) {
      if (chunk[i + 7] !== 8 || view.getInt32(i + 4, true) !== second) continue;
      if (versionOfMagic[view.getUint32(i, true)] === undefined) continue;
      const header = readHeader(memory, windows, at + i, offset + size);
      if (header !== undefined) return header;
    }
  }
  return undefined;
}

/** The header at an offset of the file, when everything it says lies before `limit`. */
function readHeader(
  memory: ElfMemory,
  windows: FileWindows,
  offset: number,
  limit: number,
): PclntabHeader | undefined {
  const end = Math.min(limit, windows.byteLength);
  const address = memory.addressOf(offset);
  if (address < 0 || !(offset + headerBytes <= end)) return undefined;
  const view = viewOf(windows.bytes(offset, headerBytes, 'header').slice());
  const version = versionOfMagic[view.getUint32(0, true)];
  const quantum = view.getUint8(6);
  if (version === undefined || view.getUint16(4, true) !== 0) return undefined;
  if (quantum !== quantumOf(memory.elf.machine) || view.getUint8(7) !== 8) return undefined;

  const word = (index: number): number => {
    const value = view.getBigUint64(8 + index * 8, true);
    return value < 1n << 52n ? Number(value) : Number.MAX_SAFE_INTEGER;
  };
  const functionCount = word(0);
  // Tables are named by the last words of the header: names, units, files, pc values, functions.
  const firstTable = version === 16 ? 2 : 3;
  const table = (index: number): number => offset + (version === 2 ? 0 : word(firstTable + index));
  const header: PclntabHeader = {
    version,
    address,
    offset,
    limit: end,
    quantum,
    functionCount,
    textStart: version >= 18 ? word(2) : 0,
    nameTable: table(0),
    unitTable: table(1),
    fileTable: version === 2 ? fileTableOf(windows, offset, functionCount, end) : table(2),
    pcTable: table(3),
    functionTable: version === 2 ? offset + 16 : table(4),
    functionBase: table(4),
  };
  const { nameTable, unitTable, fileTable, pcTable, functionTable } = header;
  const tableEnd = functionTable + functionCount * entryBytes(version) * 2 + entryBytes(version);
  const isInside = [nameTable, unitTable, fileTable, pcTable, functionTable].every((at) => at < end);
  if (functionCount === 0 || !isInside || tableEnd > end) return undefined;
  return isFirstFunctionRight(windows, header) ? header : undefined;
}

/** Bytes of one field of the function index: an address, or an offset of a function. */
export function entryBytes(version: PclntabVersion): number {
  return version >= 18 ? 4 : 8;
}

/** Go 1.2 keeps the offset of its table of files behind the function index. */
function fileTableOf(windows: FileWindows, offset: number, functionCount: number, limit: number): number {
  const at = offset + 16 + functionCount * 16 + 8;
  return at + 4 <= limit ? offset + windows.uint32(at, 'offset of the file table') : limit;
}

/** The first entry of the index and the function that it points to tell the same address. */
function isFirstFunctionRight(windows: FileWindows, header: PclntabHeader): boolean {
  const bytes = entryBytes(header.version);
  const entry = windows.bytes(header.functionTable, bytes, 'function index').slice();
  const functionOffset = windows.uint32(header.functionTable + bytes, 'function index');
  const at = header.functionBase + functionOffset;
  if (at + bytes > header.limit) return false;
  const again = windows.bytes(at, bytes, 'function');
  return entry.every((byte, i) => byte === again[i]);
}
