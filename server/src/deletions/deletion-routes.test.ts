// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from '../server.ts';
import {
  exportOverHttp,
  exportRequest,
  serverOptions,
  TestDirectory,
  totalMillis,
} from '../testing/server-fixture.ts';

async function deletionsOf(port: number): Promise<readonly Record<string, unknown>[]> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/deletions`);
  assert.equal(response.status, 200);
  return ((await response.json()) as { deletions: Record<string, unknown>[] }).deletions;
}

function requestDeletion(port: number, body: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/api/v1/deletions`, { method: 'POST', body });
}

test('from the answer on no query sees the service, and the others stay', async () => {
  using directory = new TestDirectory();
  const server = await startServer(serverOptions(directory));
  const port = server.httpPort;
  for (const service of ['api', 'db']) {
    assert.equal((await exportOverHttp(port, exportRequest(service, 7))).status, 200);
  }
  assert.ok((await totalMillis(port, 'api')) > 0);
  const response = await requestDeletion(port, '{"service_name":"api"}');
  assert.equal(response.status, 202);
  const { service_name: service, id } = (await response.json()) as Record<string, unknown>;
  assert.equal(service, 'api');
  assert.equal(await totalMillis(port, 'api'), 0);
  assert.ok((await totalMillis(port, 'db')) > 0);
  assert.deepEqual(
    (await deletionsOf(port)).map((deletion) => deletion.id),
    [id],
  );
  // What comes later is there again.
  assert.equal((await exportOverHttp(port, exportRequest('api', 5))).status, 200);
  assert.ok((await totalMillis(port, 'api')) > 0);
  await server.stop();
  const again = await startServer(serverOptions(directory));
  assert.ok((await totalMillis(again.httpPort, 'db')) > 0);
  await again.stop();
});

test('a deletion of nothing, or of what is to come, is refused', async () => {
  using directory = new TestDirectory();
  const server = await startServer(serverOptions(directory));
  for (const body of [
    '',
    'null',
    '{}',
    '{"service_name":""}',
    '{"service_name":["a"]}',
    '{"service_name":"a","through_millis":-1}',
    '{"service_name":"a","through_millis":1e300}',
    `{"service_name":"a","through_millis":${Date.now() + 100_000}}`,
  ]) {
    const response = await requestDeletion(server.httpPort, body);
    assert.equal(response.status, 400, body);
    await response.text();
  }
  assert.deepEqual(await deletionsOf(server.httpPort), []);
  await server.stop();
});
