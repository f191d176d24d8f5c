// SPDX-License-Identifier: Apache-2.0
//
// A selection of stored samples as one Parquet file, with names in place of stack ids, for other tools. Where retention has
// left sums only, a row is such a sum.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { labelValue, ProfileTypeLabels } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import { stackSums } from '@hearthscope/profile/stack-tree';
import { inRange, rangesOf, type SelectedBlock } from '../blocks/block-queries.ts';
import { inRanges } from '../blocks/block-series.ts';
import { encodeLabels } from '../blocks/block-tables.ts';
import { blockKey } from '../blocks/block-writer.ts';
import type { BlockFileName } from '../blocks/manifest.ts';
import { type SamplePlan, samplePlan } from '../blocks/sample-plan.ts';
import { quoted, type SqlSession } from '../sql/sql-engine.ts';
import type { OpenExport } from './open-export.ts';

/** No name of a function has it. */
const SEPARATOR = '\u001f';

/** Writes the file, whose columns are:
 *
 *     time        TIMESTAMP_NS  start of the profile, or of the 5 minutes or the hour of a sum
 *     resolution  VARCHAR       `profile`, `5m` or `1h`: what the row is a part of
 *     service, profile_type     VARCHAR
 *     labels      VARCHAR       JSON: pairs of name and value
 *     profile_id, trace_id, span_id  VARCHAR  hex digits, NULL where there is none
 *     stack       VARCHAR[]     names of functions, leaf first
 *     value       BIGINT        in the unit of the profile type
 *
 * @param path in a folder that the engine may write to
 * @returns rows written
 * @throws HearthscopeError not_found when there are none */
export async function exportParquet(opened: OpenExport, path: string): Promise<number> {
  const { blocks, question } = opened;
  const { engine } = blocks.options;
  const merged = await blocks.mergeStacks(question, {});
  const selected = await blocks.select(question);
  return engine.session(async (session) => {
    await nameStacks(session, merged);
    await session.run(
      'CREATE TEMP TABLE exported_series (block uinteger, series uinteger, service varchar, profile_type varchar, labels varchar)',
    );
    const parts: string[] = [];
    for (const [i, one] of selected.entries()) {
      await addSeries(session, i, one);
      parts.push(...partsOf(opened, i, one));
    }
    if (parts.length === 0) throw new HearthscopeError('not_found', 'the selected profiles have no samples');
    await session.run(
      `COPY (SELECT make_timestamp_ns(p.time_nanos) AS time, p.resolution, e.service, e.profile_type, e.labels,
         p.profile_id, p.trace_id, p.span_id, string_split(coalesce(n.frames, ''), '${SEPARATOR}') AS stack, p.value
       FROM (${parts.join(' UNION ALL ')}) p
       JOIN exported_series e USING (block, series) LEFT JOIN names n USING (stack)
       ORDER BY p.time_nanos, e.service, e.labels) TO ${quoted(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    const { columns } = await session.select(
      `SELECT num_rows::DOUBLE AS rows FROM parquet_file_metadata(${quoted(path)})`,
      { rows: 'double' },
    );
    return columns.rows[0]!;
  });
}

/** Leaves the table `names` (stack, frames). Stacks whose values cancel each other out are not in the sums; they have no
 * names. */
async function nameStacks(
  session: SqlSession,
  merged: { readonly profile: Profile; readonly ids: BigUint64Array } | undefined,
): Promise<void> {
  await session.run('CREATE TEMP TABLE names (stack ubigint, frames varchar)');
  if (merged === undefined) return;
  const { names, start, frame } = stackSums(merged.profile);
  const frames = Array.from(merged.ids, (_, i) =>
    Array.from(frame.subarray(start[i], start[i + 1]), (name) => names[name]!).join(SEPARATOR),
  );
  await session.append('names', { stack: 'ubigint', frames: 'varchar' }, { stack: merged.ids, frames });
}

async function addSeries(
  session: SqlSession,
  block: number,
  { index, series }: SelectedBlock,
): Promise<void> {
  const schema = {
    block: 'uinteger',
    series: 'uinteger',
    service: 'varchar',
    profile_type: 'varchar',
    labels: 'varchar',
  } as const;
  const sets = series.map((row) => index.labels(row));
  await session.append('exported_series', schema, {
    block: new Uint32Array(series.length).fill(block),
    series: Uint32Array.from(series),
    service: series.map((row) => index.service(row)),
    profile_type: sets.map((set) => labelValue(set, ProfileTypeLabels.profileType)),
    labels: sets.map(encodeLabels),
  });
}

function partsOf({ blocks, question }: OpenExport, i: number, one: SelectedBlock): string[] {
  const { block, series, range } = one;
  const table = (name: BlockFileName) =>
    `read_parquet(${quoted(blocks.options.store.localPath(blockKey(question.tenant, block.id, name))!)})`;
  const inSeries = (column: string) => inRanges(column, rangesOf(series));
  if (block.files['samples.parquet'] !== undefined) {
    const hasLinks = block.files['links.parquet'] !== undefined;
    const hex = (high: string, low: string) =>
      `CASE WHEN ${high} = 0 AND ${low} = 0 THEN NULL ELSE printf('%016x%016x', ${high}, ${low}) END`;
    return [
      `SELECT ${i}::UINTEGER AS block, p.series, p.time_nanos, 'profile' AS resolution, ${hex('p.id_high', 'p.id_low')} AS profile_id,
         ${hasLinks ? hex('l.trace_high', 'l.trace_low') : 'NULL::VARCHAR'} AS trace_id,
         ${hasLinks ? "CASE WHEN l.span = 0 THEN NULL ELSE printf('%016x', l.span) END" : 'NULL::VARCHAR'} AS span_id, s.stack, s.value
       FROM ${table('samples.parquet')} s JOIN ${table('profiles.parquet')} p USING (profile)
       ${hasLinks ? `LEFT JOIN ${table('links.parquet')} l ON l.link = s.link` : ''}
       WHERE ${inSeries('p.series')} AND ${inRange(block, range)}`,
    ];
  }
  const plan = samplePlan(block, range.startMillis, range.endMillis, true);
  return sumParts(plan).map(
    ({ file, first, limit, nanos, resolution }) =>
      `SELECT ${i}::UINTEGER AS block, series, bucket::BIGINT * ${nanos} AS time_nanos, '${resolution}' AS resolution,
         NULL::VARCHAR AS profile_id, NULL::VARCHAR AS trace_id, NULL::VARCHAR AS span_id, stack, value
       FROM ${table(file)} WHERE ${inSeries('series')} AND bucket BETWEEN ${first} AND ${limit - 1n}`,
  );
}

interface SumPart {
  readonly file: BlockFileName;
  readonly first: bigint;
  readonly limit: bigint;
  readonly nanos: number;
  readonly resolution: string;
}

function sumParts({ hours, fiveMinutes }: SamplePlan): SumPart[] {
  const byHour = { file: 'samples-1h.parquet', nanos: 3_600_000_000_000, resolution: '1h' } as const;
  const byFiveMinutes = { file: 'samples-5m.parquet', nanos: 300_000_000_000, resolution: '5m' } as const;
  return [
    ...(hours === undefined ? [] : [{ ...byHour, ...hours }]),
    ...fiveMinutes.map((buckets) => ({ ...byFiveMinutes, ...buckets })),
  ];
}
