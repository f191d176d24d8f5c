// SPDX-License-Identifier: Apache-2.0
//
// The version of our tables, in the key-value metadata of each Parquet file, so that a reader knows what it has before it
// asks for columns that may be called or mean something else.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { quoted, type SqlSession } from '../sql/sql-engine.ts';

export const PARQUET_FORMAT_VERSION = 1;
const VERSION_KEY = 'hearthscope_format';

/** To be written into each file, as an option of COPY. */
export const FORMAT_METADATA = `KV_METADATA {${VERSION_KEY}: '${PARQUET_FORMAT_VERSION}'}`;

/** @param where names the file in errors
 * @throws HearthscopeError failed_precondition for an unknown version, data_loss for a file that says none */
export async function checkParquetFormat(session: SqlSession, path: string, where: string): Promise<void> {
  const { columns, rows } = await session.select(
    `SELECT decode(value) AS version FROM parquet_kv_metadata(${quoted(path)}) WHERE decode(key) = '${VERSION_KEY}'`,
    { version: 'varchar' },
  );
  if (rows !== 1) throw new HearthscopeError('data_loss', `${where} says no format version`);
  const version = columns.version[0]!;
  if (version !== String(PARQUET_FORMAT_VERSION)) {
    throw new HearthscopeError(
      'failed_precondition',
      `${where} has format version ${JSON.stringify(version)}, this Hearthscope reads version ${PARQUET_FORMAT_VERSION}; run the version that wrote it`,
    );
  }
}
