// SPDX-License-Identifier: Apache-2.0
//
// Picks the time range: one of the usual last minutes and hours, or two instants.

import { useState } from 'preact/hooks';
import {
  absoluteRange,
  describeSpan,
  describeTimeRange,
  lastMillis,
  PRESET_MILLIS,
  resolveTimeRange,
  type TimeRange,
} from '../time-range.ts';
import { Icon } from './icons.tsx';
import { Popover } from './popover.tsx';

export interface TimePickerProps {
  readonly range: TimeRange;
  readonly onPick: (range: TimeRange) => void;
}

export function TimePicker({ range, onPick }: TimePickerProps) {
  const text = describeTimeRange(range);
  const face = (
    <>
      <Icon name="clock" />
      <span class="picker-value">{text}</span>
      <Icon name="chevron" />
    </>
  );
  return (
    <Popover face={face} label={`Time range: ${text}`} popup="dialog" class="time-picker">
      {(close) => (
        <TimeForm
          range={range}
          onPick={(picked) => {
            close();
            onPick(picked);
          }}
        />
      )}
    </Popover>
  );
}

function TimeForm({ range, onPick }: TimePickerProps) {
  const window = resolveTimeRange(range, Date.now());
  const [from, setFrom] = useState(() => localText(window.startMillis));
  const [until, setUntil] = useState(() => localText(window.endMillis));
  const picked = describeTimeRange(range);
  const apply = (event: Event): void => {
    event.preventDefault();
    const startMillis = Date.parse(from);
    const endMillis = Date.parse(until);
    if (startMillis > 0 && endMillis > 0) onPick(absoluteRange(startMillis, endMillis));
  };
  return (
    <div role="dialog" aria-label="Time range" class="time-form">
      <div class="time-presets">
        {PRESET_MILLIS.map((millis) => {
          const preset = lastMillis(millis);
          return (
            <button
              key={millis}
              type="button"
              class="chip"
              aria-pressed={describeTimeRange(preset) === picked}
              onClick={() => onPick(preset)}
            >
              {describeSpan(millis)}
            </button>
          );
        })}
      </div>
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
    </div>
  );
}

/** As `datetime-local` fields have it: local time, to the second. */
function localText(unixMillis: number): string {
  const offsetMillis = new Date(unixMillis).getTimezoneOffset() * 60_000;
  return new Date(unixMillis - offsetMillis).toISOString().slice(0, 19);
}
