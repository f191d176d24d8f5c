// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope upload`: sends a pprof file to a running server, as push.v1 does.

import { readFileSync, statSync } from 'node:fs';
import { messageOf } from '@hearthscope/profile/errors';
import { SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import { keyValue } from '../config/settings.ts';
import { ExitCode, UsageError } from '../exit-codes.ts';
import { call, connectionOf } from '../query/connection.ts';

const MAX_FILE_BYTES = 256 * 2 ** 20;
const NAME_LABEL = '__name__';
const DEFAULT_NAME = 'process_cpu';

/** @throws UsageError, and HearthscopeError with the server's code */
export async function upload(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const path = String((flags._ as readonly unknown[])[1]);
  const labels = new Map([[NAME_LABEL, DEFAULT_NAME]]);
  for (const text of (flags.label as readonly string[] | undefined) ?? []) {
    const [name, value] = keyValue(text, '--label');
    labels.set(name, value);
  }
  const service = flags['service-name'] as string | undefined;
  if (service !== undefined) labels.set(SERVICE_NAME_LABEL, service);
  if (!labels.has(SERVICE_NAME_LABEL))
    throw new UsageError('say whose profile it is with --service-name NAME');
  const connection = connectionOf(flags, process.env);
  await call(connection, 'push.v1.PusherService/Push', {
    series: [
      {
        labels: [...labels].map(([name, value]) => ({ name, value })),
        samples: [{ rawProfile: contents(path).toString('base64') }],
      },
    ],
  });
  process.stdout.write(`sent ${path} to ${connection.url.origin}\n`);
  return ExitCode.ok;
}

function contents(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_FILE_BYTES}`);
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${messageOf(error)}`);
  }
}
