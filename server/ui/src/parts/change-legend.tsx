// SPDX-License-Identifier: Apache-2.0
//
// What the colours of a comparison mean, in figures.

import { changeColour } from '../flamegraph/change-palette.ts';
import type { ColourScheme } from '../flamegraph/colour.ts';

const STOPS: readonly { readonly degree: number; readonly title: string }[] = [
  { degree: -1, title: 'gone' },
  { degree: -0.75, title: '÷ 4' },
  { degree: -0.5, title: '÷ 2' },
  { degree: -0.2, title: '−20 %' },
  { degree: 0, title: 'same' },
  { degree: 0.2, title: '+25 %' },
  { degree: 0.5, title: '× 2' },
  { degree: 0.75, title: '× 4' },
  { degree: 1, title: 'new' },
];

export function ChangeLegend({ scheme }: { readonly scheme: ColourScheme }) {
  return (
    <ol class="change-legend" aria-label="Colours: change of a frame's share, from baseline to comparison">
      {STOPS.map(({ degree, title }) => (
        <li key={degree}>
          <span style={{ background: changeColour(degree, scheme) }} />
          {title}
        </li>
      ))}
    </ol>
  );
}
