// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UsageError } from '../../exit-codes.ts';
import { type ConfigurationSources, resolveConfiguration } from '../configuration.ts';
import { settingByPath } from '../settings.ts';
import { expandEnvironment } from './expand-environment.ts';
import { splitGoFlags } from './go-flags.ts';
import { INTRODUCTION_KEYS } from './introduction-keys.ts';
import type { KeySink } from './pyroscope-key.ts';
import { REAL_KEYS } from './real-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-pyroscope-'));
after(() => rmSync(folder, { recursive: true }));

const HOUR_MILLIS = 3_600_000;

function resolve(content: string, sources: Partial<ConfigurationSources> = {}) {
  const config = join(folder, 'pyroscope.yaml');
  writeFileSync(config, content);
  const resolved = resolveConfiguration({
    command: 'server',
    flags: {},
    goFlags: [{ name: 'config.file', value: config }, ...(sources.goFlags ?? [])],
    environment: sources.environment ?? {},
    isRoot: true,
    ...(sources.command !== undefined && { command: sources.command }),
  });
  const warnings = resolved.warnings.map((text) => text.replaceAll(`${folder}/`, ''));
  return { ...resolved.configuration, warnings };
}

function complaint(content: string, sources: Partial<ConfigurationSources> = {}): string {
  try {
    resolve(content, sources);
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return error.message.replaceAll(`${folder}/`, '');
  }
  return assert.fail('the configuration should have been refused');
}

test('the keys that people set mean what they mean in Pyroscope', () => {
  const { server, log, warnings } = resolve(`
target: all
server:
  http_listen_address: 10.0.0.1
  http_listen_port: 4444
  http_path_prefix: /profiles
  log_level: warn
  log_format: json
  http_tls_config:
    cert_file: /c.pem
    key_file: /k.pem
    client_ca_file: /ca.pem
    client_auth_type: VerifyClientCertIfGiven
multitenancy_enabled: true
storage:
  backend: filesystem
  filesystem:
    dir: /data/shared
limits:
  max_query_length: 2d
  ingestion_rate_mb: 8
  max_profile_size_bytes: 1000
  retention_period: 48h
runtime_config:
  file: /overrides.yaml
  period: 30s
tenant_settings:
  recording_rules:
    enabled: true
frontend:
  async_queries_enabled: true
self_profiling:
  disable_push: true
analytics:
  reporting_enabled: false
`);
  assert.deepEqual(warnings, []);
  assert.equal(server.host, '10.0.0.1');
  assert.equal(server.httpPort, 4444);
  assert.equal(server.pathPrefix, '/profiles');
  assert.deepEqual(log, { level: 'warn', format: 'json' });
  assert.deepEqual(server.tls, {
    certFile: '/c.pem',
    keyFile: '/k.pem',
    clientCaFile: '/ca.pem',
    clientAuth: 'VerifyClientCertIfGiven',
  });
  assert.equal(server.auth.multitenancy, true);
  assert.equal(server.dataDir, '/data/shared');
  assert.equal(server.limits.maxQueryLengthMillis, 48 * HOUR_MILLIS);
  assert.equal(server.limits.ingestionRateBytes, 8 * 2 ** 20);
  assert.equal(server.limits.maxProfileSizeBytes, 1000);
  assert.equal(server.limits.retentionPeriodMillis, 48 * HOUR_MILLIS);
  assert.equal(server.limits.maxQueryLookbackMillis, 48 * HOUR_MILLIS);
  assert.deepEqual(server.runtimeConfig, { file: '/overrides.yaml', periodMillis: 30_000 });
  assert.equal(server.recordingRules.isEnabled, true);
  assert.equal(server.asyncQueries, true);
});

test('keys without a counterpart are accepted and named in a warning', () => {
  const { warnings } = resolve(`
target: query-frontend
memberlist:
  join_members: [a, b]
  bind_port: 7946
storage:
  backend: swift
  swift:
    container_name: x
ingester:
  lifecycler:
    ring:
      kvstore:
        store: inmemory
limits:
  compactor_split_groups: 2
self_profiling:
  disable_push: false
`);
  const named = warnings.map((text) => /^pyroscope\.yaml:\d+: (\S+) is ignored: ./.exec(text)?.[1]);
  assert.deepEqual(named, [
    'target',
    'memberlist.join_members',
    'memberlist.bind_port',
    'storage.backend',
    'storage.swift.container_name',
    'ingester.lifecycler.ring.kvstore.store',
    'self_profiling.disable_push',
    'limits.compactor_split_groups',
  ]);
});

test('a bucket and how it is reached', () => {
  const { server, warnings } = resolve(`
storage:
  backend: s3
  prefix: team
  s3:
    bucket_name: profiles
    endpoint: store:9000
    access_key_id: me
    secret_access_key: hush
    insecure: true
    force_path_style: true
    signature_version: v4
`);
  assert.deepEqual(warnings, []);
  assert.deepEqual(server.objectStore, {
    backend: 's3',
    prefix: 'team',
    s3: {
      bucketName: 'profiles',
      endpoint: 'store:9000',
      accessKeyId: 'me',
      secretAccessKey: 'hush',
      insecure: true,
      forcePathStyle: true,
    },
  });
  assert.match(complaint('storage:\n  backend: gcs\n'), /gcs needs object_store\.gcs_bucket/);
});

test('unknown keys end the start, with the line and what was probably meant', () => {
  assert.equal(
    complaint('server:\n  http_listen_prot: 1\n'),
    'pyroscope.yaml:2: unknown key server.http_listen_prot; did you mean server.http_listen_port?',
  );
  assert.equal(
    complaint('storage:\n  filesystem:\n    dri: /x\n'),
    'pyroscope.yaml:3: unknown key storage.filesystem.dri; did you mean storage.filesystem.dir?',
  );
  assert.equal(complaint('storrage: {}\n'), 'pyroscope.yaml:1: unknown key storrage; did you mean storage?');
  assert.equal(
    complaint('limits:\n  max_query_lenght: 1d\n'),
    'pyroscope.yaml:2: unknown key limits.max_query_lenght; did you mean limits.max_query_length?',
  );
  assert.match(
    complaint('limits:\n  max_query_length: soon\n'),
    /^pyroscope\.yaml:2: limits\.max_query_length: expected a duration .*, got "soon"$/,
  );
  assert.match(
    complaint('server:\n  http_listen_port: x\n'),
    /:2: server\.http_listen_port: expected an integer/,
  );
  assert.match(complaint('storage: /data\n'), /:1: storage: expected a mapping/);
  assert.match(complaint('limits: [1]\n'), /:1: limits: expected a mapping/);
  assert.match(complaint('server:\n  http_tls_config:\n    cert_file: /c\n'), /TLS needs both/);
});

test('our own keys stand beside them and go first', () => {
  const { server, agent, warnings } = resolve(
    'server:\n  http_listen_port: 1\n  http_port: 2\nagent:\n  frequency: 49\nlog:\n  level: warn\n',
  );
  assert.equal(server.httpPort, 2);
  assert.equal(agent.frequencyHz, 49);
  assert.deepEqual(warnings, [
    'pyroscope.yaml:2: server.http_listen_port is ignored: pyroscope.yaml:3: server.http_port says something else',
  ]);
});

test('each block of introductions to Pyroscope is a configuration, and each key is honoured or named', () => {
  const basic = resolve(`
server:
  http_listen_port: 4040
distributor:
  receivers:
    otlp:
      protocols:
        grpc:
          endpoint: 0.0.0.0:14317
        http:
          endpoint: 127.0.0.1:14318
ingester:
  lifecycler:
    ring:
      replication_factor: 1
storage:
  trace:
    backend: local
    local:
      path: /tmp/pyroscope
`);
  assert.equal(basic.server.otlpGrpcPort, 14317);
  assert.equal(basic.server.otlpHttpPort, 14318);
  assert.equal(basic.server.otlpPortsExplicit, true);
  assert.equal(basic.server.dataDir, '/tmp/pyroscope');
  assert.deepEqual(basic.warnings, [
    'pyroscope.yaml:11: distributor.receivers.otlp.protocols.http.endpoint sets the port alone: all listeners have one address, server.host',
  ]);

  const query = resolve('query:\n  max_duration: 24h\n  max_nodes: 10000\n');
  assert.equal(query.server.limits.maxQueryLengthMillis, 24 * HOUR_MILLIS);
  assert.equal(query.server.limits.maxNodesDefault, 10_000);
  assert.equal(query.server.limits.maxNodesMax, 10_000);
  assert.deepEqual(query.warnings, []);

  const grpc =
    'distributor: { receivers: { otlp: { protocols: { grpc: { endpoint: "0.0.0.0:4317", sample_rate: 100 } } } } }';
  const alone = resolve(grpc);
  assert.match(alone.warnings.join(), /grpc\.sample_rate is ignored: the rate is chosen by who samples/);
  assert.equal(resolve(grpc, { command: 'up' }).agent.frequencyHz, 100);

  const scrape = `
pyroscope:
  scrape_profiles:
    - enabled: true
      profile_id: "my-app"
      targets:
        - process_name: "my-process.with+dots"
          profile_types: [cpu, memory]
    - enabled: false
      profile_id: other
`;
  const up = resolve(scrape, { command: 'up' });
  assert.deepEqual(up.agent.services, [{ name: 'my-app', match: { comm: 'my-process\\.with' } }]);
  assert.deepEqual(
    up.warnings.map((text) => text.replace('pyroscope.yaml:3: pyroscope.scrape_profiles ', '')),
    [
      '(my-process.with+dots, memory) is ignored: the agent takes profiles of type cpu',
      '(entry 1) is ignored: it is not enabled, and the agent samples every process anyway',
    ],
  );
  assert.match(resolve(scrape).warnings.join(), /scrape_profiles is ignored: .*`hearthscope up`/);
  assert.match(
    complaint('pyroscope:\n  scrape_profiles: x\n'),
    /:2: pyroscope\.scrape_profiles: expected a list/,
  );

  const labels = resolve(
    'service: my-api\njob: production\nprofile_type: cpu\nregion: x\ninstance: y\nversion: v1.2.3\n',
  );
  assert.equal(labels.warnings.length, 6);
  const compose = resolve(
    'version: "3"\nservices:\n  pyroscope:\n    image: x\n    ports: ["4040:4040"]\n    command: [server]\n',
  );
  assert.deepEqual(
    compose.warnings.map((text) => /: (\S+) is ignored/.exec(text)?.[1]),
    ['version', 'services.pyroscope.image', 'services.pyroscope.ports', 'services.pyroscope.command'],
  );
});

test('flags in the spelling of Go go before the file, and limits have flags too', () => {
  const { args, flags } = splitGoFlags(
    [
      '-server.http-listen-port=5000',
      '--validation.max-label-names-per-series',
      '7',
      '-auth.multitenancy-enabled',
      '-self-profiling.disable-push',
      '-memberlist.join=a',
      '-distributor.sampling.keep-stripped-profiles',
      'server',
      '--http-port',
      '5001',
      '-target=all',
      '-retention-period',
      '1w',
    ],
    ['server', 'up', 'record'],
  );
  assert.deepEqual(args, ['server', '--http-port', '5001']);
  const { server, warnings } = resolve(
    'server:\n  http_listen_port: 1\nlimits:\n  max_label_names_per_series: 1\n',
    {
      goFlags: flags,
    },
  );
  assert.equal(server.httpPort, 5000);
  assert.equal(server.limits.maxLabelNamesPerSeries, 7);
  assert.equal(server.limits.keepStrippedProfiles, true);
  assert.equal(server.limits.retentionPeriodMillis, 7 * 24 * HOUR_MILLIS);
  assert.equal(server.auth.multitenancy, true);
  assert.deepEqual(warnings, [
    '-memberlist.join is ignored: one process does it all, there is no cluster to form',
  ]);
  assert.match(
    complaint('', { goFlags: [{ name: 'querier.max-query-length', value: 'x' }] }),
    /^-querier\.max-query-length: limits\.max_query_length: expected a duration/,
  );
});

test('a command line of Pyroscope is one of ours', () => {
  const commands = ['server', 'up', 'record', 'version', 'modules'];
  const argsOf = (...argv: string[]) => splitGoFlags(argv, commands).args;
  assert.deepEqual(argsOf('-config.file=/x.yaml'), ['server']);
  assert.deepEqual(argsOf('-config.file=/x.yaml', 'server'), ['server']);
  assert.deepEqual(argsOf('server', '-config.file', '/x.yaml'), ['server']);
  assert.deepEqual(argsOf('server'), ['server']);
  assert.deepEqual(argsOf('up', '-server.http-listen-port=1'), ['up']);
  assert.deepEqual(argsOf('-version'), ['version']);
  assert.deepEqual(argsOf('-modules'), ['modules']);
  assert.deepEqual(argsOf('-help-all'), ['server', '--help']);
  assert.deepEqual(argsOf('record', '-ofile.folded'), ['record', '-ofile.folded']);
  assert.deepEqual(argsOf('--help'), ['--help']);
  assert.deepEqual(argsOf(), []);
  assert.throws(
    () => argsOf('-server.http-listen-prot=1'),
    /^UsageError: unknown flag -server\.http-listen-prot; did you mean -server\.http-listen-port\?$/,
  );
});

test('variables named after keys and flags work, others are named', () => {
  const { server, warnings } = resolve('server:\n  http_listen_port: 1\n', {
    environment: {
      PYROSCOPE_SERVER_HTTP_LISTEN_PORT: '6000',
      PYROSCOPE_RETENTION_PERIOD: '2d',
      PYROSCOPE_STORAGE_BACKEND: 'swift',
      PYROSCOPE_MULTITENANCY_ENABLED: 'true',
      PYROSCOPE_SERVER_HTTP_LISTEN_PROT: '1',
      PYROSCOPE_APPLICATION_NAME: 'x',
      HOME: '/x',
    },
  });
  assert.equal(server.httpPort, 6000);
  assert.equal(server.limits.retentionPeriodMillis, 48 * HOUR_MILLIS);
  assert.equal(server.auth.multitenancy, true);
  assert.equal(warnings.length, 3);
  assert.match(warnings[0]!, /^PYROSCOPE_STORAGE_BACKEND is ignored: there is no such store here/);
  assert.equal(
    warnings[1],
    'PYROSCOPE_SERVER_HTTP_LISTEN_PROT is ignored: no such setting; did you mean PYROSCOPE_SERVER_HTTP_LISTEN_PORT?',
  );
  assert.match(warnings[2]!, /^PYROSCOPE_APPLICATION_NAME is ignored: no such setting/);
  const config = join(folder, 'by-variable.yaml');
  writeFileSync(config, 'server:\n  http_listen_port: 7000\n');
  const environment = { PYROSCOPE_CONFIG_FILE: config };
  const named = resolveConfiguration({ command: 'server', flags: {}, environment, isRoot: true });
  assert.equal(named.configuration.server.httpPort, 7000);
  assert.deepEqual(named.warnings, []);
});

test('references to variables are replaced when that is asked for', () => {
  const environment = { PORT: '4000', EMPTY: '', LEVEL: 'warn' };
  const expand = (text: string) => expandEnvironment(text, environment, 'x.yaml');
  assert.equal(expand(`a: \${PORT}`), 'a: 4000');
  assert.equal(expand(`a: \${NONE}b`), 'a: b');
  assert.equal(expand(`\${NONE:-x-y:z}\${EMPTY:-x}\${EMPTY-x}\${NONE-x}\${NONE:=x}`), 'x-y:zxxx');
  assert.equal(expand(`$\${PORT} $PORT`), `\${PORT} $PORT`);
  assert.throws(() => expand(`\n\na: \${NONE:?must be set}`), /^UsageError: x\.yaml:3: NONE: must be set$/);
  assert.throws(() => expand(`\${1}`), /x\.yaml:1: \$\{1\} is no reference/);
  assert.throws(() => expand(`\${PORT/4/5}`), /is no reference/);

  const content = `server:\n  http_listen_port: \${PORT:-1}\n  log_level: \${LEVEL}\n`;
  const expanded = resolve(content, { environment, goFlags: [{ name: 'config.expand-env', value: 'true' }] });
  assert.equal(expanded.server.httpPort, 4000);
  assert.equal(expanded.log.level, 'warn');
  assert.match(
    complaint(content, { environment }),
    /http_listen_port: expected an integer .*, got "\$\{PORT:-1\}"/,
  );
});

test('every key that means a setting means one that exists, and every flag is one key', () => {
  const flags = new Set<string>();
  for (const { key, flag, apply, isHonoured, means } of [...REAL_KEYS, ...INTRODUCTION_KEYS]) {
    assert.notEqual(means, '', key);
    assert.equal(isHonoured, !means.startsWith('ignored'), key);
    if (flag !== undefined) assert.ok(!flags.has(flag), `${flag} is there twice`);
    if (flag !== undefined) flags.add(flag);
    const sink: KeySink = {
      command: 'up',
      set: (setting) => assert.ok(settingByPath.has(setting), `${key} sets ${setting}`),
      limit: () => {},
      warn: () => {},
      refused: (expected) => new UsageError(expected),
    };
    try {
      apply('1', sink);
    } catch (error) {
      assert.ok(error instanceof UsageError);
    }
  }
});
