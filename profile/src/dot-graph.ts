// SPDX-License-Identifier: Apache-2.0
//
// A stack tree as a call graph in the DOT language, in the style that users of pprof know: a box for each function with
// what it costs alone and together with what it calls, an arrow for each pair of caller and callee. The same tree always
// gives the same text.

import { cutTreeInSteps } from './cut-tree.ts';
import { compareNames } from './name-order.ts';
import type { ValueType } from './profile-type.ts';
import type { StackTree } from './stack-tree.ts';
import { finish, type Steps } from './steps.ts';
import { formatValue, percentage } from './value-format.ts';

export interface DotGraphOptions {
  readonly sampleType: ValueType;
  /** Nodes of the tree that the graph is made from; 0 for all. */
  readonly maxTreeNodes: number;
  /** Functions of the graph, those with the largest totals; 0 for all. */
  readonly maxNodes: number;
}

interface Box {
  readonly name: string;
  self: bigint;
  total: bigint;
}

interface Arrow {
  readonly from: number;
  readonly to: number;
  value: bigint;
  /** Whether functions between the two are not shown. */
  isResidual: boolean;
}

/** Nodes handled in one step. */
const NODES_PER_STEP = 4096;
/** Boxes and arrows below these parts of the whole are left out, as one in 200 and one in 1000. */
const MIN_BOX_PART = 200n;
const MIN_ARROW_PART = 1000n;
const MIN_FONT_SIZE = 8;
const MAX_FONT_GROWTH = 16;

/** @returns '' for an empty tree */
export function dotGraph(tree: StackTree, options: DotGraphOptions): string {
  return finish(dotGraphInSteps(tree, options));
}

export function* dotGraphInSteps(whole: StackTree, options: DotGraphOptions): Steps<string> {
  const total = whole.total[0]!;
  if (total === 0n) return '';
  const tree = yield* cutTreeInSteps(whole, options.maxTreeNodes);
  const boxes = yield* boxesInSteps(tree);
  const shown = shownBoxes(boxes, total, options.maxNodes);
  const arrows = yield* arrowsInSteps(tree, shown);
  return dotText(boxes, shown, arrows, total, options);
}

/** A box for each name of the tree. */
function* boxesInSteps(tree: StackTree): Steps<Box[]> {
  const boxes: Box[] = tree.names.map((name) => ({ name, self: 0n, total: 0n }));
  for (let node = 1; node < tree.length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    const box = boxes[tree.name[node]!]!;
    box.self += tree.self[node]!;
    // A function that calls itself counts where it is called first.
    if (!isBelowItself(tree, node)) box.total += tree.total[node]!;
  }
  return boxes;
}

function isBelowItself({ parent, name }: StackTree, node: number): boolean {
  for (let above = parent[node]!; above !== 0; above = parent[above]!) {
    if (name[above] === name[node]) return true;
  }
  return false;
}

/** Indexes of boxes, the largest first. */
function shownBoxes(boxes: readonly Box[], total: bigint, maxNodes: number): number[] {
  const minTotal = total / MIN_BOX_PART;
  const order = boxes.flatMap(({ total: of }, box) => (of > 0n && of >= minTotal ? [box] : []));
  const sorted = order.sort((a, b) => {
    const x = boxes[a]!;
    const y = boxes[b]!;
    return descending(x.self, y.self) || descending(x.total, y.total) || compareNames(x.name, y.name);
  });
  if (maxNodes <= 0 || sorted.length <= maxNodes) return sorted;
  // Callers matter as much as those that work themselves: what is kept is chosen by its total.
  const largest = sorted.toSorted((a, b) => descending(boxes[a]!.total, boxes[b]!.total)).slice(0, maxNodes);
  const kept = new Set(largest);
  return sorted.filter((box) => kept.has(box));
}

/** From each shown function to the next shown one below it. */
function* arrowsInSteps(tree: StackTree, shown: readonly number[]): Steps<Arrow[]> {
  const isShown = new Uint8Array(tree.names.length);
  for (const box of shown) isShown[box] = 1;
  const arrows = new Map<number, Arrow>();
  for (let node = 1; node < tree.length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    const to = tree.name[node]!;
    if (isShown[to] === 0) continue;
    let above = tree.parent[node]!;
    const isResidual = above !== 0 && isShown[tree.name[above]!] === 0;
    while (above !== 0 && isShown[tree.name[above]!] === 0) above = tree.parent[above]!;
    if (above === 0) continue;
    const from = tree.name[above]!;
    const key = from * tree.names.length + to;
    const arrow = arrows.get(key);
    // Below an arrow of the same two functions it is counted already.
    if (arrow !== undefined && isBelowArrow(tree, above, from, to, isShown)) continue;
    if (arrow === undefined) arrows.set(key, { from, to, value: tree.total[node]!, isResidual });
    else {
      arrow.value += tree.total[node]!;
      arrow.isResidual &&= isResidual;
    }
  }
  return [...arrows.values()];
}

/** Whether the shown functions above `node` have `from` directly above `to` once more. */
function isBelowArrow(
  { parent, name }: StackTree,
  node: number,
  from: number,
  to: number,
  isShown: Uint8Array,
): boolean {
  let below = -1;
  for (let above = node; above !== 0; above = parent[above]!) {
    const box = name[above]!;
    if (isShown[box] === 0) continue;
    if (box === from && below === to) return true;
    below = box;
  }
  return false;
}

function dotText(
  boxes: readonly Box[],
  shown: readonly number[],
  arrows: readonly Arrow[],
  total: bigint,
  { sampleType }: DotGraphOptions,
): string {
  const value = (amount: bigint) => formatValue(amount, sampleType.unit);
  // The first one is the one with the largest value of its own.
  const maxSelf = shown[0] === undefined ? 0n : boxes[shown[0]]!.self;
  const numberOf = new Map(shown.map((box, i) => [box, i + 1]));
  const kept = arrows
    .filter(({ value: weight }) => weight >= total / MIN_ARROW_PART)
    .sort(
      (a, b) =>
        descending(a.value, b.value) ||
        numberOf.get(a.from)! - numberOf.get(b.from)! ||
        numberOf.get(a.to)! - numberOf.get(b.to)!,
    );
  const accounted = shown.reduce((sum, box) => sum + boxes[box]!.self, 0n);
  const legend = [
    ...(sampleType.type === '' ? [] : [`Type: ${sampleType.type}`]),
    `Showing nodes accounting for ${value(accounted)}, ${percentage(accounted, total)} of ${value(total)} total`,
    ...(shown.length < boxes.length ? [`Showing ${shown.length} of ${boxes.length} nodes`] : []),
    ...(kept.length < arrows.length ? [`Dropped ${arrows.length - kept.length} edges`] : []),
  ].map(escaped);
  return [
    'digraph "unnamed" {',
    'node [style=filled fillcolor="#f8f8f8"]',
    `subgraph cluster_L { "${legend[0]}" [shape=box fontsize=16 label="${legend.join('\\l')}\\l"] }`,
    ...shown.map((box) => boxLine(boxes[box]!, numberOf.get(box)!, maxSelf, total, value)),
    ...kept.map((arrow) =>
      arrowLine(arrow, boxes, [numberOf.get(arrow.from)!, numberOf.get(arrow.to)!], total, value),
    ),
    '}',
    '',
  ].join('\n');
}

function boxLine(
  { name, self, total: cumulative }: Box,
  number: number,
  maxSelf: bigint,
  total: bigint,
  value: (amount: bigint) => string,
): string {
  const share = (amount: bigint) => `${value(amount)} (${percentage(amount, total)})`;
  const own = self === 0n ? '0' : share(self);
  const separator = self === 0n ? ' ' : '\\n';
  const all = cumulative === self ? '' : `${separator}of ${share(cumulative)}`;
  const label = `${brokenName(name)}\\n${own}${all}`;
  const growth = maxSelf === 0n ? 0 : Math.ceil(MAX_FONT_GROWTH * Math.sqrt(ratio(self, maxSelf)));
  const part = ratio(cumulative, total);
  return `N${number} [label="${label}" id="node${number}" fontsize=${MIN_FONT_SIZE + growth} shape=box tooltip="${escaped(name)} (${value(cumulative)})" color="${color(part, false)}" fillcolor="${color(part, true)}"]`;
}

function arrowLine(
  { from, to, value: weight, isResidual }: Arrow,
  boxes: readonly Box[],
  [fromNumber, toNumber]: readonly [number, number],
  total: bigint,
  value: (amount: bigint) => string,
): string {
  const layoutWeight = 1 + Number((weight * 100n) / total);
  const width = 1 + Number((weight * 5n) / total);
  const tooltip = `${escaped(boxes[from]!.name)} ${isResidual ? '...' : '->'} ${escaped(boxes[to]!.name)} (${value(weight)})`;
  const attributes = [
    `label=" ${value(weight)}"`,
    ...(layoutWeight > 1 ? [`weight=${layoutWeight}`] : []),
    ...(width > 1 ? [`penwidth=${width}`] : []),
    `color="${color(ratio(weight, total), false)}"`,
    `tooltip="${tooltip}"`,
    `labeltooltip="${tooltip}"`,
    ...(isResidual ? ['style="dotted"'] : []),
  ];
  return `N${fromNumber} -> N${toNumber} [${attributes.join(' ')}]`;
}

/** Long names take several lines: a break after each part of a path, a namespace or a package. */
function brokenName(name: string): string {
  return escaped(name.slice(name.lastIndexOf('/') + 1)).replaceAll(/::|\.(?=[^.\]])/g, '\\n');
}

/** Within a quoted string of DOT. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\l');
}

/** From grey to red as the part grows; pale for areas, dark for lines. */
function color(part: number, isArea: boolean): string {
  const warmth = Math.min(1, part) ** 0.3;
  const strength = isArea ? 0.1 : 1;
  const saturation = strength * Math.min(1, part / 0.2);
  const brightness = isArea ? 0.93 : 0.7;
  const channels = [brightness, brightness * (1 - saturation * warmth), brightness * (1 - saturation)];
  return `#${channels
    .map((channel) =>
      Math.floor(channel * 255)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`;
}

/** Precise enough for what is drawn. */
function ratio(part: bigint, whole: bigint): number {
  return Number(part) / Number(whole);
}

function descending(a: bigint, b: bigint): number {
  return a === b ? 0 : a > b ? -1 : 1;
}
