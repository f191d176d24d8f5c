// SPDX-License-Identifier: Apache-2.0
//
// Graph, table, or both side by side; and of a comparison, the difference or its two sides.

import type { Arrangement, View } from '../url-state.ts';
import { type Segment, Segments } from './segments.tsx';

const VIEW_SEGMENTS: readonly Segment<View>[] = [
  { value: 'both', title: 'Both', icon: 'both' },
  { value: 'flame', title: 'Flame graph', icon: 'flame' },
  { value: 'table', title: 'Table', icon: 'table' },
];

const ARRANGEMENT_SEGMENTS: readonly Segment<Arrangement>[] = [
  { value: 'diff', title: 'Difference', icon: 'diff' },
  { value: 'sides', title: 'Side by side', icon: 'sides' },
];

export function ViewSwitch(props: { readonly view: View; readonly onView: (view: View) => void }) {
  return <Segments label="View" segments={VIEW_SEGMENTS} value={props.view} onPick={props.onView} />;
}

export function ArrangementSwitch(props: {
  readonly arrangement: Arrangement;
  readonly onArrangement: (arrangement: Arrangement) => void;
}) {
  return (
    <Segments
      label="Comparison as"
      segments={ARRANGEMENT_SEGMENTS}
      value={props.arrangement}
      onPick={props.onArrangement}
    />
  );
}
