// SPDX-License-Identifier: Apache-2.0
//
// What a hostile Go binary can make its readers spend at most.

export const goLimits = {
  /** Functions of one binary; a table with more is refused. 4 bytes each are kept. */
  maxFunctions: 4_194_304,
  /** Longest name of a function or a file; the rest is cut. */
  maxNameBytes: 16_384,
  /** Frames of one address. */
  maxInlineDepth: 512,
  /** Relocations of the function table that are kept for position-independent binaries of Go 1.17 and earlier. */
  maxRelocations: 4_194_304,
  /** Steps of pc-value tables that one lookup takes, a fixed number and some more for each address. */
  maxStepsPerLookUp: 16_777_216,
  maxStepsPerAddress: 16_384,
} as const;
