// SPDX-License-Identifier: Apache-2.0
//
// How much a frame has changed between two profiles: its share of the one against its share of the other, on a scale
// that is the same in both directions.

import type { DiffLayout, SideColumns } from './diff-layout.ts';

/** What a frame weighs on both sides, each as a share of its side's whole. */
export interface ChangeOfShare {
  readonly left: number;
  readonly right: number;
}

export function shareOf(value: number, whole: number): number {
  return whole > 0 ? value / whole : 0;
}

export function changeOf({ left, right }: Pick<DiffLayout, 'left' | 'right'>, node: number): ChangeOfShare {
  return { left: totalShare(left, node), right: totalShare(right, node) };
}

function totalShare({ total, whole }: SideColumns, node: number): number {
  return shareOf(total[node]!, whole);
}

/** From −1, gone, by −0.5, half of what it was, and 0, as it was, and 0.5, twice what it was, to 1, new. */
export function degreeOfChange({ left, right }: ChangeOfShare): number {
  const larger = Math.max(left, right);
  return larger > 0 ? (right - left) / larger : 0;
}

/** `+12.5 %`, `−40 %`, `×3.2`, `new`, `gone`, `no change`, or `–` for what neither side has: the share now, against what it was. */
export function formatChange({ left, right }: ChangeOfShare): string {
  if (left === 0 && right === 0) return '–';
  if (left === 0) return 'new';
  if (right === 0) return 'gone';
  const ratio = right / left;
  if (ratio >= 10) return `×${ratio >= 1e6 ? '1 M+' : Number(ratio.toPrecision(3)).toLocaleString('en')}`;
  const percent = (ratio - 1) * 100;
  const digits = Math.abs(percent) >= 10 ? 0 : 1;
  const text = Math.abs(percent).toFixed(digits);
  if (Number(text) === 0) return 'no change';
  return `${percent > 0 ? '+' : '−'}${text} %`;
}

/** `+3.21 pp`: the difference of the shares in percentage points. */
export function formatPoints({ left, right }: ChangeOfShare): string {
  const points = (right - left) * 100;
  const text = Math.abs(points).toFixed(Math.abs(points) >= 10 ? 1 : 2);
  if (Number(text) === 0) return '0 pp';
  return `${points > 0 ? '+' : '−'}${text} pp`;
}
