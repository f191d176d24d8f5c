// SPDX-License-Identifier: Apache-2.0
//
// Picks the time range: one of the usual last minutes and hours, or two instants.

import { useState } from 'preact/hooks';
import {
  describeSpan,
  describeTimeRange,
  lastMillis,
  PRESET_MILLIS,
  resolveTimeRange,
  type TimeRange,
} from '../time-range.ts';
import { Icon } from './icons.tsx';
import { Popover } from './popover.tsx';
import { RangeForm } from './range-form.tsx';

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
  const [window] = useState(() => resolveTimeRange(range, Date.now()));
  const picked = describeTimeRange(range);
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
      <RangeForm window={window} onPick={onPick} />
    </div>
  );
}
