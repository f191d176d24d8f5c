// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope server verify`: reads everything that is stored and says what is wrong with it.

import { openStoredData, openToolEngine } from '@hearthscope/server/storage/inspect/stored-data';
import { verifyStore } from '@hearthscope/server/storage/verify/verify-store';
import { verifyWal } from '@hearthscope/server/storage/verify/verify-wal';
import { ExitCode } from '../exit-codes.ts';
import { printable } from '../query/connection.ts';

type Flags = Readonly<Record<string, unknown>>;

/** @throws HearthscopeError failed_precondition when the folder cannot be read */
export async function verify(flags: Flags): Promise<number> {
  const folder = String((flags._ as readonly unknown[])[2]);
  const isJson = flags.json === true;
  const { store, walDirectory, isServed } = await openStoredData(folder);
  using tool = await openToolEngine([store.localPath('v1')!]);
  const problems: { object: string; problem: string }[] = [];
  const onProblem = (object: string, problem: string) => {
    problems.push({ object, problem });
    if (!isJson) process.stdout.write(`${printable(object)}: ${printable(problem)}\n`);
  };
  const stored = await verifyStore({
    store,
    engine: tool.engine,
    tenant: flags.tenant as string | undefined,
    onProblem,
  });
  const wal = walDirectory === undefined ? undefined : await verifyWal(walDirectory, isServed, onProblem);
  process.stdout.write(
    isJson
      ? `${JSON.stringify({ ...stored, wal, isServed, problems }, null, 2)}\n`
      : `${problems.length === 0 ? 'no problems' : `${problems.length} problems`} in ${stored.blocks} blocks of ${stored.tenants} tenants (${stored.bytes} bytes)` +
          `${wal === undefined ? '' : `, ${wal.frames} profiles in ${wal.segments} segments of the log`}` +
          `${stored.unnamedBlocks === 0 ? '' : `; ${stored.unnamedBlocks} unfinished blocks will be removed by the server`}\n`,
  );
  return problems.length === 0 ? ExitCode.ok : ExitCode.failure;
}
