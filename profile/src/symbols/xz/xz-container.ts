// SPDX-License-Identifier: Apache-2.0
//
// The .xz file format around LZMA2, as .gnu_debugdata has it. Sizes stand in the index at the end, so the result's size
// is known and checked against the limit before anything is unpacked. Reference: "The .xz File Format", version 1.2.1.
//
//   ┌──────────────────┬───────┬───┬───────┬───────┬─────────────┐
//   │ fd 37 7a 58 5a 0 │ block │ … │ block │ index │ footer "YZ" │   one or more such streams, padding of 4 n zeros
//   └──────────────────┴───────┴───┴───────┴───────┴─────────────┘
//   block = header (filters) │ LZMA2 │ padding │ check
//
// Refused with their names: filters other than LZMA2 (BCJ, delta) and more than one of them. Checks: CRC32, CRC64 and
// none are verified; SHA-256 is not, and other checks neither: the CRC of the index still holds.

import { crc32 } from 'node:zlib';
import { FormatError } from '../../errors.ts';
import { viewOf } from '../random-access.ts';
import { crc64 } from './crc64.ts';
import { Lzma2Decoder } from './lzma2-decoder.ts';

/** Limits of the reader. Data beyond them are refused. */
export const xzLimits = {
  /** Blocks of all streams together: `xz -T` makes one of every three dictionaries. */
  maxBlocks: 4096,
  maxStreams: 64,
} as const;

const headerBytes = 12;
const footerBytes = 12;
const magic = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const filterNames = new Map([
  [0x03, 'delta'],
  [0x04, 'x86 BCJ'],
  [0x05, 'PowerPC BCJ'],
  [0x06, 'IA-64 BCJ'],
  [0x07, 'ARM BCJ'],
  [0x08, 'ARM-Thumb BCJ'],
  [0x09, 'SPARC BCJ'],
  [0x0a, 'ARM64 BCJ'],
  [0x0b, 'RISC-V BCJ'],
]);
const lzma2Filter = 0x21;
const checkType = { none: 0, crc32: 1, crc64: 4 } as const;
/** Bytes of the check, by its type. */
const checkBytes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

interface Block {
  /** Header, contents and check, without the padding before the check. */
  readonly unpaddedBytes: number;
  readonly unpackedBytes: number;
}

interface Stream {
  readonly start: number;
  readonly check: number;
  readonly blocks: readonly Block[];
}

/**
 * Unpacks a .xz file of any number of streams.
 *
 * @param maxBytes of the result
 * @throws FormatError when the data are damaged, larger than `maxBytes`, or use a filter that is not known
 */
export function unpackXz(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const streams = readStreams(bytes);
  let total = 0;
  for (const { blocks } of streams) for (const { unpackedBytes } of blocks) total += unpackedBytes;
  if (total > maxBytes) throw new FormatError('xz', 0, `${total} bytes unpacked, more than ${maxBytes}`);
  const output = new Uint8Array(total);
  let outputAt = 0;
  for (const { start, check, blocks } of streams) {
    let at = start + headerBytes;
    for (const block of blocks) {
      // The contents see no more than their own block, neither of the input nor of the output.
      const input = bytes.subarray(0, at + roundUp4(block.unpaddedBytes));
      decodeBlock(input, at, check, block, output.subarray(outputAt, outputAt + block.unpackedBytes));
      outputAt += block.unpackedBytes;
      at += roundUp4(block.unpaddedBytes);
    }
  }
  return output;
}

/** The streams from the last to the first, since only the end of a stream says how long it is. */
function readStreams(bytes: Uint8Array): Stream[] {
  const streams: Stream[] = [];
  const view = viewOf(bytes);
  let end = bytes.byteLength;
  let blocks = 0;
  while (end > 0) {
    while (end >= 4 && view.getUint32(end - 4, true) === 0) end -= 4;
    if (end === 0) break;
    const stream = readStream(view, end, xzLimits.maxBlocks - blocks);
    blocks += stream.blocks.length;
    streams.unshift(stream);
    if (streams.length > xzLimits.maxStreams) {
      throw new FormatError('xz', stream.start, `more than ${xzLimits.maxStreams} streams`);
    }
    end = stream.start;
  }
  if (streams.length === 0) throw new FormatError('xz', 0, 'no stream');
  return streams;
}

function readStream(view: DataView, end: number, maxBlocks: number): Stream {
  const footer = end - footerBytes;
  if (footer < headerBytes) throw new FormatError('xz', Math.max(footer, 0), 'the footer is cut short');
  if (view.getUint16(end - 2, false) !== 0x595a) throw new FormatError('xz', end - 2, 'no footer');
  if (view.getUint32(footer, true) !== crcOf(view, footer + 4, 6)) {
    throw new FormatError('xz', footer, 'the checksum of the footer is wrong');
  }
  const indexBytes = (view.getUint32(footer + 4, true) + 1) * 4;
  const indexAt = footer - indexBytes;
  if (indexAt < headerBytes) throw new FormatError('xz', footer + 4, 'the index lies outside of the data');
  const blocks = readIndex(view, indexAt, indexBytes, maxBlocks);
  const start = indexAt - headerBytes - blocks.reduce((sum, block) => sum + roundUp4(block.unpaddedBytes), 0);
  if (!(start >= 0) || magic.some((byte, i) => view.getUint8(start + i) !== byte)) {
    throw new FormatError('xz', Math.max(start, 0), 'no stream begins where the index says');
  }
  if (view.getUint32(start + 8, true) !== crcOf(view, start + 6, 2)) {
    throw new FormatError('xz', start + 8, 'the checksum of the stream header is wrong');
  }
  if (view.getUint16(start + 6, true) !== view.getUint16(footer + 8, true)) {
    throw new FormatError('xz', footer + 8, 'header and footer differ');
  }
  const check = view.getUint8(start + 7);
  if (view.getUint8(start + 6) !== 0 || check > 15) throw new FormatError('xz', start + 6, 'unknown flags');
  return { start, check, blocks };
}

function readIndex(view: DataView, at: number, byteLength: number, maxBlocks: number): Block[] {
  const limit = at + byteLength - 4;
  if (view.getUint32(limit, true) !== crcOf(view, at, byteLength - 4)) {
    throw new FormatError('xz', limit, 'the checksum of the index is wrong');
  }
  const reader = new VarintReader(view, at, limit);
  if (reader.byte() !== 0) throw new FormatError('xz', at, 'no index');
  const count = reader.varint();
  if (count > maxBlocks) throw new FormatError('xz', at, `more than ${xzLimits.maxBlocks} blocks`);
  return Array.from({ length: count }, () => {
    const unpaddedBytes = reader.varint();
    const unpackedBytes = reader.varint();
    if (unpaddedBytes < 5) throw new FormatError('xz', reader.at, 'a block is too small');
    return { unpaddedBytes, unpackedBytes };
  });
}

function decodeBlock(input: Uint8Array, at: number, check: number, block: Block, output: Uint8Array): void {
  const view = viewOf(input);
  const blockHeaderBytes = (input[at]! + 1) * 4;
  const contentsEnd = at + block.unpaddedBytes - checkBytes[check]!;
  // Padding to a multiple of four, which the index does not count, lies between the contents and the check.
  const checkAt = at + roundUp4(block.unpaddedBytes - checkBytes[check]!);
  if (input[at] === 0 || at + blockHeaderBytes > contentsEnd)
    throw new FormatError('xz', at, 'no block header');
  const crcAt = at + blockHeaderBytes - 4;
  if (view.getUint32(crcAt, true) !== crcOf(view, at, blockHeaderBytes - 4)) {
    throw new FormatError('xz', crcAt, 'the checksum of a block header is wrong');
  }
  checkFilters(new VarintReader(view, at + 1, crcAt));

  const decoder = new Lzma2Decoder(input.subarray(0, contentsEnd), at + blockHeaderBytes, output, 0);
  const ended = decoder.decode();
  if (ended.outputAt !== output.byteLength) {
    throw new FormatError('xz', at, `a block has ${ended.outputAt} bytes instead of ${output.byteLength}`);
  }
  if (ended.inputAt !== contentsEnd) {
    throw new FormatError('xz', ended.inputAt, 'a block is shorter than the index says');
  }
  const isRight =
    check === checkType.crc32
      ? view.getUint32(checkAt, true) === crc32(output)
      : check === checkType.crc64
        ? view.getBigUint64(checkAt, true) === crc64(output)
        : true;
  if (!isRight) throw new FormatError('xz', checkAt, 'the checksum of a block is wrong');
}

/** LZMA2 alone is understood. Its dictionary is the output itself, so the size it asks for costs nothing. */
function checkFilters(reader: VarintReader): void {
  const flags = reader.byte();
  if ((flags & 0x40) !== 0) reader.varint();
  if ((flags & 0x80) !== 0) reader.varint();
  const filterCount = (flags & 3) + 1;
  for (let i = 0; i < filterCount; i++) {
    const at = reader.at;
    const id = reader.varint();
    if (id !== lzma2Filter) {
      throw new FormatError('xz', at, `filter ${filterNames.get(id) ?? id} is not supported`);
    }
    if (i < filterCount - 1) throw new FormatError('xz', at, 'LZMA2 must be the last filter');
  }
}

class VarintReader {
  readonly #view: DataView;
  readonly #limit: number;
  at: number;

  constructor(view: DataView, at: number, limit: number) {
    this.#view = view;
    this.at = at;
    this.#limit = limit;
  }

  byte(): number {
    if (this.at >= this.#limit) throw new FormatError('xz', this.at, 'a field is cut short');
    return this.#view.getUint8(this.at++);
  }

  /** A number of up to 9 bytes; one that is not exact in a number is refused. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new FormatError('xz', this.at, 'a number is over 2^53');
      if ((byte & 0x80) === 0) return value;
    }
  }
}

function roundUp4(value: number): number {
  return Math.ceil(value / 4) * 4;
}

function crcOf(view: DataView, from: number, length: number): number {
  return crc32(new Uint8Array(view.buffer, view.byteOffset + from, length));
}
