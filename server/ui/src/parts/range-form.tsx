// SPDX-License-Identifier: Apache-2.0
//
// Two instants, typed.

import { useState } from 'preact/hooks';
import { absoluteRange, type TimeRange, type TimeWindow } from '../time-range.ts';

export interface RangeFormProps {
  /** What the fields begin with. */
  readonly window: TimeWindow;
  readonly onPick: (range: TimeRange) => void;
}

export function RangeForm({ window, onPick }: RangeFormProps) {
  const [from, setFrom] = useState(() => localText(window.startMillis));
  const [until, setUntil] = useState(() => localText(window.endMillis));
  const apply = (event: Event): void => {
    event.preventDefault();
    const startMillis = Date.parse(from);
    const endMillis = Date.parse(until);
    if (startMillis > 0 && endMillis > 0) onPick(absoluteRange(startMillis, endMillis));
  };
  return (
    <form class="time-custom" onSubmit={apply}>
      <label>
        From
        <input
          class="field"
          type="datetime-local"
          step="1"
          required
          value={from}
          onInput={(event) => setFrom(event.currentTarget.value)}
        />
      </label>
      <label>
        Until
        <input
          class="field"
          type="datetime-local"
          step="1"
          required
          value={until}
          onInput={(event) => setUntil(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button is-primary">
        Show this range
      </button>
    </form>
  );
}

/** As `datetime-local` fields have it: local time, to the second. */
function localText(unixMillis: number): string {
  const offsetMillis = new Date(unixMillis).getTimezoneOffset() * 60_000;
  return new Date(unixMillis - offsetMillis).toISOString().slice(0, 19);
}
