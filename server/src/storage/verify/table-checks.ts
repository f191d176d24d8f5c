// SPDX-License-Identifier: Apache-2.0
//
// The rules that hold between the tables of one block (docs/formats/blocks.md), each as a query for the rows that break it.

import {
  ATTRIBUTES_SCHEMA,
  LINKS_SCHEMA,
  PROFILES_SCHEMA,
  SAMPLES_SCHEMA,
  SERIES_SCHEMA,
  SUMS_SCHEMA,
} from '../blocks/block-tables.ts';
import type { BlockFileName } from '../blocks/manifest.ts';
import type { ColumnType } from '../sql/sql-engine.ts';

export type TableFile = Exclude<BlockFileName, 'symbols.bin'>;

/** The name that a file has in queries, and its columns. */
export const TABLES: Readonly<
  Record<TableFile, { readonly view: string; readonly schema: Readonly<Record<string, ColumnType>> }>
> = {
  'series.parquet': { view: 'series', schema: SERIES_SCHEMA },
  'profiles.parquet': { view: 'profiles', schema: PROFILES_SCHEMA },
  'samples.parquet': { view: 'samples', schema: SAMPLES_SCHEMA },
  'links.parquet': { view: 'links', schema: LINKS_SCHEMA },
  'attributes.parquet': { view: 'attributes', schema: ATTRIBUTES_SCHEMA },
  'samples-5m.parquet': { view: 'samples_5m', schema: SUMS_SCHEMA },
  'samples-1h.parquet': { view: 'samples_1h', schema: SUMS_SCHEMA },
};

export interface TableCheck {
  /** The file that is wrong when there are such rows. */
  readonly file: TableFile;
  /** Files that must be there for the check. */
  readonly needs: readonly TableFile[];
  /** To complete "N rows …". */
  readonly what: string;
  /** Selects the rows that are wrong. */
  readonly sql: string;
}

const NANOS_PER_HOUR = 3_600_000_000_000;
const FIVE_MINUTES = 'p.time_nanos // 300000000000';

const sumsOfSamples = (bucket: string) =>
  `SELECT p.series, (${bucket})::UINTEGER AS bucket, s.stack, sum(s.value)::BIGINT AS value FROM samples s JOIN profiles p USING (profile) GROUP BY ALL`;
const different = (a: string, b: string) => `((${a}) EXCEPT ALL (${b})) UNION ALL ((${b}) EXCEPT ALL (${a}))`;
const sums = (view: string) => `SELECT series, bucket, stack, value FROM ${view}`;
const HOURS_OF_FIVE_MINUTES =
  'SELECT series, (bucket // 12)::UINTEGER AS bucket, stack, sum(value)::BIGINT AS value FROM samples_5m GROUP BY ALL';

export const TABLE_CHECKS: readonly TableCheck[] = [
  {
    file: 'series.parquet',
    needs: [],
    what: 'are not where their number says',
    sql: 'SELECT 1 FROM series WHERE series <> file_row_number',
  },
  {
    file: 'series.parquet',
    needs: [],
    what: 'do not begin where the profiles of the series before end',
    sql: 'SELECT 1 FROM (SELECT first_profile, lag(first_profile + profiles, 1, 0::UINTEGER) OVER (ORDER BY series) AS before FROM series) WHERE first_profile <> before',
  },
  {
    file: 'profiles.parquet',
    needs: [],
    what: 'are not where their number says',
    sql: 'SELECT 1 FROM profiles WHERE profile <> file_row_number',
  },
  {
    file: 'profiles.parquet',
    needs: [],
    what: 'are of a series that does not exist or has other profiles',
    sql: 'SELECT 1 FROM profiles p LEFT JOIN series s USING (series) WHERE s.first_profile IS NULL OR p.profile < s.first_profile OR p.profile >= s.first_profile + s.profiles',
  },
  {
    file: 'profiles.parquet',
    needs: [],
    what: 'are earlier than the one before in their series',
    sql: 'SELECT 1 FROM (SELECT time_nanos, lag(time_nanos) OVER (PARTITION BY series ORDER BY profile) AS before FROM profiles) WHERE time_nanos < before',
  },
  {
    file: 'samples.parquet',
    needs: ['samples.parquet'],
    what: 'are of a profile that does not exist',
    sql: 'SELECT 1 FROM samples s ANTI JOIN profiles p USING (profile)',
  },
  {
    file: 'samples.parquet',
    needs: ['samples.parquet'],
    what: 'are out of order',
    sql: `SELECT 1 FROM (
      SELECT (p.series, p.time_nanos // ${NANOS_PER_HOUR}, s.stack, s.profile) AS place,
        lag((p.series, p.time_nanos // ${NANOS_PER_HOUR}, s.stack, s.profile)) OVER (ORDER BY s.file_row_number) AS before
      FROM samples s JOIN profiles p USING (profile)) WHERE place < before`,
  },
  {
    file: 'samples.parquet',
    needs: ['samples.parquet'],
    what: 'of profiles do not add up to the total and number that the profile says',
    sql: `SELECT 1 FROM profiles p LEFT JOIN (SELECT profile, count(*) AS samples, sum(value) AS total FROM samples GROUP BY profile) s USING (profile)
      WHERE p.samples <> coalesce(s.samples, 0) OR p.total <> coalesce(s.total, 0)`,
  },
  {
    file: 'samples.parquet',
    needs: ['samples.parquet'],
    what: 'are in a span that does not exist',
    sql: 'SELECT 1 FROM samples WHERE link > (SELECT count(*) FROM links)',
  },
  {
    file: 'samples.parquet',
    needs: ['samples.parquet'],
    what: 'have attributes that do not exist',
    sql: 'SELECT 1 FROM samples WHERE attributes > (SELECT count(*) FROM attributes)',
  },
  {
    file: 'profiles.parquet',
    needs: [],
    what: 'have attributes that do not exist',
    sql: 'SELECT 1 FROM profiles WHERE attributes > (SELECT count(*) FROM attributes)',
  },
  {
    file: 'links.parquet',
    needs: ['links.parquet'],
    what: 'are not where their number says',
    sql: 'SELECT 1 FROM links WHERE link <> file_row_number + 1',
  },
  {
    file: 'attributes.parquet',
    needs: ['attributes.parquet'],
    what: 'are not where their number says',
    sql: 'SELECT 1 FROM attributes WHERE attributes <> file_row_number + 1',
  },
  {
    file: 'samples-5m.parquet',
    needs: ['samples.parquet', 'samples-5m.parquet'],
    what: 'are not the sums of the samples',
    sql: different(sumsOfSamples(FIVE_MINUTES), sums('samples_5m')),
  },
  {
    file: 'samples-1h.parquet',
    needs: ['samples.parquet', 'samples-1h.parquet'],
    what: 'are not the sums of the samples',
    sql: different(sumsOfSamples(`p.time_nanos // ${NANOS_PER_HOUR}`), sums('samples_1h')),
  },
  {
    file: 'samples-1h.parquet',
    needs: ['samples-5m.parquet', 'samples-1h.parquet'],
    what: 'are not the sums of the sums by 5 minutes',
    sql: different(HOURS_OF_FIVE_MINUTES, sums('samples_1h')),
  },
  {
    file: 'samples-5m.parquet',
    needs: ['samples-5m.parquet'],
    what: 'are of a series that does not exist',
    sql: 'SELECT 1 FROM samples_5m ANTI JOIN series USING (series)',
  },
  {
    file: 'samples-1h.parquet',
    needs: ['samples-1h.parquet'],
    what: 'are of a series that does not exist',
    sql: 'SELECT 1 FROM samples_1h ANTI JOIN series USING (series)',
  },
];
