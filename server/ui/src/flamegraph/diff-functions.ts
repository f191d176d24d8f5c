// SPDX-License-Identifier: Apache-2.0
//
// Functions of a comparison: what each weighs on both sides, as shares and as their difference.

import { shareOf } from './change.ts';
import type { FunctionTotals } from './function-totals.ts';

/** Which of a function's two figures is compared. */
export const FIGURES = ['self', 'total'] as const;
export type Figure = (typeof FIGURES)[number];

export interface ComparedFunctions {
  /** Index into the names, one for each function of either side. */
  readonly name: Uint32Array;
  /** By name index, as shares of each side's whole. */
  readonly left: Float64Array;
  readonly right: Float64Array;
  /** `right − left` */
  readonly difference: Float64Array;
}

/** Both sides have the same names. The wholes are those of each side. */
export function compareFunctions(
  left: FunctionTotals,
  right: FunctionTotals,
  wholes: { readonly left: number; readonly right: number },
  figure: Figure,
): ComparedFunctions {
  const leftShare = left[figure].map((value) => shareOf(value, wholes.left));
  const rightShare = right[figure].map((value) => shareOf(value, wholes.right));
  return {
    name: Uint32Array.from(new Set([...left.name, ...right.name])).sort(),
    left: leftShare,
    right: rightShare,
    difference: rightShare.map((share, name) => share - leftShare[name]!),
  };
}
