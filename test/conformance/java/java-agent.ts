// SPDX-License-Identifier: Apache-2.0
//
// The genuine Java agent of Pyroscope, with async-profiler inside, as it comes from the package registry: fetched once
// with Maven, known by its hash.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory, toolMissing } from '../../harness/client-program.ts';

const VERSION = '2.9.2';
const SHA256 = 'ad738199a90734f7b8392bae1ab892027d411acb953ef1f00cd6e8e7c669ff8f';
const FETCH_TIMEOUT_MILLIS = 240_000;

const CACHE = cacheDirectory('maven');
const JAR = join(CACHE, 'io', 'pyroscope', 'agent', VERSION, `agent-${VERSION}.jar`);

/** Why there can be no agent here, or false: for the `skip` option of a test. */
export function agentMissing(): string | false {
  return existsSync(JAR) ? false : toolMissing('mvn', '--version');
}

/** @returns the path of the agent's jar, or undefined when the registry does not give it
 * @throws when what was fetched is not what it should be */
export async function fetchAgent(): Promise<string | undefined> {
  if (!existsSync(JAR)) {
    const goal = ['-q', '-B', `-Dmaven.repo.local=${CACHE}`, 'dependency:get', '-Dtransitive=false'];
    const fetched = promisify(execFile)('mvn', [...goal, `-Dartifact=io.pyroscope:agent:${VERSION}`], {
      timeout: FETCH_TIMEOUT_MILLIS,
    });
    await fetched.catch(() => undefined);
    if (!existsSync(JAR)) return undefined;
  }
  const hash = createHash('sha256').update(readFileSync(JAR)).digest('hex');
  if (hash !== SHA256) throw new Error(`${JAR} has the SHA-256 ${hash}, not ${SHA256}`);
  return JAR;
}
