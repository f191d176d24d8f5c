// SPDX-License-Identifier: Apache-2.0
//
// The flame graph of one profile, coloured by package.

import { useMemo } from 'preact/hooks';
import { FramePalette } from './colour.ts';
import { FlameGraph, type FlameGraphProps } from './flame-graph.tsx';

export function ProfileGraph(props: Omit<FlameGraphProps, 'palette'>) {
  const { layout, scheme } = props;
  const palette = useMemo(() => new FramePalette(layout, scheme), [layout, scheme]);
  return <FlameGraph {...props} palette={palette} />;
}
