// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope server delete`: asks a running server to delete one service's profiles.

import { parseAttime } from '@hearthscope/profile/attime';
import { ExitCode } from '../exit-codes.ts';
import { call, connectionOf, printable } from '../query/connection.ts';
import { isoTime } from '../query/request.ts';

const METHOD = 'api/v1/deletions';
const NANOS_PER_MILLI = 1_000_000n;

/** @throws UsageError, and HearthscopeError with the server's code */
export async function deleteService(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const service = String((flags._ as readonly unknown[])[2]);
  const through = flags.through as string | undefined;
  const connection = connectionOf(flags, process.env);
  const { through_millis: throughMillis } = await call<{ readonly through_millis: number }>(
    connection,
    METHOD,
    {
      service_name: service,
      ...(through !== undefined && {
        through_millis: Number(parseAttime(through, Date.now()) / NANOS_PER_MILLI),
      }),
    },
  );
  process.stdout.write(
    `profiles of ${printable(service)} through ${isoTime(throughMillis)} are deleted on ${connection.url.origin}\n`,
  );
  return ExitCode.ok;
}
