// SPDX-License-Identifier: Apache-2.0
//
// Command lines and files that were written for Pyroscope start the real server.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePort } from '../harness/hearthscope.ts';
import { run, start } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-drop-in-'));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true }));

const EXIT_USAGE = 2;
const READY = /the server is ready .*httpPort=(\d+)/;
const NO_OTLP = {
  HEARTHSCOPE_OTLP_GRPC_PORT: 'off',
  HEARTHSCOPE_OTLP_HTTP_PORT: 'off',
  HEARTHSCOPE_HOST: '127.0.0.1',
};

let files = 0;
function file(content: string): string {
  const path = join(folder, `pyroscope-${files++}.yaml`);
  writeFileSync(path, content);
  return path;
}

test('a file and flags of Pyroscope, without a command, with `server` behind them', async (context) => {
  const config = file(`
server:
  http_listen_port: \${PORT}
  http_listen_address: 127.0.0.1
storage:
  backend: filesystem
  filesystem:
    dir: ${join(folder, 'shared')}
memberlist:
  join_members: [a]
limits:
  max_query_length: 1d
self_profiling:
  disable_push: true
`);
  const port = await freePort();
  const server = start(context, [`-config.file=${config}`, '-config.expand-env', '-target=all', 'server'], {
    env: { PORT: String(port), ...NO_OTLP },
  });
  const [, printed] = await server.printed(READY);
  assert.equal(Number(printed), port);
  assert.match(server.output(), /warn .*pyroscope-\d\.yaml:10: memberlist\.join_members is ignored: /);
  const answer = await fetch(`http://127.0.0.1:${port}/querier.v1.QuerierService/SelectSeries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      profile_typeID: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      labelSelector: '{}',
      start: String(Date.now() - 2 * 86_400_000),
      end: String(Date.now()),
      step: 60,
    }),
  });
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /max_query_length/);
  assert.equal(await server.stop(), 0);
});

/** The blocks of introductions to Pyroscope, with ports that are free. */
const introduction = (
  http: number,
  grpc: number,
): readonly (readonly [yaml: string, warnings: readonly string[]])[] => [
  [
    `
server:
  http_listen_port: ${http}
distributor:
  receivers:
    otlp:
      protocols:
        grpc:
          endpoint: 0.0.0.0:${grpc}
ingester:
  lifecycler:
    ring:
      replication_factor: 1
storage:
  trace:
    backend: local
    local:
      path: ${join(folder, 'local')}
`,
    [],
  ],
  [
    `
pyroscope:
  scrape_profiles:
    - enabled: true
      profile_id: "my-app"
      targets:
        - process_name: "my-process"
          profile_types: [cpu, memory]
`,
    ['pyroscope.scrape_profiles'],
  ],
  [
    `
distributor:
  receivers:
    otlp:
      protocols:
        grpc:
          endpoint: 0.0.0.0:${grpc}
          # Sample rate
          sample_rate: 100
`,
    ['distributor.receivers.otlp.protocols.grpc.sample_rate'],
  ],
  ['query:\n  max_duration: 24h\n  max_nodes: 10000\n', []],
  ['service: "my-api"\njob: "production"\nprofile_type: "cpu"\n', ['service', 'job', 'profile_type']],
  ['version: "v1.2.3"\nregion: "us-east-1"\ninstance: "api-1"\n', ['version', 'region', 'instance']],
];

test('the blocks of introductions start through both spellings, each key honoured or named', async (context) => {
  const [http, grpc] = await Promise.all([freePort(), freePort()]);
  for (const [index, [yaml, warnings]] of introduction(http, grpc).entries()) {
    const config = file(yaml);
    const args = index % 2 === 0 ? ['server', '--config', config] : [`-config.file=${config}`];
    const isFirst = index === 0;
    const server = start(context, args, {
      env: {
        HEARTHSCOPE_HOST: '127.0.0.1',
        HEARTHSCOPE_OTLP_HTTP_PORT: 'off',
        ...(isFirst
          ? {}
          : { ...NO_OTLP, HEARTHSCOPE_HTTP_PORT: '0', HEARTHSCOPE_DATA_DIR: join(folder, `d${index}`) }),
      },
    });
    const [line, port] = await server.printed(READY);
    if (isFirst) {
      assert.equal(Number(port), http);
      assert.match(server.output(), new RegExp(`otlpGrpcPort=${grpc}`), line);
    }
    const named = [...server.output().matchAll(/\.yaml:\d+: (\S+) .*is ignored/g)].map(([, key]) => key);
    assert.deepEqual(named, warnings);
    assert.equal(await server.stop(), 0);
  }
});

test('mistakes end the start with the key, the line and the nearest', async () => {
  const refused = async (expected: RegExp, ...args: string[]) => {
    const { status, stderr } = await run(args);
    assert.equal(status, EXIT_USAGE, stderr);
    assert.match(stderr, expected);
  };
  const config = file('server:\n  http_listen_prot: 1\n');
  await refused(
    /yaml:2: unknown key server\.http_listen_prot; did you mean server\.http_listen_port\?/,
    `-config.file=${config}`,
  );
  await refused(
    /unknown flag -server\.http-listen-prot; did you mean -server\.http-listen-port\?/,
    '-server.http-listen-prot=1',
  );
  await refused(/-server\.http-listen-port: expected an integer/, 'server', '-server.http-listen-port=x');
  await refused(/the flag -server\.http-listen-port needs a value/, 'server', '-server.http-listen-port');
});

test('-version, -help and -modules', async () => {
  assert.match((await run(['-version'])).stdout, /^hearthscope \d/);
  assert.match((await run(['--version'])).stdout, /^hearthscope \d/);
  assert.match((await run(['-help'])).stdout, /hearthscope server \[options\]/);
  assert.equal((await run(['-modules'])).stdout, 'all\n');
});
