// SPDX-License-Identifier: Apache-2.0
//
// The flame graph as people use it: pointer, touch and keyboard on the canvas, the tooltip, and what a screen reader is
// told. Zoom and cursor are paths of names, so that they outlive a refresh. The table beside it is its accessible twin.

import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ColourScheme, FlamePalette } from './colour.ts';
import { FlameCanvas, type FlameScene } from './flame-canvas.ts';
import { FlameTooltip } from './flame-tooltip.tsx';
import type { DescribeFrame } from './frame-figures.ts';
import { type FlameLayout, nodeAtPath, pathOf } from './layout.ts';
import { directionOfKey, step } from './navigate.ts';
import { ROW_HEIGHT } from './paint.ts';
import type { SearchMatches } from './search.ts';

export interface FlameGraphProps {
  /** At least one node. */
  readonly layout: FlameLayout;
  /** Of the layout, in the scheme. */
  readonly palette: FlamePalette;
  readonly describe: DescribeFrame;
  /** What it is a graph of, for the screen reader. */
  readonly title: string;
  /** Path of names of the frame zoomed into, below the root. */
  readonly root: readonly string[];
  readonly onRoot: (path: readonly string[]) => void;
  readonly onCopy: (name: string) => void;
  readonly matches: SearchMatches | undefined;
  /** Path of the frame that is pointed at in another graph of the same names, which is outlined here too. */
  readonly linked?: readonly string[] | undefined;
  /** Told the path of the frame that is pointed at here, by pointer or keyboard. */
  readonly onPoint?: (path: readonly string[] | undefined) => void;
  readonly scheme: ColourScheme;
}

interface Pointed {
  readonly node: number;
  readonly x: number;
  readonly y: number;
}

export function FlameGraph(props: FlameGraphProps) {
  const { layout, palette, describe, title, root, onRoot, onCopy, matches, linked, onPoint, scheme } = props;
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const spacer = useRef<HTMLDivElement>(null);
  const flame = useRef<FlameCanvas>(null);
  const [hovered, setHovered] = useState<Pointed>();
  const [cursorPath, setCursorPath] = useState<readonly string[]>();

  const rootNode = nodeAtPath(layout, root);
  const cursor = cursorPath === undefined ? -1 : nodeAtPath(layout, cursorPath);
  const scene: FlameScene = { layout, root: rootNode, matches: matches?.names, palette, scheme };

  // Made once; the effect below shows each later scene.
  useLayoutEffect(() => {
    const parts = { scroller: scroller.current!, canvas: canvas.current!, spacer: spacer.current! };
    flame.current = new FlameCanvas(parts, scene);
    return () => flame.current?.destroy();
  }, []);
  // The scene is made of exactly these.
  useEffect(() => flame.current?.show(scene), [layout, rootNode, matches, palette, scheme]);
  useEffect(() => setHovered(undefined), [layout]);
  const linkedNode = linked === undefined ? -1 : nodeAtWholePath(layout, linked);
  useEffect(() => flame.current?.setHovered(hovered?.node ?? linkedNode), [hovered, linkedNode]);
  useEffect(() => flame.current?.setCursor(cursor), [cursor]);
  const pointedNode = hovered?.node ?? cursor;
  useEffect(
    () => onPoint?.(pointedNode < 0 ? undefined : pathOf(layout, pointedNode)),
    [pointedNode, layout],
  );

  const zoomTo = (node: number): void => {
    setHovered(undefined);
    onRoot(pathOf(layout, node));
  };
  const point = (event: { clientX: number; clientY: number }): void => {
    const node = flame.current!.nodeAtPoint(event.clientX, event.clientY);
    setHovered(node < 0 ? undefined : { node, x: event.clientX, y: event.clientY });
  };
  const click = (event: MouseEvent): void => {
    const node = flame.current!.nodeAtPoint(event.clientX, event.clientY);
    setCursorPath(undefined);
    if (node >= 0) zoomTo(node);
  };
  const keyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = directionOfKey(event.key);
    const from = cursor < 0 ? rootNode : cursor;
    if (direction !== undefined) {
      const next = cursor < 0 ? rootNode : step(layout, from, direction, rootNode, flame.current!.minTotal());
      setHovered(undefined);
      setCursorPath(pathOf(layout, next));
      flame.current!.reveal(next);
    } else if (event.key === 'Enter') zoomTo(from);
    else if (event.key === 'Home') setCursorPath(pathOf(layout, rootNode));
    else if (event.key === 'c') onCopy(layout.names[layout.name[hovered?.node ?? from]!]!);
    else if (event.key === 'Escape') {
      setCursorPath(undefined);
      onRoot([]);
    } else return;
    event.preventDefault();
  };

  const shown =
    hovered ?? (cursor >= 0 ? pointedAt(flame.current, canvas.current, scene, cursor) : undefined);
  const figures = shown && describe(shown.node);
  return (
    <div ref={scroller} class="flame-scroller">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the canvas takes the arrow keys itself. */}
      <canvas
        ref={canvas}
        class="flame-canvas"
        tabIndex={0}
        role="application"
        aria-roledescription="flame graph"
        aria-label={`Flame graph of ${title}, ${layout.length - 1} frames`}
        aria-describedby={`${id}-keys`}
        onPointerMove={point}
        onPointerLeave={() => setHovered(undefined)}
        onClick={click}
        onDblClick={() => onRoot([])}
        onKeyDown={keyDown}
        onBlur={() => setCursorPath(undefined)}
      />
      <div ref={spacer} />
      <p id={`${id}-keys`} class="visually-hidden">
        Arrow keys move between frames, Enter zooms, Escape shows everything again, C copies the name. The
        table of functions holds the same figures.
      </p>
      <p class="visually-hidden" aria-live="polite">
        {cursor >= 0 && figures !== undefined ? figures.spoken : ''}
      </p>
      {figures !== undefined && (
        <FlameTooltip id={`${id}-tooltip`} figures={figures} x={shown!.x} y={shown!.y} />
      )}
    </div>
  );
}

/** The node at the path, or -1 where a part of it is not there. */
function nodeAtWholePath(layout: FlameLayout, path: readonly string[]): number {
  const node = nodeAtPath(layout, path);
  return layout.depth[node] === path.length ? node : -1;
}

/** The tooltip's place for a bar reached by keyboard: below its left end. */
function pointedAt(
  flame: FlameCanvas | null,
  canvas: HTMLCanvasElement | null,
  scene: FlameScene,
  node: number,
): Pointed | undefined {
  if (flame === null || canvas === null) return undefined;
  const box = flame.boxOf(scene, node);
  const bounds = canvas.getBoundingClientRect();
  return { node, x: bounds.left + box.left, y: bounds.top + box.top + ROW_HEIGHT / 2 };
}
