// SPDX-License-Identifier: Apache-2.0
//
// Graph, table, or both side by side.

import { VIEWS, type View } from '../url-state.ts';
import { Icon } from './icons.tsx';

const TITLES: Readonly<Record<View, string>> = { both: 'Both', flame: 'Flame graph', table: 'Table' };

export interface ViewSwitchProps {
  readonly view: View;
  readonly onView: (view: View) => void;
}

export function ViewSwitch({ view, onView }: ViewSwitchProps) {
  return (
    <fieldset class="segments" aria-label="View">
      {VIEWS.map((choice) => (
        <button
          key={choice}
          type="button"
          class={`segment is-${choice}`}
          aria-pressed={choice === view}
          title={TITLES[choice]}
          onClick={() => onView(choice)}
        >
          <Icon name={choice} />
          <span>{TITLES[choice]}</span>
        </button>
      ))}
    </fieldset>
  );
}
