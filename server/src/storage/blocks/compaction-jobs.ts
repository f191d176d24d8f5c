// SPDX-License-Identifier: Apache-2.0
//
// Which blocks are merged next: those of past hours become one block an hour, those of past days one a day.

import type { CompactionWindow } from './compaction.ts';
import type { BlockMeta } from './manifest.ts';

export const HOUR_MILLIS = 3_600_000;
export const DAY_MILLIS = 24 * HOUR_MILLIS;

const LEVEL_HOUR = 1;
const LEVEL_DAY = 2;
const MAX_BLOCKS_OF_ONE_JOB = 500;

export interface CompactionJob {
  readonly inputs: readonly BlockMeta[];
  /** Each becomes a block. */
  readonly windows: readonly CompactionWindow[];
  readonly level: number;
}

/** What is to be merged next: hours first, the oldest first.
 * @param blocks those that may be merged
 * @param untilMillis profiles that start before are complete, as far as one can wait */
export function compactionJob(blocks: readonly BlockMeta[], untilMillis: number): CompactionJob | undefined {
  const completeHour = Math.floor(untilMillis / HOUR_MILLIS) * HOUR_MILLIS;
  const cut = blocks
    .filter(({ level, endMillis }) => level < LEVEL_HOUR && endMillis < completeHour)
    .sort((a, b) => a.startMillis - b.startMillis)
    .slice(0, MAX_BLOCKS_OF_ONE_JOB);
  if (cut.length > 0) return { inputs: cut, windows: windowsOf(cut, HOUR_MILLIS), level: LEVEL_HOUR };
  const completeDay = Math.floor(untilMillis / DAY_MILLIS) * DAY_MILLIS;
  const byDay = new Map<number, BlockMeta[]>();
  for (const block of blocks) {
    if (block.level < LEVEL_HOUR || block.endMillis >= completeDay) continue;
    const day = Math.floor(block.startMillis / DAY_MILLIS);
    const list = byDay.get(day);
    if (list === undefined) byDay.set(day, [block]);
    else list.push(block);
  }
  const due = [...byDay]
    .filter(([, list]) => list.some(({ level }) => level < LEVEL_DAY))
    .sort(([a], [b]) => a - b)[0];
  if (due === undefined) return undefined;
  const inputs = due[1].slice(0, MAX_BLOCKS_OF_ONE_JOB);
  return { inputs, windows: windowsOf(inputs, DAY_MILLIS), level: LEVEL_DAY };
}

/** The whole hours or days that the blocks have profiles in. */
function windowsOf(blocks: readonly BlockMeta[], lengthMillis: number): CompactionWindow[] {
  const starts = new Set<number>();
  for (const { startMillis, endMillis } of blocks) {
    for (let n = Math.floor(startMillis / lengthMillis); n * lengthMillis <= endMillis; n++) starts.add(n);
  }
  return [...starts]
    .sort((a, b) => a - b)
    .map((n) => ({ startMillis: n * lengthMillis, limitMillis: (n + 1) * lengthMillis }));
}
