// SPDX-License-Identifier: Apache-2.0
//
// The options of the commands that look at what a server has stored.

import type { Options } from 'yargs';
import { connectionOptions } from '../query/options.ts';

const text: Options = { type: 'string', requiresArg: true };
const json: Options = { type: 'boolean', describe: 'Print JSON [default: no]' };
const tenant: Options = { ...text, describe: 'Only this tenant [default: all]' };

export const folderEpilogue =
  'FOLDER is the data directory of a server, or the folder of a file system that it keeps its blocks in. The server may be\nrunning: nothing is changed.';

export const inspectOptions: Readonly<Record<string, Options>> = {
  blocks: { type: 'boolean', describe: 'List each block [default: only sums by level]' },
  tenant,
  json,
};

export const verifyOptions: Readonly<Record<string, Options>> = { tenant, json };

export const exportOptions: Readonly<Record<string, Options>> = {
  output: { ...text, alias: 'o', describe: 'File to write: .pb.gz (pprof) or .parquet; required' },
  query: { ...text, alias: 'q', describe: 'Whose profiles: \'{service_name="a"}\' [default: {}]' },
  type: { ...text, describe: 'Profile type: `cpu`, `inuse_space`, … or all five parts [default: cpu]' },
  from: { ...text, describe: 'Begin: now-1h, seconds or milliseconds since 1970 [default: now-1h]' },
  until: { ...text, describe: 'End, as --from [default: now]' },
  tenant: { ...text, describe: 'Whose profiles [default: anonymous]' },
};

export const deleteOptions: Readonly<Record<string, Options>> = {
  through: {
    ...text,
    describe: 'Delete profiles up to this time: now-1h, seconds or milliseconds since 1970 [default: now]',
  },
  ...connectionOptions,
};
