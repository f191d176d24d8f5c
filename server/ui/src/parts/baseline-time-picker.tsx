// SPDX-License-Identifier: Apache-2.0
//
// Picks the time of the baseline: before the comparison's, at the same time, or between two instants of its own.

import { useState } from 'preact/hooks';
import {
  BASELINE_PRESETS,
  type BaselineTime,
  baselineWindow,
  describeBaselineTime,
  formatBaselineTime,
} from '../baseline.ts';
import { resolveTimeRange, type TimeRange } from '../time-range.ts';
import { Icon } from './icons.tsx';
import { Popover } from './popover.tsx';
import { RangeForm } from './range-form.tsx';

export interface BaselineTimePickerProps {
  readonly time: BaselineTime;
  /** The comparison's. */
  readonly shown: TimeRange;
  readonly onPick: (time: BaselineTime) => void;
}

export function BaselineTimePicker({ time, shown, onPick }: BaselineTimePickerProps) {
  const text = describeBaselineTime(time);
  const face = (
    <>
      <Icon name="clock" />
      <span class="picker-value">{text}</span>
      <Icon name="chevron" />
    </>
  );
  return (
    <Popover face={face} label={`Baseline time: ${text}`} popup="dialog" class="time-picker">
      {(close) => (
        <BaselineTimeForm
          time={time}
          shown={shown}
          onPick={(picked) => {
            close();
            onPick(picked);
          }}
        />
      )}
    </Popover>
  );
}

function BaselineTimeForm({ time, shown, onPick }: BaselineTimePickerProps) {
  const [window] = useState(() => {
    const nowMillis = Date.now();
    return baselineWindow(time, resolveTimeRange(shown, nowMillis), nowMillis);
  });
  return (
    <div role="dialog" aria-label="Baseline time" class="time-form">
      <div class="time-presets">
        {BASELINE_PRESETS.map((preset) => (
          <button
            key={preset.title}
            type="button"
            class="chip"
            aria-pressed={formatBaselineTime(preset.time) === formatBaselineTime(time)}
            onClick={() => onPick(preset.time)}
          >
            {preset.title}
          </button>
        ))}
      </div>
      <RangeForm window={window} onPick={(range) => onPick({ kind: 'range', range })} />
    </div>
  );
}
