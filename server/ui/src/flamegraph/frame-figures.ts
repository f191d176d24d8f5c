// SPDX-License-Identifier: Apache-2.0
//
// The figures of one frame in words, for the tooltip, the path bar and the screen reader alike.

import { formatPercent, formatRate, formatValue, type Measure } from '../units.ts';
import { FRAME_KINDS, type FrameKind } from './frame-kind.ts';
import type { FlameLayout } from './layout.ts';

export interface FrameFigures {
  readonly name: string;
  readonly kind: FrameKind;
  readonly self: string;
  readonly selfPercent: string;
  readonly total: string;
  readonly totalPercent: string;
  /** undefined for the root. */
  readonly parentPercent: string | undefined;
  /** Over the whole time range; undefined where the measure is no rate. */
  readonly rate: string | undefined;
}

export function frameFigures(
  layout: FlameLayout,
  node: number,
  measure: Measure,
  durationMillis: number,
): FrameFigures {
  const total = layout.total[node]!;
  const self = layout.self[node]!;
  const whole = layout.total[0]!;
  return {
    name: layout.names[layout.name[node]!]!,
    kind: FRAME_KINDS[layout.kind[node]!]!,
    self: formatValue(self, measure.unit),
    selfPercent: formatPercent(self, whole),
    total: formatValue(total, measure.unit),
    totalPercent: formatPercent(total, whole),
    parentPercent: node === 0 ? undefined : formatPercent(total, layout.total[layout.parent[node]!]!),
    rate: measure.rate === 'instant' ? undefined : formatRate(total, durationMillis, measure),
  };
}
