// SPDX-License-Identifier: Apache-2.0
//
// A flame graph as text: an icicle that grows downwards, one line a frame; collapsed stacks; tables of functions.

import { formatValue, percentage } from '@hearthscope/profile/value-format';
import { type FlameNode, functionSums, nodesOf, type Side } from './flame-tree.ts';
import { bar, fit, type Terminal, table } from './terminal.ts';

/** Frames with less than this share of the whole are left out of the tree, and counted. */
const MIN_SHARE = 0.005;
const BAR_WIDTH = 16;
/** Beside the bar: percentage, value, and the spaces between. */
const FIGURES_WIDTH = BAR_WIDTH + 24;
const MIN_NAME_WIDTH = 30;
const MAX_INDENT = 60;
const MAX_TABLE_ROWS = 50;

export function treeText(root: FlameNode, unit: string, { columns, paint }: Terminal): string {
  const whole = root.sides[0]!.total;
  const lines: string[] = [];
  let hidden = 0;
  for (const { node, depth } of nodesOf(root)) {
    const { total, self } = node.sides[0]!;
    const share = Number(total) / Number(whole);
    if (share < MIN_SHARE) {
      hidden++;
      continue;
    }
    const indent = '  '.repeat(Math.min(depth, MAX_INDENT / 2));
    const ofItself = self > 0n && depth > 0 ? ` (self ${percentage(self, whole)})` : '';
    const width = Math.max(MIN_NAME_WIDTH, columns - FIGURES_WIDTH - indent.length - ofItself.length);
    const figures = `${percentage(total, whole).padStart(7)}  ${formatValue(total, unit).padStart(10)}`;
    lines.push(
      `${figures}  ${paint(bar(share, BAR_WIDTH), heat(share))}  ${indent}${fit(node.name, width)}${paint(ofItself, DIM)}`,
    );
  }
  if (hidden > 0)
    lines.push(
      `${hidden} frames with less than ${MIN_SHARE * 100} % are not shown; --format collapsed has all`,
    );
  return `${lines.join('\n')}\n`;
}

const DIM = 244;
/** From yellow to red, in the 256-colour palette. */
const HEAT = [228, 221, 214, 208, 202, 196];

function heat(share: number): number {
  return HEAT[Math.min(HEAT.length - 1, Math.floor(share * HEAT.length))]!;
}

const ESCAPED = /[%;\n\r]/g;

/** One line a stack, root first, with what the leaf has itself. */
export function collapsedText(root: FlameNode): string {
  const path: string[] = [];
  let text = '';
  for (const { node, depth } of nodesOf(root)) {
    if (depth === 0) continue;
    path.length = depth - 1;
    path.push(node.name.replace(ESCAPED, encodeURIComponent));
    const { self } = node.sides[0]!;
    if (self > 0n) text += `${path.join(';')} ${self}\n`;
  }
  return text;
}

export function functionTableText(root: FlameNode, unit: string): string {
  const whole = root.sides[0]!.total;
  const functions = functionSums(root);
  const rows = functions
    .slice(0, MAX_TABLE_ROWS)
    .map(({ name, self: [self], total: [total] }) => [
      formatValue(self!, unit),
      percentage(self!, whole),
      formatValue(total!, unit),
      percentage(total!, whole),
      fit(name, Number.POSITIVE_INFINITY),
    ]);
  return (
    table(
      [
        { title: 'SELF', isNumber: true },
        { title: '%', isNumber: true },
        { title: 'TOTAL', isNumber: true },
        { title: '%', isNumber: true },
        { title: 'FUNCTION' },
      ],
      rows,
    ) + more(functions.length)
  );
}

/** Functions by how much their share changed, what grew first among equals. */
export function diffTableText(root: FlameNode, { paint }: Terminal): string {
  const [left, right] = root.sides as readonly [Side, Side];
  const share = (part: bigint, whole: bigint) => (whole === 0n ? 0 : (Number(part) * 100) / Number(whole));
  const functions = functionSums(root)
    .map(({ name, self, total }) => {
      const selfShares = [share(self[0]!, left.total), share(self[1]!, right.total)] as const;
      const totalShares = [share(total[0]!, left.total), share(total[1]!, right.total)] as const;
      return { name, selfShares, totalShares, change: selfShares[1] - selfShares[0] };
    })
    .sort((a, b) => Math.abs(b.change) - Math.abs(a.change) || b.totalShares[1] - a.totalShares[1]);
  const percent = (value: number) => `${value.toFixed(2)}%`;
  const rows = functions
    .slice(0, MAX_TABLE_ROWS)
    .map(({ name, selfShares, totalShares, change }) => [
      percent(selfShares[0]),
      percent(selfShares[1]),
      `${change > 0 ? '+' : ''}${percent(change)}`,
      percent(totalShares[0]),
      percent(totalShares[1]),
      fit(name, Number.POSITIVE_INFINITY),
    ]);
  const titles = ['SELF LEFT', 'SELF RIGHT', 'CHANGE', 'TOTAL LEFT', 'TOTAL RIGHT'];
  const lines = table([...titles.map((title) => ({ title, isNumber: true })), { title: 'FUNCTION' }], rows)
    .split('\n')
    .map((line, i) => {
      const change = i === 0 ? 0 : (functions[i - 1]?.change ?? 0);
      return Math.abs(change) < 1 ? line : paint(line, change > 0 ? GREW : SHRANK);
    });
  return lines.join('\n') + more(functions.length);
}

const GREW = 203;
const SHRANK = 77;

function more(functions: number): string {
  return functions > MAX_TABLE_ROWS ? `… and ${functions - MAX_TABLE_ROWS} more functions\n` : '';
}
