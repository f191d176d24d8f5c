// SPDX-License-Identifier: Apache-2.0
//
// How a symbol-file reader sees a file. The readers do no input or output themselves: whoever has the file
// (an agent's worker with a descriptor, a server with an uploaded object, a test with bytes) hands this in.

import { FormatError } from '../errors.ts';

/** Bytes that can be read at any offset, without an asynchronous step, so that parsers stay plain loops. */
export interface RandomAccess {
  readonly byteLength: number;
  /**
   * The bytes at `offset`. Fewer than `length` only where the data end there (the file may have been cut since
   * `byteLength` was taken). A reader that is done with an earlier answer may hand it in as `scratch`, to be
   * overwritten; it has room for `length` bytes.
   */
  read(offset: number, length: number, scratch?: Uint8Array): Uint8Array;
}

/** A `RandomAccess` over bytes in memory. */
export function memoryAccess(bytes: Uint8Array): RandomAccess {
  return {
    byteLength: bytes.byteLength,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/** Reads exactly `length` bytes, after having checked that the file can hold them. */
export function readExactly(
  access: RandomAccess,
  format: string,
  offset: number,
  length: number,
  what: string,
  scratch?: Uint8Array,
): Uint8Array {
  if (!(offset >= 0 && length >= 0 && offset + length <= access.byteLength)) {
    throw new FormatError(
      format,
      offset,
      `${what} of ${length} bytes lies outside the file of ${access.byteLength}`,
    );
  }
  const bytes = access.read(offset, length, scratch);
  if (bytes.byteLength < length) {
    throw new FormatError(format, offset + bytes.byteLength, `${what} is cut short`);
  }
  return bytes;
}

/** A DataView of exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
