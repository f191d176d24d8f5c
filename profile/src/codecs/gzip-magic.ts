// SPDX-License-Identifier: Apache-2.0
//
// Clients say nothing about compression, or say it wrong; the first two bytes are right.

/** Whether bytes begin as gzip does. No protobuf of ours and no text does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
