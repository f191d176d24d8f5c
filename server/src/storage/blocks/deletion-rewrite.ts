// SPDX-License-Identifier: Apache-2.0
//
// Blocks without what somebody asked to be deleted.

import { quoted } from '../sql/sql-engine.ts';
import type { BlockSeries } from './block-series.ts';
import { inRanges } from './block-series.ts';
import type { BlockTarget } from './block-writer.ts';
import { type CompactionSources, compactBlocks, compactSums } from './compaction.ts';
import { type BlockMeta, hiddenThrough, type ServiceDeletion } from './manifest.ts';

/** Whether the block has a profile that was deleted. */
export async function isAffected(
  { engine, files }: CompactionSources,
  tenant: string,
  block: BlockMeta,
  series: BlockSeries,
  deletions: readonly ServiceDeletion[],
): Promise<boolean> {
  const conditions: string[] = [];
  for (let row = 0; row < series.length; row++) {
    const through = hiddenThrough(deletions, series.service(row));
    if (through < block.startMillis) continue;
    if (through >= block.endMillis) return true;
    const limit = (BigInt(through) + 1n) * 1_000_000n;
    conditions.push(`(${inRanges('series', [{ first: row, limit: row + 1 }])} AND time_nanos < ${limit})`);
  }
  if (conditions.length === 0) return false;
  using file = await files.hold(tenant, block, 'profiles.parquet');
  const { rows } = await engine.session((session) =>
    session.select(
      `SELECT profile FROM read_parquet(${quoted(file.path)}) WHERE ${conditions.join(' OR ')} LIMIT 1`,
      { profile: 'uinteger' },
    ),
  );
  return rows > 0;
}

/** A new block with all of the block that was not deleted; undefined when nothing is left. */
export async function rewrittenBlock(
  sources: CompactionSources,
  block: BlockMeta,
  deletions: readonly ServiceDeletion[],
  target: BlockTarget,
): Promise<BlockMeta | undefined> {
  if (block.files['samples.parquet'] === undefined) return compactSums(sources, block, deletions, target);
  const window = { startMillis: block.startMillis, limitMillis: block.endMillis + 1 };
  const rewritten = await compactBlocks(sources, [block], window, deletions, target);
  return rewritten && block.writer !== undefined ? { ...rewritten, writer: block.writer } : rewritten;
}
