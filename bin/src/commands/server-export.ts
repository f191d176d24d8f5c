// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope server export`: stored profiles as a file for other tools, without a server.

import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ANONYMOUS_TENANT } from '@hearthscope/collector/tenant';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import { exportParquet } from '@hearthscope/server/storage/export/export-parquet';
import { exportPprof } from '@hearthscope/server/storage/export/export-pprof';
import { openExport } from '@hearthscope/server/storage/export/open-export';
import { openStoredData, openToolEngine } from '@hearthscope/server/storage/inspect/stored-data';
import { ExitCode, UsageError } from '../exit-codes.ts';
import { writeWhole } from '../query/answer-output.ts';
import { timeRange } from '../query/request.ts';
import { toolLog } from '../stored/stored-log.ts';

type Flags = Readonly<Record<string, unknown>>;

/** @throws UsageError; HearthscopeError not_found when there are no such profiles */
export async function exportStored(flags: Flags): Promise<number> {
  const folder = String((flags._ as readonly unknown[])[2]);
  const output = flags.output as string | undefined;
  if (output === undefined || !/\.(?:pb\.gz|parquet)$/.test(output)) {
    throw new UsageError('--output: expected a file name that ends in .pb.gz or .parquet');
  }
  const request = {
    tenant: (flags.tenant as string | undefined) ?? ANONYMOUS_TENANT,
    matchers: matchersOf(flags),
    typeName: (flags.type as string | undefined) ?? 'cpu',
    range: timeRange(flags, Date.now()),
  };
  const { store } = await openStoredData(folder);
  const path = resolve(output);
  using tool = await openToolEngine([store.localPath('v1')!, dirname(path)]);
  const opened = await openExport(store, tool, request, toolLog);
  if (output.endsWith('.pb.gz')) {
    await writeWhole(path, await exportPprof(opened));
    process.stdout.write(`wrote ${output}\n`);
    return ExitCode.ok;
  }
  const partial = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  try {
    const rows = await exportParquet(opened, partial);
    await rename(partial, path);
    process.stdout.write(`wrote ${output}: ${rows} rows\n`);
  } finally {
    await rm(partial, { force: true });
  }
  return ExitCode.ok;
}

function matchersOf({ query = '{}' }: Flags): ReturnType<typeof parseSelector> {
  try {
    return parseSelector(query as string);
  } catch (error) {
    throw error instanceof HearthscopeError ? new UsageError(`--query: ${error.message}`) : error;
  }
}
