// SPDX-License-Identifier: Apache-2.0
//
// @pyroscope/nodejs, which sends a raw gzip body in its current version and multipart in 0.4, as it comes from npm.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ClientProgram, installedPackages, startClientProgram } from '../harness/client-program.ts';
import { type ConformanceServer, findFunction, startConformanceServer } from '../harness/profiled-service.ts';

const SOURCES = fileURLToPath(new URL('./nodejs', import.meta.url));
const PROGRAM = fileURLToPath(new URL('./nodejs/program.ts', import.meta.url));
const PACKAGES = installedPackages(SOURCES, 'nodejs');
const CLIENTS = { current: '@pyroscope/nodejs', old: 'pyroscope-nodejs-0.4' } as const;

let server: ConformanceServer;

before(async () => {
  server = await startConformanceServer();
});

after(() => server[Symbol.asyncDispose]());

function startClient(packageName: string, service: string): ClientProgram {
  return startClientProgram(process.execPath, [PROGRAM, `${PACKAGES}/`, packageName, server.url, service]);
}

for (const [version, packageName] of Object.entries(CLIENTS)) {
  test(`${packageName} (${version}): time, CPU and memory of a function, by labels and by span`, {
    skip: PACKAGES === undefined && 'SKIPPED: the npm registry does not have the clients',
  }, async () => {
    const service = `nodejs-${version}`;
    using client = startClient(packageName, service);
    const find = (profileTypeID: string, functionName: string, labels = '', spanId?: string) =>
      findFunction(
        server.url,
        {
          labelSelector: `{service_name="${service}"${labels}}`,
          profileTypeID,
          functionName,
          ...(spanId !== undefined && { spanId }),
        },
        client.output,
      );
    const wall = 'wall:wall:nanoseconds:wall:nanoseconds';
    const labels = ', region="eu-north", controller="checkout"';
    const { total } = await find(wall, 'spendTimeHere', labels);
    assert.ok(total >= 100_000_000, `${total} ns`);
    await find(wall, 'spendTimeHere', labels, 'abcdef0123456789');
    await find('wall:cpu:nanoseconds:wall:nanoseconds', 'spendTimeHere', labels);
    await find('memory:inuse_space:bytes:inuse_space:bytes', 'allocateHere');
  });
}
