// SPDX-License-Identifier: Apache-2.0
//
// What the colours mean.

import { type ColourScheme, legendColour } from '../flamegraph/colour.ts';
import { FRAME_KINDS, type FrameKind } from '../flamegraph/frame-kind.ts';

const TITLES: Readonly<Record<FrameKind, string>> = {
  user: 'User, by package',
  kernel: 'Kernel',
  unresolved: 'No symbol',
  truncated: 'Merged',
};

export function Legend({ scheme }: { readonly scheme: ColourScheme }) {
  return (
    <ul class="legend" aria-label="Colours">
      {FRAME_KINDS.map((kind) => (
        <li key={kind}>
          <span class="swatch" style={{ background: legendColour(kind, scheme) }} />
          {TITLES[kind]}
        </li>
      ))}
    </ul>
  );
}
