// SPDX-License-Identifier: Apache-2.0
//
// Warm is user code, cool is the kernel, grey is what has no name. Within that, a package keeps its colour from one
// refresh to the next and from one page to another, because the colour is a hash of the package's name.

import { FRAME_KINDS, type FrameKind, packageOf } from './frame-kind.ts';
import type { FlameLayout } from './layout.ts';

export type ColourScheme = 'light' | 'dark';

/** Hues in degrees of OKLCH, which looks equally bright and equally strong all round. */
const USER_HUES = [20, 31, 42, 53, 64, 75, 87, 101, 118, 138] as const;
const KERNEL_HUES = [216, 228, 240, 252, 264] as const;
const CHROMA_STEPS = [0.82, 1, 1.18] as const;

const LIGHTNESS: Readonly<Record<ColourScheme, number>> = { light: 0.845, dark: 0.5 };
const CHROMA: Readonly<Record<ColourScheme, Readonly<Record<FrameKind, number>>>> = {
  light: { user: 0.076, kernel: 0.058, unresolved: 0.02, truncated: 0 },
  dark: { user: 0.08, kernel: 0.066, unresolved: 0.02, truncated: 0 },
};

/** The colour of one frame, as CSS. */
export function frameColour(kind: FrameKind, name: string, scheme: ColourScheme): string {
  return kindColour(kind, hashOf(packageOf(name)), scheme);
}

/** The colour that stands for a kind in the legend. */
export function legendColour(kind: FrameKind, scheme: ColourScheme): string {
  return kindColour(kind, LEGEND_HASH[kind], scheme);
}

/** Picked so that the legend shows the middle of each kind's hues. */
const LEGEND_HASH: Readonly<Record<FrameKind, number>> = {
  user: 42,
  kernel: 12,
  unresolved: 4,
  truncated: 0,
};

function kindColour(kind: FrameKind, hash: number, scheme: ColourScheme): string {
  const hues = kind === 'kernel' ? KERNEL_HUES : USER_HUES;
  const hue = hues[hash % hues.length]!;
  const step = CHROMA_STEPS[Math.floor(hash / hues.length) % CHROMA_STEPS.length]!;
  return `oklch(${LIGHTNESS[scheme]} ${(CHROMA[scheme][kind] * step).toFixed(3)} ${hue})`;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  // The low bits of FNV of short texts are poorly mixed.
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** The colour of each node of one layout. */
export interface FlamePalette {
  colour(node: number): string;
}

/** Colours by kind and name, worked out when first asked for. */
export class FramePalette implements FlamePalette {
  readonly #layout: FlameLayout;
  readonly #scheme: ColourScheme;
  readonly #colours = new Map<number, string>();

  constructor(layout: FlameLayout, scheme: ColourScheme) {
    this.#layout = layout;
    this.#scheme = scheme;
  }

  colour(node: number): string {
    const kind = this.#layout.kind[node]!;
    const name = this.#layout.name[node]!;
    const key = name * FRAME_KINDS.length + kind;
    const known = this.#colours.get(key);
    if (known !== undefined) return known;
    const colour = frameColour(FRAME_KINDS[kind]!, this.#layout.names[name]!, this.#scheme);
    this.#colours.set(key, colour);
    return colour;
  }
}
