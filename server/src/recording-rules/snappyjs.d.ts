// SPDX-License-Identifier: Apache-2.0
//
// The package has no types of its own.

declare module 'snappyjs' {
  /** In Snappy's block format. */
  export function compress(bytes: Uint8Array): Uint8Array;
  export function uncompress(bytes: Uint8Array): Uint8Array;
}
