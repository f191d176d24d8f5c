// SPDX-License-Identifier: Apache-2.0
//
// The entries of .eh_frame and .debug_frame: CIEs, which say what their functions share, and FDEs, one a function.
//
//   │ length 4 (or ffffffff, length 8) │ CIE id or pointer │ … │      a length of 0 ends .eh_frame
//
//   .eh_frame     a CIE has id 0; an FDE points back by the distance to its CIE; addresses are encoded pointers
//   .debug_frame  a CIE has id -1 (4 or 8 bytes); an FDE has the CIE's offset; addresses are plain
//
// Entries are read once, front to back, into columns. A damaged entry costs itself, a damaged length the rest of the
// section; both are counted.

import { FormatError } from '../errors.ts';
import { type CallFrameCursor, pointerEncoding } from './call-frame-cursor.ts';
import type { CallFrameCommon, CallFrameEncoding, CallFrameProgram } from './call-frame-program.ts';
import type { ExecutableAddresses } from './executable-addresses.ts';
import type { UnwindProblems } from './unwind-problems.ts';

/** Limits of one section. What lies beyond is left out and counted. */
export interface CallFrameLimits {
  /** Of the section, unpacked. A larger one is refused. */
  readonly maxSectionBytes: number;
  readonly maxFunctions: number;
  readonly maxCommonEntries: number;
  readonly maxCommonEntryBytes: number;
  readonly maxAugmentationBytes: number;
  /** Bytes of instructions that are run, for each byte of the section; each function runs once, but for overlaps. */
  readonly maxRunsPerByte: number;
}

export const callFrameLimits: CallFrameLimits = {
  maxSectionBytes: 128 * 1024 * 1024,
  maxFunctions: 1 << 22,
  maxCommonEntries: 65_536,
  maxCommonEntryBytes: 65_536,
  maxAugmentationBytes: 16,
  maxRunsPerByte: 4,
};

/** The bytes of a section and what its addresses mean. */
export interface CallFrameSection {
  readonly format: 'eh_frame' | 'debug_frame';
  readonly bytes: Uint8Array;
  /** Where the bytes begin in the file, for messages. */
  readonly fileOffset: number;
  /** Virtual address of the section; 0 of one that is not loaded. */
  readonly address: number;
  /** Nobody said where the section ends, but an entry of length 0; other bytes may follow. */
  readonly endsAtZero: boolean;
}

/** All functions of a section that have code, in its order; one column each. */
export interface CallFrameFunctions {
  count: number;
  readonly start: Float64Array;
  readonly limit: Float64Array;
  /** Position of the first instruction, and behind the last one. */
  readonly programAt: Uint32Array;
  readonly programLimit: Uint32Array;
  /** Index into `commons`. */
  readonly common: Uint32Array;
  readonly commons: readonly CallFrameCommon[];
}

const wideLength = 0xffff_ffff;
const addressBytesOf64Bits = 8;

/** Reads the entries of one section. */
export class CallFrameEntryReader {
  readonly #section: CallFrameSection;
  readonly #isEhFrame: boolean;
  readonly #cursor: CallFrameCursor;
  readonly #program: CallFrameProgram;
  readonly #code: ExecutableAddresses;
  readonly #problems: UnwindProblems;
  readonly #limits: CallFrameLimits;
  readonly #commons: CallFrameCommon[] = [];
  /** By position: index into `commons`, -1 when it is damaged. */
  readonly #commonByPosition = new Map<number, number>();
  /** The entry at hand: behind its length, its end, and whether its length has 8 bytes. */
  #body = 0;
  #next = 0;
  #isWide = false;
  /** The length of the next entry made no sense. */
  #isDamaged = false;
  /** The executable segment that held the last function. */
  #segmentStart = 0;
  #segmentLimit = 0;

  /** `cursor` reads the section's bytes, and `program` runs from it. */
  constructor(
    section: CallFrameSection,
    cursor: CallFrameCursor,
    program: CallFrameProgram,
    code: ExecutableAddresses,
    problems: UnwindProblems,
    limits: CallFrameLimits,
  ) {
    this.#section = section;
    this.#isEhFrame = section.format === 'eh_frame';
    this.#cursor = cursor;
    this.#program = program;
    this.#code = code;
    this.#problems = problems;
    this.#limits = limits;
  }

  readAll(): CallFrameFunctions {
    let entryCount = 0;
    while (this.#nextEntry()) entryCount++;
    const capacity = Math.min(entryCount, this.#limits.maxFunctions);
    const functions: CallFrameFunctions = {
      count: 0,
      start: new Float64Array(capacity),
      limit: new Float64Array(capacity),
      programAt: new Uint32Array(capacity),
      programLimit: new Uint32Array(capacity),
      common: new Uint32Array(capacity),
      commons: this.#commons,
    };
    if (this.#isDamaged) this.#problems.count('damaged_section');
    this.#next = 0;
    while (this.#nextEntry()) {
      try {
        this.#readEntry(functions);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.#problems.count('damaged_function');
      }
    }
    return functions;
  }

  /** Goes to the entry behind the one at hand; false at the end, and at a length that the section cannot hold. */
  #nextEntry(): boolean {
    const cursor = this.#cursor;
    const byteLength = cursor.bytes.byteLength;
    cursor.limit = byteLength;
    cursor.at = this.#next;
    while (byteLength - cursor.at >= 4) {
      let length = cursor.u32();
      if (length === 0) {
        if (this.#section.endsAtZero) return false;
        this.#next = cursor.at;
        continue;
      }
      this.#isWide = length === wideLength;
      if (this.#isWide) {
        // Shorter than a length, or than what it says: the rest of the section cannot be read.
        this.#isDamaged = byteLength - cursor.at < 8;
        if (this.#isDamaged) return false;
        length = cursor.i64();
      }
      this.#isDamaged = !(length >= 0 && length <= byteLength - cursor.at);
      if (this.#isDamaged) return false;
      this.#body = cursor.at;
      this.#next = cursor.at + length;
      return true;
    }
    return false;
  }

  #readEntry(functions: CallFrameFunctions): void {
    const cursor = this.#cursor;
    const body = this.#body;
    const next = this.#next;
    cursor.at = body;
    cursor.limit = next;
    const commonAt = this.#commonPosition(body);
    if (commonAt === undefined) return;
    if (functions.count === this.#limits.maxFunctions) {
      this.#problems.count('functions_over_limit');
      return;
    }
    const afterPointer = cursor.at;
    const commonIndex = this.#commonAt(commonAt);
    if (commonIndex < 0) {
      this.#problems.count('function_without_cie');
      return;
    }
    cursor.at = afterPointer;
    cursor.limit = next;
    const common = this.#commons[commonIndex]!;
    const { address } = this.#section;
    const start = cursor.pointer(common.addressEncoding, common.addressBytes, address);
    // The length of the code has the format of the address, and is relative to nothing.
    const length = cursor.pointer(common.addressEncoding & 0x0f, common.addressBytes, address)!;
    if (common.hasAugmentationData) cursor.skip(cursor.uleb());
    const limit = this.#codeLimit(start, length);
    if (start === undefined || limit === undefined) return;
    const index = functions.count++;
    functions.start[index] = start;
    functions.limit[index] = limit;
    functions.programAt[index] = cursor.at;
    functions.programLimit[index] = next;
    functions.common[index] = commonIndex;
  }

  /** Where the function's code ends; undefined, and counted, when it has none. */
  #codeLimit(start: number | undefined, length: number): number | undefined {
    if (start === undefined) this.#problems.count('indirect_function_address');
    else if (start === 0) this.#problems.count('discarded_function');
    else if (!(length > 0)) this.#problems.count('empty_function');
    else if (!this.#isCode(start)) this.#problems.count('function_outside_code');
    else if (start + length > this.#segmentLimit) this.#problems.count('function_outside_code');
    else return start + length;
    return undefined;
  }

  #isCode(address: number): boolean {
    if (address >= this.#segmentStart && address < this.#segmentLimit) return true;
    const segment = this.#code.segmentOf(address);
    if (segment === undefined) return false;
    this.#segmentStart = segment.start;
    this.#segmentLimit = segment.limit;
    return true;
  }

  /** Position of the CIE of the entry at the cursor, undefined when the entry is a CIE itself. */
  #commonPosition(body: number): number | undefined {
    const cursor = this.#cursor;
    if (this.#isEhFrame) {
      const distance = cursor.u32();
      return distance === 0 ? undefined : body - distance;
    }
    if (this.#isWide) {
      const offset = cursor.i64();
      return offset === -1 ? undefined : offset;
    }
    const offset = cursor.u32();
    return offset === wideLength ? undefined : offset;
  }

  #commonAt(position: number): number {
    const known = this.#commonByPosition.get(position);
    if (known !== undefined) return known;
    if (this.#commonByPosition.size >= this.#limits.maxCommonEntries) {
      this.#problems.count('cies_over_limit');
      return -1;
    }
    let index = -1;
    try {
      const common = this.#readCommon(position);
      index = this.#commons.push(common) - 1;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#problems.count('damaged_cie');
    }
    this.#commonByPosition.set(position, index);
    return index;
  }

  #readCommon(position: number): CallFrameCommon {
    const cursor = this.#cursor;
    const byteLength = cursor.bytes.byteLength;
    if (!(position >= 0 && position < byteLength))
      throw cursor.error('a CIE outside of the section', position);
    cursor.limit = byteLength;
    cursor.at = position;
    let length = cursor.u32();
    const isWide = length === wideLength;
    if (isWide) length = cursor.i64();
    const limits = this.#limits;
    if (!(length >= 0 && length <= Math.min(byteLength - cursor.at, limits.maxCommonEntryBytes))) {
      throw cursor.error(`a CIE of ${length} bytes`, position);
    }
    cursor.limit = cursor.at + length;
    const idBytes = isWide && !this.#isEhFrame ? 8 : 4;
    const id = idBytes === 8 ? cursor.i64() : cursor.i32();
    if (id !== (this.#isEhFrame ? 0 : -1)) throw cursor.error('no CIE where an FDE says one is', position);
    return this.#readCommonBody();
  }

  #readCommonBody(): CallFrameCommon {
    const cursor = this.#cursor;
    const version = cursor.u8();
    const isKnown = version === 1 || version === 3 || (version === 4 && !this.#isEhFrame);
    if (!isKnown) throw cursor.error(`CIE version ${version}`);
    const augmentation = this.#augmentation();
    let addressBytes = addressBytesOf64Bits;
    if (version === 4) {
      addressBytes = cursor.u8();
      if (addressBytes !== 8 && addressBytes !== 4) throw cursor.error(`addresses of ${addressBytes} bytes`);
      if (cursor.u8() !== 0) throw cursor.error('addresses with segments');
    }
    // GCC 2 put a pointer here.
    if (augmentation.startsWith('eh')) cursor.skip(addressBytes);
    const codeAlignment = cursor.uleb();
    const dataAlignment = cursor.sleb();
    const returnAddressRegister = version === 1 ? cursor.u8() : cursor.uleb();
    const hasAugmentationData = augmentation.startsWith('z');
    const addressEncoding = hasAugmentationData
      ? this.#readAugmentationData(augmentation, addressBytes)
      : pointerEncoding.absptr;
    const encoding: CallFrameEncoding = {
      codeAlignment,
      dataAlignment,
      returnAddressRegister,
      addressEncoding,
      addressBytes,
    };
    return {
      ...encoding,
      hasAugmentationData,
      isSignalFrame: augmentation.includes('S'),
      initialState: this.#program.initialStateOf(encoding),
    };
  }

  #augmentation(): string {
    const cursor = this.#cursor;
    let augmentation = '';
    for (let byte = cursor.u8(); byte !== 0; byte = cursor.u8()) {
      if (augmentation.length === this.#limits.maxAugmentationBytes)
        throw cursor.error('a long augmentation');
      augmentation += String.fromCharCode(byte);
    }
    if (augmentation !== '' && augmentation !== 'eh' && !augmentation.startsWith('z')) {
      throw cursor.error(`augmentation ${JSON.stringify(augmentation)}`);
    }
    return augmentation;
  }

  /** Leaves the cursor behind the data; gives the encoding of addresses. */
  #readAugmentationData(augmentation: string, addressBytes: number): number {
    const cursor = this.#cursor;
    const length = cursor.uleb();
    const begin = cursor.at;
    cursor.skip(length);
    const end = cursor.at;
    cursor.at = begin;
    let addressEncoding: number = pointerEncoding.absptr;
    for (const letter of augmentation.slice(1)) {
      switch (letter) {
        case 'R':
          addressEncoding = cursor.u8();
          break;
        case 'L':
          cursor.u8();
          break;
        case 'P':
          cursor.skipPointer(cursor.u8(), addressBytes, this.#section.address);
          break;
        // A signal frame; arm64: signed with key B, tagged memory. They have no data.
        case 'S':
        case 'B':
        case 'G':
          break;
        default:
          throw cursor.error(`augmentation ${JSON.stringify(augmentation)}`);
      }
    }
    cursor.at = end;
    return addressEncoding;
  }
}
