// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UsageError } from '../exit-codes.ts';
import { type ConfigurationSources, resolveConfiguration } from './configuration.ts';
import { configurationDocument } from './documentation.ts';
import { settings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-config-'));
after(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, 'hearthscope.yml');
  writeFileSync(path, content);
  return path;
}

function resolve(sources: Partial<ConfigurationSources>) {
  return resolveConfiguration({ command: 'up', flags: {}, environment: {}, isRoot: true, ...sources });
}

function complaint(sources: Partial<ConfigurationSources>): string {
  try {
    resolve(sources);
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return error.message.replaceAll(`${folder}/`, '');
  }
  assert.fail('the configuration should have been refused');
}

test('every default passes its own schema', () => {
  const { configuration, warnings } = resolve({});
  assert.deepEqual(warnings, []);
  assert.equal(configuration.server.httpPort, 4040);
  assert.equal(configuration.server.host, '127.0.0.1');
  assert.equal(configuration.server.dataDir, '/var/lib/hearthscope');
  assert.equal(configuration.server.otlpPortsExplicit, false);
  assert.equal(configuration.server.headMaxBytes, 512 * 2 ** 20);
  assert.equal(configuration.agent.intervalMillis, 10_000);
  assert.equal(configuration.agent.frequencyHz, 19);
  assert.equal(configuration.telemetry.otlpEndpoint, '');
  for (const { path, schema } of settings) {
    assert.ok(schema.default !== undefined || schema['x-default'] !== undefined, `${path} has no default`);
  }
});

test('flags override the environment, which overrides the file, which overrides the default', () => {
  const config = file('server:\n  http_port: 1111\n  host: "10.0.0.1"\n  data_dir: /from/file\n');
  const environment = {
    HEARTHSCOPE_HTTP_PORT: '2222',
    HEARTHSCOPE_HOST: '10.0.0.2',
    HEARTHSCOPE_CONFIG: config,
  };
  const { server } = resolve({ environment, flags: { 'http-port': '3333' } }).configuration;
  assert.equal(server.httpPort, 3333);
  assert.equal(server.host, '10.0.0.2');
  assert.equal(server.dataDir, '/from/file');
  assert.equal(server.otlpGrpcPort, 4317);
  const other = join(folder, 'other.yml');
  writeFileSync(other, 'log: { level: warn }\n');
  const { log } = resolve({ environment, flags: { config: other } }).configuration;
  assert.equal(log.level, 'warn');
});

test('`server` listens on all addresses, `up` on loopback', () => {
  assert.equal(resolve({ command: 'up' }).configuration.server.host, '127.0.0.1');
  assert.match(resolve({ command: 'server' }).configuration.server.host, /^(::|0\.0\.0\.0)$/);
});

test('the default data directory follows the user', () => {
  const dataDir = (environment: Record<string, string>) =>
    resolve({ isRoot: false, environment }).configuration.server.dataDir;
  assert.equal(dataDir({ XDG_DATA_HOME: '/x' }), '/x/hearthscope');
  assert.equal(dataDir({ HOME: '/home/a' }), '/home/a/.local/share/hearthscope');
  assert.match(complaint({ isRoot: false, environment: {} }), /--data-dir/);
});

test('lists, mappings, switches, "off" and units from each source', () => {
  const fromFlags = resolve({
    command: 'agent',
    flags: { header: ['a=1', 'b=2=3'], 'exclude-self': true, interval: '1m30s', 'metrics-port': 'off' },
  }).configuration.agent;
  assert.deepEqual(fromFlags.headers, { a: '1', b: '2=3' });
  assert.equal(fromFlags.excludeSelf, true);
  assert.equal(fromFlags.intervalMillis, 90_000);
  assert.equal(fromFlags.metricsPort, null);
  const fromEnvironment = resolve({
    environment: {
      HEARTHSCOPE_HEADER: 'a=1, b=2',
      HEARTHSCOPE_EXCLUDE_SELF: 'true',
      HEARTHSCOPE_INDEXED_ATTRIBUTES: 'x,y',
      HEARTHSCOPE_OTLP_GRPC_PORT: 'off',
    },
  }).configuration;
  assert.deepEqual(fromEnvironment.agent.headers, { a: '1', b: '2' });
  assert.equal(fromEnvironment.agent.excludeSelf, true);
  assert.deepEqual(fromEnvironment.server.indexedAttributes, ['x', 'y']);
  assert.equal(fromEnvironment.server.otlpGrpcPort, null);
  assert.equal(fromEnvironment.server.otlpPortsExplicit, true);
  const config = file(
    'agent:\n  services:\n    - { name: web, match: { systemd_unit: "nginx\\\\.service", exe: ".*" } }\nserver:\n  head_max_bytes: 1048576\nlog:\n',
  );
  const fromFile = resolve({ flags: { config } }).configuration;
  assert.deepEqual(fromFile.agent.services, [
    { name: 'web', match: { exe: '.*', systemdUnit: 'nginx\\.service' } },
  ]);
  assert.equal(fromFile.server.headMaxBytes, 1048576);
});

test('an unknown key is named with its line and the nearest known key', () => {
  const unknown = (content: string) => complaint({ flags: { config: file(content) } });
  assert.equal(
    unknown('log:\n  level: info\nserver:\n  htpp_port: 1\n'),
    'hearthscope.yml:4: unknown key server.htpp_port; did you mean server.http_port?',
  );
  assert.equal(unknown('sever: {}\n'), 'hearthscope.yml:1: unknown key sever; did you mean server?');
  assert.equal(
    unknown('http_port: 1\n'),
    'hearthscope.yml:1: unknown key http_port; did you mean server.http_port?',
  );
  assert.equal(
    unknown('agent:\n  services:\n    - name: a\n      match:\n        exee: b\n'),
    'hearthscope.yml:5: unknown key agent.services.0.match.exee; did you mean agent.services.0.match.exe?',
  );
  assert.equal(unknown('log:\n  zzzzzzzzzzzzz: 1\n'), 'hearthscope.yml:2: unknown key log.zzzzzzzzzzzzz');
});

test('a wrong value says what was expected and what was found', () => {
  const wrong = (content: string) => complaint({ flags: { config: file(content) } });
  assert.equal(
    wrong('server:\n  http_port: "80a"\n'),
    'hearthscope.yml:2: server.http_port: expected an integer (0 to 65535), got "80a"',
  );
  assert.equal(
    wrong('server:\n  http_port: 70000\n'),
    'hearthscope.yml:2: server.http_port: expected 0 to 65535, got 70000',
  );
  assert.match(wrong('agent:\n  interval: 10\n'), /:2: agent\.interval: expected a duration .*, got 10$/);
  assert.match(
    wrong('agent:\n  interval: soon\n'),
    /:2: agent\.interval: expected a duration .*, got "soon"$/,
  );
  assert.match(wrong('server:\n  head_max_bytes: big\n'), /expected a size .*, got "big"$/);
  assert.match(wrong('log: [1]\n'), /:1: log: expected a mapping of names to values, got \[1\]$/);
  assert.match(
    wrong('agent:\n  services:\n    - name: a\n'),
    /:3: agent\.services\.0: the key match is missing/,
  );
  assert.match(
    wrong('agent:\n  services:\n    - name: a\n      match: { exe: "(" }\n'),
    /expected a regular expression/,
  );
  assert.match(wrong('a: b: c\n'), /^hearthscope\.yml:1: not valid YAML/);
  assert.match(wrong('- 1\n'), /:1: expected a mapping/);
  assert.equal(wrong('server:\n  user: 1\nlog:\n  level: loud\n').split('\n').length, 2);
  assert.match(complaint({ flags: { config: '/nonexistent.yml' } }), /cannot read .*\/nonexistent\.yml/);
  assert.match(complaint({ flags: { frequency: '1000' } }), /^--frequency: expected 1 to 999, got 1000$/);
  assert.match(complaint({ flags: { 'http-port': ['1', '2'] } }), /--http-port is given 2 times/);
  assert.match(
    complaint({ environment: { HEARTHSCOPE_LOG_FORMAT: 'xml' } }),
    /^HEARTHSCOPE_LOG_FORMAT: expected one of text, json, got "xml"$/,
  );
  assert.match(complaint({ flags: { endpoint: 'localhost:4040' } }), /--endpoint: expected a URL/);
});

test('a secret never appears in a complaint', () => {
  const messages = [
    complaint({ flags: { config: file('agent:\n  headers: "authorization=hunter2"\n') } }),
    complaint({ flags: { config: file('agent:\n  headers:\n    authorization: [hunter2]\n') } }),
    complaint({ flags: { header: ['hunter2'] } }),
    complaint({ environment: { HEARTHSCOPE_HEADER: 'hunter2' } }),
  ];
  for (const message of messages) assert.doesNotMatch(message, /hunter2/);
});

test('the status pages show the keys of the file and hide secrets', () => {
  const config = file(
    'agent:\n  headers: { authorization: hunter2 }\nserver:\n  http_port: 5\nlimits:\n  max_query_length: 3d\n',
  );
  const { shown } = resolve({ flags: { config } }).configuration;
  const running = shown.running as Record<string, Record<string, unknown>>;
  const defaults = shown.defaults as Record<string, Record<string, unknown>>;
  assert.doesNotMatch(JSON.stringify(shown), /hunter2/);
  assert.deepEqual(running.agent!.headers, { authorization: '********' });
  assert.equal(running.server!.http_port, 5);
  assert.equal(defaults.server!.http_port, 4040);
  assert.equal(running.limits!.max_query_length, '3d');
  assert.notEqual(defaults.limits!.max_query_length, '3d');
});

test('settings that need each other are told together', () => {
  assert.match(
    complaint({ flags: { 'tls-cert-file': '/c' } }),
    /both server\.tls_cert_file and server\.tls_key_file/,
  );
  assert.match(complaint({ flags: { 'tls-client-ca-file': '/c' } }), /needs server\.tls_cert_file/);
  assert.match(complaint({ flags: { 'auth-type': 'basic' } }), /auth\.type basic needs auth\.file/);
  assert.match(
    complaint({ command: 'server', flags: { 'auth-type': 'mtls', 'auth-file': '/f' } }),
    /mtls needs server\.tls_client_ca_file/,
  );
  const tls = { 'tls-cert-file': '/c', 'tls-key-file': '/k' };
  assert.match(complaint({ flags: tls }), /the agent of `up` speaks to its server over loopback without TLS/);
  const { server } = resolve({ command: 'server', flags: tls }).configuration;
  assert.deepEqual(server.tls, { certFile: '/c', keyFile: '/k' });
  assert.match(complaint({ command: 'collector' }), /--forward-to URL/);
  assert.match(
    complaint({ flags: { 'path-prefix': '/a/' } }),
    /--path-prefix: expected a path such as \/profiles/,
  );
  const vcs = file('vcs:\n  github_client_id: x\n');
  assert.match(
    complaint({ flags: { config: vcs } }),
    /github_client_id needs vcs\.github_client_secret_file/,
  );
});

test('an unknown variable is a warning with the nearest name', () => {
  const { warnings } = resolve({ environment: { HEARTHSCOPE_HTTP_PROT: '1', PATH: '/bin' } });
  assert.deepEqual(warnings, [
    'unknown environment variable HEARTHSCOPE_HTTP_PROT; did you mean HEARTHSCOPE_HTTP_PORT?',
  ]);
});

test('aliases cannot blow up, and a huge file is refused', () => {
  const levels = Array.from(
    { length: 12 },
    (_, n) => `k${n}: &a${n} [${n === 0 ? 'x' : `*a${n - 1},`.repeat(10)}]`,
  );
  assert.match(complaint({ flags: { config: file(levels.join('\n')) } }), /not valid YAML/);
  assert.match(complaint({ flags: { config: file(`# ${'x'.repeat(2 ** 20)}`) } }), /more than 1048576/);
});

test('docs/configuration.md is current', () => {
  const stored = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  assert.equal(stored, configurationDocument(), 'run scripts/generate-docs.sh');
});
