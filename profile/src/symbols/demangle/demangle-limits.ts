// SPDX-License-Identifier: Apache-2.0
//
// The bounds of one demangling. Names come from binaries of other people: a few dozen bytes of substitutions can ask
// for gigabytes of text. A name that reaches a bound is shown as it is.

export const demangleLimits = {
  /** Longer mangled names are not tried, in UTF-16 units. */
  maxInputLength: 64 * 1024,
  /** Longer demangled names are given up, in UTF-16 units. */
  maxOutputLength: 256 * 1024,
  /** Nesting of names, types and expressions, both while reading and while printing. */
  maxDepth: 384,
  /** Tree nodes visited while printing: bounds the time of expansions that print nothing. */
  maxPrintSteps: 256 * 1024,
} as const;
