// SPDX-License-Identifier: Apache-2.0
//
// The canvas and its state between frames: size, scroll position, the animated view. Nothing is drawn outside of an
// animation frame, and no frame is asked for while nothing changes. The canvas is only as tall as the part of the graph
// that is seen; it sticks to the scrolling box, whose height comes from a spacer below it.

import type { ColourScheme, FlamePalette } from './colour.ts';
import type { FlameLayout } from './layout.ts';
import {
  type BarBox,
  barBox,
  type FlamePicture,
  type FlameTheme,
  MIN_BAR_WIDTH,
  paintFlameGraph,
  ROW_HEIGHT,
} from './paint.ts';
import { TextFit } from './text-fit.ts';
import { type FlameView, nodeAt, visibleNodes } from './visible.ts';

const ZOOM_MILLIS = 180;

/** What the graph shows; hovering and the cursor change more often and are set on their own. */
export interface FlameScene {
  /** At least one node. */
  readonly layout: FlameLayout;
  readonly root: number;
  readonly matches: Uint8Array | undefined;
  /** Of this layout and scheme. */
  readonly palette: FlamePalette;
  readonly scheme: ColourScheme;
}

export interface FlameCanvasParts {
  readonly scroller: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly spacer: HTMLElement;
}

interface ZoomAnimation {
  readonly from: FlameView;
  readonly to: FlameView;
  readonly startMillis: number;
}

export class FlameCanvas {
  readonly #parts: FlameCanvasParts;
  readonly #context: CanvasRenderingContext2D;
  readonly #resizeObserver: ResizeObserver;
  #scene: FlameScene;
  #theme: FlameTheme;
  #textFit: TextFit;
  #view: FlameView;
  #zoom: ZoomAnimation | undefined;
  #hovered = -1;
  #cursor = -1;
  #width = 0;
  #height = 0;
  #frame = 0;

  constructor(parts: FlameCanvasParts, scene: FlameScene) {
    this.#parts = parts;
    this.#context = parts.canvas.getContext('2d')!;
    this.#scene = scene;
    this.#theme = readTheme(parts.canvas);
    this.#textFit = textFitOf(this.#context, this.#theme);
    this.#view = viewOf(scene);
    this.#resizeObserver = new ResizeObserver(() => this.#resize());
    this.#resizeObserver.observe(parts.scroller);
    parts.scroller.addEventListener('scroll', this.#requestFrame, { passive: true });
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    this.#resizeObserver.disconnect();
    this.#parts.scroller.removeEventListener('scroll', this.#requestFrame);
  }

  /** Shows another scene. Within one layout a change of root is animated; a new layout takes its place at once. */
  show(scene: FlameScene): void {
    const before = this.#scene;
    if (scene === before) return;
    this.#scene = scene;
    if (scene.scheme !== before.scheme) {
      this.#theme = readTheme(this.#parts.canvas);
      this.#textFit = textFitOf(this.#context, this.#theme);
    }
    if (scene.layout !== before.layout) {
      this.#view = viewOf(scene);
      this.#zoom = undefined;
      this.#hovered = -1;
      this.#fitSpacer();
    } else if (scene.root !== before.root) {
      this.#startZoom(viewOf(scene));
    }
    this.#requestFrame();
  }

  setHovered(node: number): void {
    if (node === this.#hovered) return;
    this.#hovered = node;
    this.#requestFrame();
  }

  setCursor(node: number): void {
    if (node === this.#cursor) return;
    this.#cursor = node;
    this.#requestFrame();
  }

  /** The node drawn at a point of the window, or -1. */
  nodeAtPoint(clientX: number, clientY: number): number {
    const bounds = this.#parts.canvas.getBoundingClientRect();
    const depth = Math.floor((clientY - bounds.top + this.#parts.scroller.scrollTop) / ROW_HEIGHT);
    const value = this.#view.start + ((clientX - bounds.left) / bounds.width) * this.#view.width;
    const node = nodeAt(this.#scene.layout, depth, value);
    return node >= 0 && this.#scene.layout.total[node]! >= this.minTotal() ? node : -1;
  }

  /** The smallest value that is drawn once the zoom has come to rest. */
  minTotal(): number {
    const { width } = viewOf(this.#scene);
    return this.#width > 0 ? (MIN_BAR_WIDTH / this.#width) * width : 0;
  }

  /** Scrolls just so far that the node's row is seen. */
  reveal(node: number): void {
    const { scroller } = this.#parts;
    const top = this.#scene.layout.depth[node]! * ROW_HEIGHT;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    const lowest = top + ROW_HEIGHT - this.#height;
    if (lowest > scroller.scrollTop) scroller.scrollTop = lowest;
  }

  /** Where a node's bar will be once the scene is shown and at rest, relative to the canvas. */
  boxOf(scene: FlameScene, node: number): BarBox {
    const { scrollTop } = this.#parts.scroller;
    return barBox({ layout: scene.layout, view: viewOf(scene), width: this.#width, scrollTop }, node);
  }

  #startZoom(to: FlameView): void {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.#view = to;
      return;
    }
    this.#zoom = { from: this.#view, to, startMillis: performance.now() };
  }

  #resize(): void {
    const { canvas, scroller } = this.#parts;
    const pixelRatio = devicePixelRatio;
    this.#width = scroller.clientWidth;
    this.#height = scroller.clientHeight;
    canvas.width = Math.round(this.#width * pixelRatio);
    canvas.height = Math.round(this.#height * pixelRatio);
    canvas.style.width = `${this.#width}px`;
    canvas.style.height = `${this.#height}px`;
    this.#fitSpacer();
    // A canvas is blank once its size is set; waiting for a frame would flicker.
    this.#paint(performance.now());
  }

  #fitSpacer(): void {
    const rows = this.#scene.layout.levelStart.length - 1;
    this.#parts.spacer.style.height = `${Math.max(0, rows * ROW_HEIGHT - this.#height)}px`;
  }

  readonly #requestFrame = (): void => {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame((nowMillis) => {
      this.#frame = 0;
      this.#paint(nowMillis);
    });
  };

  #paint(nowMillis: number): void {
    if (this.#width === 0 || this.#height === 0) return;
    this.#advanceZoom(nowMillis);
    const { layout, root, matches, palette } = this.#scene;
    const { scrollTop } = this.#parts.scroller;
    const minTotal = (MIN_BAR_WIDTH / this.#width) * this.#view.width;
    const depthLimit = Math.ceil((scrollTop + this.#height) / ROW_HEIGHT);
    const picture: FlamePicture = {
      layout,
      nodes: visibleNodes(layout, this.#view, minTotal, depthLimit),
      view: this.#view,
      root,
      palette,
      theme: this.#theme,
      textFit: this.#textFit,
      matches,
      hovered: this.#hovered,
      cursor: this.#cursor,
      width: this.#width,
      height: this.#height,
      scrollTop,
      pixelRatio: devicePixelRatio,
    };
    paintFlameGraph(this.#context, picture);
  }

  #advanceZoom(nowMillis: number): void {
    if (this.#zoom === undefined) return;
    const { from, to, startMillis } = this.#zoom;
    const progress = Math.min(1, Math.max(0, (nowMillis - startMillis) / ZOOM_MILLIS));
    this.#view = progress === 1 ? to : between(from, to, 1 - (1 - progress) ** 3);
    if (progress === 1) this.#zoom = undefined;
    else this.#requestFrame();
  }
}

function viewOf({ layout, root }: FlameScene): FlameView {
  return { start: layout.x[root]!, width: layout.total[root]! };
}

function between(from: FlameView, to: FlameView, progress: number): FlameView {
  return {
    start: from.start + (to.start - from.start) * progress,
    width: from.width + (to.width - from.width) * progress,
  };
}

function readTheme(canvas: HTMLCanvasElement): FlameTheme {
  const style = getComputedStyle(canvas);
  const token = (name: string): string => style.getPropertyValue(name).trim();
  return {
    font: `12px ${token('--font-sans')}`,
    text: token('--flame-text'),
    rootText: token('--text'),
    dimFill: token('--flame-dim'),
    dimText: token('--flame-dim-text'),
    hoverOutline: token('--text'),
    cursorOutline: token('--accent'),
  };
}

function textFitOf(context: CanvasRenderingContext2D, theme: FlameTheme): TextFit {
  context.font = theme.font;
  return new TextFit((text) => context.measureText(text).width);
}
