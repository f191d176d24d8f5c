// SPDX-License-Identifier: Apache-2.0
//
// Clients whose registries could not be reached: the requests that they send, as their sources describe them, made anew
// with a function that is known.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encodePushRequest, encodeTestPprof } from '@hearthscope/collector/testing/push-request';
import { type ConformanceServer, findFunction, startConformanceServer } from '../harness/profiled-service.ts';

let server: ConformanceServer;

before(async () => {
  server = await startConformanceServer();
});

after(() => server[Symbol.asyncDispose]());

/** A profile of one stack, `main;hotFunction`. */
function pprof(
  sampleTypes: readonly string[],
  values: readonly number[],
  labels: Readonly<Record<string, string>> = {},
): Uint8Array {
  return encodeTestPprof({ sampleTypes, samples: [{ stack: ['main', 'hotFunction'], values, labels }] });
}

function pushRequest(labels: Readonly<Record<string, string>>, rawProfile: Uint8Array): Buffer {
  return Buffer.from(encodePushRequest([{ labels: Object.entries(labels), samples: [{ rawProfile }] }]));
}

/** What the native .NET profiler pushes: one profile a type, nothing compressed. */
const DOTNET: readonly { readonly name: string; readonly sampleTypes: readonly string[] }[] = [
  { name: 'process_cpu', sampleTypes: ['cpu:nanoseconds'] },
  { name: 'wall', sampleTypes: ['wall:nanoseconds'] },
  { name: 'memory', sampleTypes: ['alloc_samples:count', 'alloc_size:bytes'] },
  { name: 'lock', sampleTypes: ['lock_count:count', 'lock_time:nanoseconds'] },
  { name: 'exception', sampleTypes: ['exception:count'] },
];

test('.NET: each of its profiles by push, uncompressed, with labels and the id of a span', async () => {
  for (const { name, sampleTypes } of DOTNET) {
    const body = pushRequest(
      { __name__: name, service_name: 'dotnet', spy_name: 'dotnetspy', region: 'eu-north' },
      pprof(
        sampleTypes,
        sampleTypes.map(() => 1_000_000_000),
        { endpoint: '/checkout', profile_id: 'abcdef0123456789' },
      ),
    );
    const answer = await fetch(`${server.url}/push.v1.PusherService/Push`, {
      method: 'POST',
      headers: { 'content-type': 'application/proto', 'user-agent': 'pyroscope-dotnet' },
      body,
    });
    assert.equal(answer.status, 200, await answer.text());
    for (const sampleType of sampleTypes) {
      const found = await findFunction(
        server.url,
        {
          labelSelector: '{service_name="dotnet", region="eu-north", endpoint="/checkout"}',
          profileTypeID: `${name}:${sampleType}:cpu:nanoseconds`,
          functionName: 'hotFunction',
          spanId: 'abcdef0123456789',
        },
        () => '',
      );
      assert.equal(found.total, 1_000_000_000);
    }
  }
});

test('.NET before it pushed: a form with dashes in its types', async () => {
  const form = new FormData();
  const profile = pprof(['alloc-samples:count'], [7]);
  form.append('profile', new Blob([Buffer.from(gzipSync(profile))]), 'profile.pprof');
  form.append(
    'sample_type_config',
    new Blob([JSON.stringify({ 'alloc-samples': { units: 'objects', 'display-name': 'alloc-samples' } })]),
    'sample_type_config.json',
  );
  const now = Math.floor(Date.now() / 1000);
  const query = new URLSearchParams({
    name: 'dotnet-old{region=eu-north}',
    from: String(now - 10),
    until: String(now),
    spyName: 'dotnetspy',
  });
  const answer = await fetch(`${server.url}/ingest?${query}`, { method: 'POST', body: form });
  assert.equal(answer.status, 200, await answer.text());
  const found = await findFunction(
    server.url,
    {
      labelSelector: '{service_name="dotnet-old", region="eu-north"}',
      profileTypeID: 'memory:alloc_samples:count:cpu:nanoseconds',
      functionName: 'hotFunction',
    },
    () => '',
  );
  assert.equal(found.total, 7);
});

test('Ruby: by push with gzip as its core in Rust sends, and folded lines as it sent before', async () => {
  const pushed = await fetch(`${server.url}/push.v1.PusherService/Push`, {
    method: 'POST',
    headers: {
      'content-type': 'application/proto',
      'content-encoding': 'gzip',
      'user-agent': 'pyroscope-rs/rbspy/2.0.0',
    },
    body: Buffer.from(
      gzipSync(
        pushRequest(
          { __name__: 'process_cpu', service_name: 'ruby', region: 'eu-north' },
          pprof(['cpu:nanoseconds'], [2_000_000_000], {
            controller: 'checkout',
            span_id: 'abcdef0123456789',
          }),
        ),
      ),
    ),
  });
  assert.equal(pushed.status, 200, await pushed.text());
  const cpu = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
  const found = await findFunction(
    server.url,
    {
      labelSelector: '{service_name="ruby", region="eu-north", controller="checkout"}',
      profileTypeID: cpu,
      functionName: 'hotFunction',
      spanId: 'abcdef0123456789',
    },
    () => '',
  );
  assert.equal(found.total, 2_000_000_000);

  const now = Math.floor(Date.now() / 1000);
  const query = new URLSearchParams({
    name: 'ruby-old.cpu{region=eu-north}',
    from: String(now - 10),
    until: String(now),
    spyName: 'rbspy',
    sampleRate: '100',
    format: 'folded',
  });
  const folded = await fetch(`${server.url}/ingest?${query}`, {
    method: 'POST',
    body: 'app.rb:1 - main;app.rb:2 - hotFunction 50\n',
  });
  assert.equal(folded.status, 200, await folded.text());
  const old = await findFunction(
    server.url,
    {
      labelSelector: '{service_name="ruby-old", region="eu-north"}',
      profileTypeID: cpu,
      functionName: 'hotFunction',
    },
    () => '',
  );
  assert.equal(old.total, 500_000_000);
});
