// SPDX-License-Identifier: Apache-2.0
//
// Colours of a comparison: blue is less than before, orange is more, grey is as it was. Blue and orange are told apart
// with every common deficiency of colour vision, and the stronger change is the darker on light ground, so that the
// order survives without colour at all.

import { changeOf, degreeOfChange } from './change.ts';
import type { ColourScheme, FlamePalette } from './colour.ts';
import type { DiffLayout } from './diff-layout.ts';

/** Steps on either side of no change. More could not be told apart. */
const STEPS = 10;
const LESS_HUE = 250;
const MORE_HUE = 58;
/** Lightness and chroma of OKLCH for no change and for all the change there can be. */
const RAMP: Readonly<
  Record<ColourScheme, { lightness: [number, number]; lessChroma: number; moreChroma: number }>
> = {
  light: { lightness: [0.93, 0.72], lessChroma: 0.12, moreChroma: 0.145 },
  dark: { lightness: [0.32, 0.56], lessChroma: 0.14, moreChroma: 0.13 },
};
const NEUTRAL_CHROMA = 0.006;
/** Below 1, so that a change of a fifth is seen already. */
const EASE = 0.75;

/** @param degree −1 to 1, as {@link degreeOfChange} gives it */
export function changeColour(degree: number, scheme: ColourScheme): string {
  const step = Math.round(Math.max(-1, Math.min(1, degree)) * STEPS) / STEPS;
  const { lightness, lessChroma, moreChroma } = RAMP[scheme];
  const strength = Math.abs(step) ** EASE;
  const [calm, strong] = lightness;
  const chroma = NEUTRAL_CHROMA + strength * (step < 0 ? lessChroma : moreChroma);
  const hue = step < 0 ? LESS_HUE : MORE_HUE;
  return `oklch(${(calm + (strong - calm) * strength).toFixed(3)} ${chroma.toFixed(3)} ${hue})`;
}

export class ChangePalette implements FlamePalette {
  readonly #colours: readonly string[];
  readonly #diff: DiffLayout;

  constructor(diff: DiffLayout, scheme: ColourScheme) {
    this.#diff = diff;
    this.#colours = Array.from({ length: 2 * STEPS + 1 }, (_, step) =>
      changeColour((step - STEPS) / STEPS, scheme),
    );
  }

  colour(node: number): string {
    const degree = degreeOfChange(changeOf(this.#diff, node));
    return this.#colours[Math.round(degree * STEPS) + STEPS]!;
  }
}
