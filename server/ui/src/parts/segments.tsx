// SPDX-License-Identifier: Apache-2.0
//
// A choice of few, all of them seen at once.

import { Icon, type IconName } from './icons.tsx';

export interface Segment<T extends string> {
  readonly value: T;
  readonly title: string;
  readonly icon?: IconName;
}

export interface SegmentsProps<T extends string> {
  readonly label: string;
  readonly segments: readonly Segment<T>[];
  readonly value: T;
  readonly onPick: (value: T) => void;
  readonly class?: string;
}

export function Segments<T extends string>({
  label,
  segments,
  value,
  onPick,
  class: extra,
}: SegmentsProps<T>) {
  return (
    <fieldset class={`segments ${extra ?? ''}`} aria-label={label}>
      {segments.map((segment) => (
        <button
          key={segment.value}
          type="button"
          class={`segment is-${segment.value}`}
          aria-pressed={segment.value === value}
          title={segment.title}
          onClick={() => onPick(segment.value)}
        >
          {segment.icon !== undefined && <Icon name={segment.icon} />}
          <span>{segment.title}</span>
        </button>
      ))}
    </fieldset>
  );
}
