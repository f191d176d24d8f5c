// SPDX-License-Identifier: Apache-2.0
//
// The client of Perses' Pyroscope plugin, which asks without time ranges and reads /pyroscope/render. It gets its fetch
// from Perses' core library, which is a web application; Node's own stands in for that.

import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { installedPackages } from '../harness/client-program.ts';
import { startConformanceServer } from '../harness/profiled-service.ts';

type Answer = Promise<Record<string, unknown>>;

interface PersesClient {
  searchProfiles(parameters: object, options: object): Answer;
  searchProfileTypes(parameters: object, options: object, body: object): Answer;
  searchLabelNames(parameters: object, options: object, body: object): Answer;
  searchLabelValues(parameters: object, options: object, body: object): Answer;
  searchServices(parameters: object, options: object): Answer;
}

const CORE = 'data:text/javascript,export const fetch = globalThis.fetch;';

async function loadClient(): Promise<PersesClient> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === '@perses-dev/core' ? { url: CORE, shortCircuit: true } : next(specifier, context),
  });
  try {
    const file = new URL('./lib/model/pyroscope-client.js', packageFolder());
    return (await import(file.href)) as PersesClient;
  } finally {
    hooks.deregister();
  }
}

const PACKAGES = installedPackages(fileURLToPath(new URL('./perses', import.meta.url)), 'perses');

function packageFolder(): URL {
  return pathToFileURL(`${PACKAGES}/node_modules/@perses-dev/pyroscope-plugin/`);
}

test("Perses' client finds services, types, labels and a flame graph", {
  skip: PACKAGES === undefined && 'SKIPPED: the npm registry does not have the plugin',
}, async () => {
  const client = await loadClient();
  await using server = await startConformanceServer();
  const pushed = await fetch(`${server.url}/ingest?name=shop%7Bregion%3Deu-north%7D&sampleRate=100`, {
    method: 'POST',
    body: 'main;spendTimeHere 90\nmain;rest 10\n',
  });
  assert.equal(pushed.status, 200, await pushed.text());

  const options = { datasourceUrl: server.url, headers: { 'content-type': 'application/json' } };
  assert.deepEqual((await client.searchServices({}, options)).names, ['shop']);
  const { profileTypes } = await client.searchProfileTypes({}, options, {});
  const [type] = profileTypes as { ID: string }[];
  assert.equal(type!.ID, 'process_cpu:cpu:nanoseconds:cpu:nanoseconds');
  const { names } = await client.searchLabelNames({}, options, {});
  assert.ok((names as string[]).includes('region'), String(names));
  assert.deepEqual((await client.searchLabelValues({}, options, { name: 'region' })).names, ['eu-north']);

  const nowSeconds = Math.ceil(Date.now() / 1000);
  const profile = await client.searchProfiles(
    {
      query: `${type!.ID}{service_name="shop"}`,
      from: String(nowSeconds - 3600),
      until: String(nowSeconds + 1),
      maxNodes: '100',
    },
    options,
  );
  const { names: functions, numTicks } = profile.flamebearer as { names: string[]; numTicks: number };
  assert.ok(functions.includes('spendTimeHere'));
  assert.equal(numTicks, 1_000_000_000);
});
