// SPDX-License-Identifier: Apache-2.0
//
// `symbols.bin`: the symbols of a block, one compressed section a service, so that a query reads those of the services it
// asks for. docs/formats/blocks.md draws it:
//
//   "HSSYMB" version u16 │ section … │ directory │ directory's length u32, CRC-32 u32 │ "HSSYMB" version u16

import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { FormatError, HearthscopeError } from '@hearthscope/profile/errors';
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';

const FORMAT = 'symbols.bin';
const MAGIC = Buffer.from('HSSYMB', 'latin1');
export const SYMBOLS_VERSION = 1;
const MAGIC_BYTES = MAGIC.length + 2;
const TRAILER_BYTES = 8 + MAGIC_BYTES;
const MAX_SERVICES = 1 << 20;
/** Of one service in one block, decompressed. */
export const MAX_SECTION_BYTES = 1 << 30;

export interface SymbolSectionPlace {
  readonly service: string;
  readonly offset: number;
  readonly bytes: number;
  readonly rawBytes: number;
  /** CRC-32 of the compressed bytes. */
  readonly crc32: number;
}

/** Reads a part of the file. */
export type ReadRange = (start: number, length: number) => Promise<Uint8Array>;

/** Gathers sections and puts the file together. */
export class SymbolsFileWriter {
  readonly #parts: Buffer[] = [magic()];
  readonly #places: SymbolSectionPlace[] = [];
  #length = MAGIC_BYTES;

  /** @param section as encodeSymbolSection made it */
  add(service: string, section: Uint8Array): void {
    const bytes = zstdCompressSync(section);
    this.#places.push({
      service,
      offset: this.#length,
      bytes: bytes.length,
      rawBytes: section.length,
      crc32: crc32(bytes),
    });
    this.#append(bytes);
  }

  finish(): Buffer {
    const writer = new ByteWriter();
    writer.uvarint(this.#places.length);
    for (const { service, offset, bytes, rawBytes, crc32: checksum } of this.#places) {
      writer.string(service);
      for (const number of [offset, bytes, rawBytes, checksum]) writer.uvarint(number);
    }
    const directory = writer.finish();
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(directory.length, 0);
    trailer.writeUInt32LE(crc32(directory), 4);
    this.#append(directory);
    this.#append(trailer);
    this.#append(magic());
    return Buffer.concat(this.#parts, this.#length);
  }

  #append(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }
}

/** Where the services' sections are.
 * @param fileBytes the length of the file
 * @throws FormatError; HearthscopeError failed_precondition for an unknown version */
export async function readSymbolsDirectory(
  read: ReadRange,
  fileBytes: number,
): Promise<ReadonlyMap<string, SymbolSectionPlace>> {
  if (fileBytes < MAGIC_BYTES + TRAILER_BYTES)
    throw new FormatError(FORMAT, fileBytes, 'the file is too short');
  const trailerAt = fileBytes - TRAILER_BYTES;
  const trailer = Buffer.from(await read(trailerAt, TRAILER_BYTES));
  checkMagic(trailer.subarray(8), trailerAt + 8);
  const length = trailer.readUInt32LE(0);
  const start = trailerAt - length;
  if (start < MAGIC_BYTES)
    throw new FormatError(FORMAT, trailerAt, `a directory of ${length} bytes does not fit`);
  const bytes = await read(start, length);
  if (crc32(bytes) !== trailer.readUInt32LE(4))
    throw new FormatError(FORMAT, start, 'the directory is damaged');
  const reader = new ByteReader(bytes, FORMAT, MAX_SERVICES);
  const count = reader.count('section');
  const places = new Map<string, SymbolSectionPlace>();
  for (let i = 0; i < count; i++) {
    const place = {
      service: reader.string('service'),
      offset: reader.uvarint('section offset'),
      bytes: reader.uvarint('section bytes'),
      rawBytes: reader.uvarint('section bytes, decompressed'),
      crc32: reader.uvarint('section checksum'),
    };
    if (place.offset < MAGIC_BYTES || place.offset + place.bytes > start) {
      throw reader.error(`the section of ${JSON.stringify(place.service)} is outside of the file`);
    }
    if (place.rawBytes > MAX_SECTION_BYTES) {
      throw reader.error(`the section of ${JSON.stringify(place.service)} has ${place.rawBytes} bytes`);
    }
    places.set(place.service, place);
  }
  reader.end();
  return places;
}

/** One section, checked and decompressed. @throws FormatError */
export async function readSymbolSection(read: ReadRange, place: SymbolSectionPlace): Promise<Uint8Array> {
  const bytes = await read(place.offset, place.bytes);
  if (bytes.length !== place.bytes || crc32(bytes) !== place.crc32) {
    throw new FormatError(
      FORMAT,
      place.offset,
      `the symbols of ${JSON.stringify(place.service)} are damaged`,
    );
  }
  return zstdDecompressSync(bytes, { maxOutputLength: place.rawBytes });
}

function magic(): Buffer {
  const bytes = Buffer.alloc(MAGIC_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt16LE(SYMBOLS_VERSION, MAGIC.length);
  return bytes;
}

function checkMagic(bytes: Buffer, offset: number): void {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw new FormatError(FORMAT, offset, 'it does not end as it should');
  const version = bytes.readUInt16LE(MAGIC.length);
  if (version !== SYMBOLS_VERSION) {
    throw new HearthscopeError(
      'failed_precondition',
      `${FORMAT} has format version ${version}, this Hearthscope reads version ${SYMBOLS_VERSION}; run the version that wrote it`,
    );
  }
}
