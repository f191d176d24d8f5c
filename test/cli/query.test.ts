// SPDX-License-Identifier: Apache-2.0
//
// `upload`, `query` and `collector` against real servers: what goes in through one door comes out of the other.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { encodeCollapsed } from '@hearthscope/profile/codecs/collapsed';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import { type RunningCommand, startHearthscope } from '../harness/hearthscope.ts';
import { run, start } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-query-'));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true }));

const ANY_PORTS = ['--http-port=0', '--otlp-grpc-port=0', '--otlp-http-port=0', '--host=127.0.0.1'];
const READY = /is ready .*httpPort=(\d+) otlpGrpcPort=(\d+) otlpHttpPort=(\d+)/;
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
const LEFT =
  'main;handleRequest;queryUser 60000000\nmain;handleRequest;cacheGet 20000000\nmain;record 20000000\n';
const RIGHT = 'main;handleRequest;queryUser 90000000\nmain;record 10000000\n';

function pprofFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    encodePprof(
      profileFromText(text, { timeUnixNanos: BigInt(Date.now()) * 1_000_000n, period: 10_000_000n }),
    ),
  );
  return path;
}

let server: RunningCommand;
let url = '';
let grpcUrl = '';

before(async () => {
  server = startHearthscope(['server', ...ANY_PORTS, '--data-dir', join(folder, 'data')]);
  const [, http, grpc] = await server.printed(READY);
  url = `http://127.0.0.1:${http}`;
  grpcUrl = `http://127.0.0.1:${grpc}`;
  for (const [service, text] of [
    ['api-v1', LEFT],
    ['api-v2', RIGHT],
  ] as const) {
    const { status, stderr } = await run([
      'upload',
      pprofFile(`${service}.pb`, text),
      `--service-name=${service}`,
      '--label=region=us',
      `--url=${url}`,
    ]);
    assert.equal(status, 0, stderr);
  }
});
after(async () => {
  await server.stop();
});

/** What a query prints. */
async function ask(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(['query', ...args], { env: { HEARTHSCOPE_URL: url } });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('a flame graph in each of its formats', async () => {
  const query = '--query={service="api-v1"}{type="cpu"}';
  assert.equal(sorted(await ask('flamegraph', query, '--format=collapsed')), sorted(LEFT));
  const tree = await ask('flamegraph', query);
  assert.match(tree, /^process_cpu:cpu:nanoseconds:cpu:nanoseconds \{service="api-v1"\} /);
  assert.match(tree, /60% +60ms +█+.? +queryUser \(self 60%\)\n/);
  assert.ok(!tree.includes('\x1b'));
  assert.match(await ask('flamegraph', query, '--format=table'), /^60ms +60% +60ms +60% {2}queryUser$/m);
  assert.match(await ask('flamegraph', query, '--format=dot'), /^digraph [\s\S]*queryUser/);
  const { names, total } = JSON.parse(await ask('flamegraph', query, '--format=json'));
  assert.ok(names.includes('queryUser'));
  assert.equal(total, '100000000');
});

function sorted(text: string): string {
  return text.trim().split('\n').sort().join('\n');
}

test('series, labels and a pprof file', async () => {
  const chart = await ask('series', '--group-by=service_name');
  assert.match(chart, /^\{service_name="api-v1"\} +100ms +100ms .*█/m);
  assert.match(
    await ask('series', '--group-by=service_name', '--format=table'),
    /100000000 {2}\{service_name="api-v2"\}/,
  );
  assert.equal(await ask('labels'), 'region\nservice_name\n');
  assert.equal(await ask('labels', '--label=service_name'), 'api-v1\napi-v2\n');
  assert.equal(await ask('labels', '--label=service_name', '--query={service_name="api-v2"}'), 'api-v2\n');
  const path = join(folder, 'merged.pb.gz');
  assert.equal(await ask('pprof', '--query={service_name="api-v1"}', '--output', path), '');
  const { profile } = decodePprof(gunzipSync(readFileSync(path)));
  assert.equal(sorted(encodeCollapsed(profile)), sorted(LEFT));
});

test('two selections are compared', async () => {
  const text = await ask('diff', '--query={service_name="api-v1"}{type="cpu"} vs {service_name="api-v2"}');
  assert.match(text, /60\.00% +90\.00% +\+30\.00% .* queryUser\n/);
  assert.match(text, /20\.00% +0\.00% +-20\.00% .* cacheGet\n/);
  const offset = await run(['query', 'diff', '--query={} vs {offset=7d}', `--url=${url}`]);
  assert.equal(offset.status, EXIT_FAILURE);
  assert.match(offset.stderr, /there are no profiles at all between/);
});

test('mistakes are told in one sentence, with an exit code', async () => {
  const refused = async (expected: RegExp, exitCode: number, ...args: string[]) => {
    const { status, stderr, stdout } = await run(args, { env: { HEARTHSCOPE_URL: url } });
    assert.equal(status, exitCode, stderr);
    assert.match(stderr, expected);
    assert.equal(stdout, '');
  };
  await refused(
    /unknown kind of query flamegrph; did you mean flamegraph\?/,
    EXIT_USAGE,
    'query',
    'flamegrph',
  );
  await refused(/KIND is missing/, EXIT_USAGE, 'query');
  await refused(/--query: query: expected/, EXIT_USAGE, 'query', 'flamegraph', '--query={a=');
  await refused(
    /--format: expected one of tree, .*, got svg/,
    EXIT_USAGE,
    'query',
    'flamegraph',
    '--format=svg',
  );
  await refused(/diff compares two selections/, EXIT_USAGE, 'query', 'diff');
  await refused(/two selections are for/, EXIT_USAGE, 'query', 'flamegraph', '--query={} vs {}');
  await refused(
    /no profiles of type cpus .*did you mean cpu\?/,
    EXIT_FAILURE,
    'query',
    'flamegraph',
    '--type=cpus',
  );
  await refused(/no profiles match/, EXIT_FAILURE, 'query', 'flamegraph', '--query={service_name="none"}');
  await refused(
    /cannot ask http:\/\/127\.0\.0\.1:9: /,
    EXIT_FAILURE,
    'query',
    'labels',
    '--url=http://127.0.0.1:9',
  );
  await refused(/--service-name/, EXIT_USAGE, 'upload', pprofFile('x.pb', LEFT));
  await refused(/cannot read \/nonexistent/, EXIT_USAGE, 'upload', '/nonexistent', '--service-name=x');
});

for (const protocol of ['push', 'otlp-http', 'otlp-grpc']) {
  test(`a collector sends on over ${protocol}, and answers when the server has it`, async (context) => {
    const target = protocol === 'otlp-grpc' ? grpcUrl : url;
    const collector = await collectorTo(context, target, `--forward-protocol=${protocol}`);
    const service = `through-${protocol}`;
    const file = pprofFile(`${service}.pb`, LEFT);
    const sent = await run(['upload', file, `--service-name=${service}`, `--url=${collector.url}`]);
    assert.equal(sent.status, 0, sent.stderr);
    // No waiting: what was acknowledged can be queried.
    const stacks = await ask('flamegraph', `--query={service_name="${service}"}`, '--format=collapsed');
    assert.equal(sorted(stacks), sorted(LEFT));
    const metrics = await (await fetch(`${collector.url}/metrics`)).text();
    assert.match(metrics, /^hearthscope_forward_requests_total 1$/m);
    assert.equal((await fetch(`${collector.url}/ready`)).status, 200);
    assert.equal(
      (await fetch(`${collector.url}/querier.v1.QuerierService/Series`, { method: 'POST' })).status,
      404,
    );
    assert.equal(await collector.command.stop(), 0);
  });
}

test('a collector without a receiver behind says so to senders and counts what it could not deliver', async (context) => {
  const collector = await collectorTo(context, 'http://127.0.0.1:9', '--forward-timeout=500ms');
  const { status, stderr } = await run([
    'upload',
    pprofFile('lost.pb', LEFT),
    '--service-name=lost',
    `--url=${collector.url}`,
  ]);
  assert.equal(status, EXIT_FAILURE);
  assert.match(
    stderr,
    /says unavailable: the receiver behind did not take the profiles in time: .*ECONNREFUSED/,
  );
  const metrics = await (await fetch(`${collector.url}/metrics`)).text();
  assert.match(metrics, /^hearthscope_forward_lost_profiles_total\{reason="ECONNREFUSED"\} 1$/m);
  assert.match(metrics, /^hearthscope_forward_queued_bytes 0$/m);
});

test('a collector passes on the tenant of the sender', async (context) => {
  const tenants = start(context, [
    'server',
    ...ANY_PORTS,
    '-auth.multitenancy-enabled',
    '--data-dir',
    join(folder, 'tenants'),
  ]);
  const [, port] = await tenants.printed(READY);
  const serverUrl = `http://127.0.0.1:${port}`;
  const collector = await collectorTo(context, serverUrl, '--multitenancy');
  const upload = (...more: string[]) =>
    run(['upload', pprofFile('t.pb', LEFT), '--service-name=tenanted', `--url=${collector.url}`, ...more]);
  assert.match((await upload()).stderr, /unauthenticated: .*--tenant/);
  const sent = await upload('--tenant=team-a');
  assert.equal(sent.status, 0, sent.stderr);
  const labels = (tenant: string) =>
    run(['query', 'labels', '--label=service_name', `--url=${serverUrl}`, `--tenant=${tenant}`]);
  assert.equal((await labels('team-a')).stdout, 'tenanted\n');
  assert.equal((await labels('team-b')).stdout, '');
});

test('a collector must be told where to send', async () => {
  const { status, stderr } = await run(['collector', ...ANY_PORTS]);
  assert.equal(status, EXIT_USAGE);
  assert.match(stderr, /--forward-to URL/);
});

async function collectorTo(
  context: TestContext,
  target: string,
  ...flags: string[]
): Promise<{ readonly url: string; readonly command: RunningCommand }> {
  const command = start(context, ['collector', ...ANY_PORTS, `--forward-to=${target}`, ...flags]);
  const [, port] = await command.printed(READY);
  return { url: `http://127.0.0.1:${port}`, command };
}
