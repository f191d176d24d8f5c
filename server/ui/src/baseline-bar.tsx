// SPDX-License-Identifier: Apache-2.0
//
// The second row of the header: what the selection is compared with.

import type { Baseline } from './baseline.ts';
import { BaselineTimePicker } from './parts/baseline-time-picker.tsx';
import { Icon, Mark } from './parts/icons.tsx';
import { Picker, type PickerOption } from './parts/picker.tsx';
import { swapSides } from './swap-sides.ts';
import type { TimeRange } from './time-range.ts';
import type { PageState } from './url-state.ts';
import type { ChangePageState } from './use-page-state.ts';

export interface BaselineBarProps {
  readonly state: PageState;
  readonly baseline: Baseline;
  readonly services: readonly PickerOption[];
  readonly onChange: ChangePageState;
}

export function BaselineBar({ state, baseline, services, onChange }: BaselineBarProps) {
  const change = (part: Partial<Baseline>): void =>
    onChange({ baseline: { ...baseline, ...part }, root: [] });
  const shownRange: TimeRange = state.range;
  return (
    <section class="header-row baseline-bar" aria-label="Baseline">
      <span class="brand is-blank" aria-hidden="true">
        <Mark />
        <span>Hearthscope</span>
      </span>
      <span class="side-label is-baseline">Baseline</span>
      <Picker
        label="Baseline service"
        icon="service"
        class="service-picker"
        options={services}
        value={baseline.service}
        onPick={(service) => change({ service })}
      />
      {baseline.filter !== state.filter && (
        <span class="side-filter" title="Labels of the baseline; change them in the query">
          {baseline.filter === '' ? 'all labels' : baseline.filter}
        </span>
      )}
      <span class="spacer" />
      <BaselineTimePicker time={baseline.time} shown={shownRange} onPick={(time) => change({ time })} />
      <button
        type="button"
        class="button"
        title="Swap baseline and comparison"
        onClick={() => onChange(swapSides(state, Date.now()))}
      >
        <Icon name="swap" />
        Swap
      </button>
      <button
        type="button"
        class="button is-icon"
        aria-label="Stop comparing"
        title="Stop comparing"
        onClick={() => onChange({ baseline: undefined, root: [] })}
      >
        <Icon name="close" />
      </button>
    </section>
  );
}
