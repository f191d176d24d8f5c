// SPDX-License-Identifier: Apache-2.0
//
// Draws the bars of one frame of the picture. Knows nothing of the page: what to draw comes in, pixels go out.

import type { FlamePalette } from './colour.ts';
import type { FlameLayout } from './layout.ts';
import type { TextFit } from './text-fit.ts';
import type { FlameView } from './visible.ts';

/** Height of a bar with the gap below it, in CSS pixels. */
export const ROW_HEIGHT = 22;
/** Narrower bars are not drawn. */
export const MIN_BAR_WIDTH = 0.5;
const GAP = 1;
const TEXT_PADDING = 6;
const MIN_TEXT_WIDTH = 26;
const CORNER_RADIUS = 3;
const MIN_ROUNDED_WIDTH = 8;
const ANCESTOR_ALPHA = 0.6;

/** CSS values, read from the page's design tokens. */
export interface FlameTheme {
  readonly font: string;
  readonly text: string;
  /** Text of the root, which stands for everything and has no colour of its own. */
  readonly rootText: string;
  /** Fill and text of bars that a search does not match. */
  readonly dimFill: string;
  readonly dimText: string;
  readonly hoverOutline: string;
  readonly cursorOutline: string;
}

export interface FlamePicture {
  readonly layout: FlameLayout;
  /** What {@link ./visible.ts} chose, in depth order. */
  readonly nodes: readonly number[];
  readonly view: FlameView;
  /** The node zoomed into; its ancestors are drawn paler. */
  readonly root: number;
  readonly palette: FlamePalette;
  readonly theme: FlameTheme;
  readonly textFit: TextFit;
  /** 1 for each name that a search matches, by name index; undefined without a search. */
  readonly matches: Uint8Array | undefined;
  /** Nodes to outline, or -1. */
  readonly hovered: number;
  readonly cursor: number;
  /** In CSS pixels, of the canvas. */
  readonly width: number;
  readonly height: number;
  /** How far the rows are scrolled up, in CSS pixels. */
  readonly scrollTop: number;
  readonly pixelRatio: number;
}

/** A bar's place on the canvas in CSS pixels, cut off at the canvas' left and right edge. */
export interface BarBox {
  readonly left: number;
  readonly width: number;
  readonly top: number;
}

export function barBox(
  picture: Pick<FlamePicture, 'layout' | 'view' | 'width' | 'scrollTop'>,
  node: number,
): BarBox {
  const { layout, view, width, scrollTop } = picture;
  const scale = width / view.width;
  const left = Math.max(0, (layout.x[node]! - view.start) * scale);
  const right = Math.min(width, (layout.x[node]! + layout.total[node]! - view.start) * scale);
  return { left, width: right - left, top: layout.depth[node]! * ROW_HEIGHT - scrollTop };
}

export function paintFlameGraph(context: CanvasRenderingContext2D, picture: FlamePicture): void {
  const { layout, palette, theme, matches, height, width, pixelRatio } = picture;
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = theme.font;
  context.textBaseline = 'middle';
  const rootDepth = layout.depth[picture.root]!;
  for (const node of picture.nodes) {
    const box = barBox(picture, node);
    if (box.top + ROW_HEIGHT <= 0) continue;
    if (box.top >= height) break;
    const name = layout.name[node]!;
    const isDim = matches !== undefined && matches[name] !== 1;
    context.globalAlpha = layout.depth[node]! < rootDepth ? ANCESTOR_ALPHA : 1;
    context.fillStyle = isDim || node === 0 ? theme.dimFill : palette.colour(node);
    fillBar(context, box);
    if (box.width >= MIN_TEXT_WIDTH) {
      const label = picture.textFit.fit(layout.names[name]!, box.width - GAP - 2 * TEXT_PADDING);
      context.fillStyle = isDim ? theme.dimText : node === 0 ? theme.rootText : theme.text;
      context.fillText(label, box.left + TEXT_PADDING, box.top + (ROW_HEIGHT - GAP) / 2 + 0.5);
    }
  }
  context.globalAlpha = 1;
  outlineBar(context, picture, picture.hovered, theme.hoverOutline, 1.5);
  outlineBar(context, picture, picture.cursor, theme.cursorOutline, 2);
}

function fillBar(context: CanvasRenderingContext2D, { left, width, top }: BarBox): void {
  const height = ROW_HEIGHT - GAP;
  // A gap would swallow most of a narrow bar.
  const gap = width > 3 * GAP ? GAP : 0;
  if (width < MIN_ROUNDED_WIDTH) {
    context.fillRect(left, top, width - gap, height);
    return;
  }
  context.beginPath();
  context.roundRect(left, top, width - gap, height, CORNER_RADIUS);
  context.fill();
}

function outlineBar(
  context: CanvasRenderingContext2D,
  picture: FlamePicture,
  node: number,
  colour: string,
  lineWidth: number,
): void {
  if (node < 0 || node >= picture.layout.length) return;
  const { left, width, top } = barBox(picture, node);
  if (width <= 0) return;
  const inset = lineWidth / 2;
  context.strokeStyle = colour;
  context.lineWidth = lineWidth;
  context.beginPath();
  context.roundRect(
    left + inset,
    top + inset,
    Math.max(1, width - GAP - lineWidth),
    ROW_HEIGHT - GAP - lineWidth,
    CORNER_RADIUS,
  );
  context.stroke();
}
