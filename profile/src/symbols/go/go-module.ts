// SPDX-License-Identifier: Apache-2.0
//
// The module data: a structure in the writable data where Go's linker tells the runtime where everything is. A reader of
// pclntab needs two of its words, the start of the text, which functions' addresses are relative to since Go 1.18, and
// the start of the function data (go:func.*), which holds the trees of inlined calls. No symbol is needed to find it:
// its first word points to the pclntab, and its words agree with what is known already.
//
//   word  0 pclntab · 1 names · 4 units · 7 files · 10 pc values · 13 functions · 16 function index (3 words each)
//         19 · 20 first pc · 21 end pc · 22 text · 23 end of text · 24 … 31 data and bss
//         Go 1.18, 1.19: … 37 rodata · 38 go:func.*      since Go 1.20, two words more: … 39 rodata · 40 go:func.*

import { viewOf } from '../random-access.ts';
import type { ElfMemory, MappedPart } from './elf-memory.ts';
import type { FileWindows } from './file-windows.ts';
import type { PclntabHeader } from './pclntab-header.ts';

const moduleWord = {
  firstPc: 20,
  endPc: 21,
  text: 22,
  functionDataSince18: 38,
  functionDataSince20: 40,
} as const;
const moduleWords = 41;
const moduleBytes = moduleWords * 8;
/** Words pointing to the pclntab that are checked, of each place they are looked for. */
const maxCandidates = 16;
const scanBytes = 1024 * 1024;

/** What the module data say, as ELF virtual addresses. */
export interface GoModule {
  readonly textStart: number;
  /** Start of the function data; -1 when it is not in the file. */
  readonly functionData: number;
}

/**
 * Finds the module data of a table of Go 1.18 or later; undefined when no candidate agrees with the function index, whose
 * first and last entries (relative to the text start) are handed in.
 */
export function findGoModule(
  memory: ElfMemory,
  windows: FileWindows,
  header: PclntabHeader,
  firstEntry: number,
  lastEntry: number,
): GoModule | undefined {
  for (const candidates of candidateGroups(memory, header.address)) {
    const relocated = relocatedWords(memory, candidates);
    for (const address of candidates) {
      const offset = memory.offsetOf(address);
      if (offset < 0 || offset + moduleBytes > windows.byteLength) continue;
      const view = viewOf(windows.bytes(offset, moduleBytes, 'module data').slice());
      const word = (index: number): number =>
        relocated.get(address + index * 8) ?? Number(view.getBigUint64(index * 8, true));
      const textStart = word(moduleWord.text);
      const isRight =
        word(moduleWord.firstPc) === textStart + firstEntry &&
        word(moduleWord.endPc) === textStart + lastEntry;
      if (!isRight) continue;
      const functionData = word(
        header.version >= 20 ? moduleWord.functionDataSince20 : moduleWord.functionDataSince18,
      );
      return { textStart, functionData: memory.offsetOf(functionData) < 0 ? -1 : functionData };
    }
  }
  return undefined;
}

/** Addresses of words that point to the pclntab: those the dynamic linker fills in, then those of the data. */
function* candidateGroups(memory: ElfMemory, target: number): Generator<number[]> {
  const relocated: number[] = [];
  memory.forEachRelocation((address, pointsTo) => {
    if (pointsTo === target && relocated.length < maxCandidates) relocated.push(address);
  });
  yield relocated;
  const parts = memory.parts.filter(({ isExecutable }) => !isExecutable);
  for (const part of parts.sort((a, b) => Number(b.isWritable) - Number(a.isWritable))) {
    yield scanForPointers(memory, part, target);
  }
}

function scanForPointers(memory: ElfMemory, part: MappedPart, target: number): number[] {
  const candidates: number[] = [];
  const low = target % 0x1_0000_0000;
  const high = Math.floor(target / 0x1_0000_0000);
  const start = Math.ceil(part.address / 8) * 8 - part.address + part.offset;
  const end = part.offset + part.size;
  let scratch: Uint8Array | undefined;
  for (let at = start; at < end && candidates.length < maxCandidates; at += scanBytes) {
    const chunk = memory.elf.access.read(at, Math.min(scanBytes, end - at), scratch);
    scratch = chunk.byteLength === scanBytes ? chunk : scratch;
    const view = viewOf(chunk);
    for (let i = 0; i + 8 <= chunk.byteLength; i += 8) {
      if (view.getUint32(i, true) === low && view.getUint32(i + 4, true) === high) {
        candidates.push(at + i - part.offset + part.address);
      }
    }
  }
  return candidates;
}

/** The words of the candidates that the dynamic linker fills in, by address. */
function relocatedWords(memory: ElfMemory, candidates: readonly number[]): Map<number, number> {
  const words = new Map<number, number>();
  const first = candidates.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const last = candidates.reduce((a, b) => Math.max(a, b), 0);
  if (candidates.length === 0) return words;
  memory.forEachRelocation((address, target) => {
    if (address < first || address >= last + moduleBytes) return;
    const isWanted = candidates.some(
      (candidate) => address >= candidate && address < candidate + moduleBytes,
    );
    if (isWanted) words.set(address, target);
  });
  return words;
}
