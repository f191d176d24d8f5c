// SPDX-License-Identifier: Apache-2.0
//
// Asks again now, and how often to ask without being told.

import { REFRESH_SECONDS } from '../url-state.ts';
import { Icon } from './icons.tsx';

export interface RefreshControlProps {
  readonly seconds: number;
  readonly isLoading: boolean;
  readonly onSeconds: (seconds: number) => void;
  readonly onRefresh: () => void;
}

export function RefreshControl({ seconds, isLoading, onSeconds, onRefresh }: RefreshControlProps) {
  return (
    <fieldset class="refresh" aria-label="Refresh">
      <button
        type="button"
        class={`button is-icon ${isLoading ? 'is-busy' : ''}`}
        aria-label="Refresh now"
        title="Refresh now"
        onClick={onRefresh}
      >
        <Icon name="refresh" />
      </button>
      <span class="select">
        <select
          aria-label="Refresh interval"
          value={String(seconds)}
          onChange={(event) => onSeconds(Number(event.currentTarget.value))}
        >
          {REFRESH_SECONDS.map((choice) => (
            <option key={choice} value={String(choice)}>
              {choice === 0 ? 'Off' : `${choice} s`}
            </option>
          ))}
        </select>
        <Icon name="chevron" />
      </span>
    </fieldset>
  );
}
