// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { eventually, freePort } from '../harness/hearthscope.ts';
import { run, start } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-server-'));
// The server becomes another user, who must be able to pass.
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true }));

let directories = 0;
/** A directory of its own for each server, below one that any user may pass. */
function dataDir(): string {
  return join(folder, `data-${directories++}`);
}

const EXIT_PORT_TAKEN = 3;
const EXIT_DATA_DIRECTORY = 4;
const ANY_PORTS = ['--http-port=0', '--otlp-grpc-port=0', '--otlp-http-port=0', '--host=127.0.0.1'];
const READY = /the server is ready .*httpPort=(\d+)/;

test('the server answers /ready, and ends with 0 within ten seconds of SIGTERM', async (context) => {
  const server = start(context, ['server', ...ANY_PORTS, '--data-dir', dataDir()]);
  const [, port] = await server.printed(READY);
  const response = await eventually('ready', 10_000, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/ready`);
    return answer.ok ? answer : undefined;
  });
  assert.equal(response.status, 200);
  server.process.kill('SIGTERM');
  assert.equal(await server.exit, 0, server.output());
});

test('flags override the environment, which overrides the file', async (context) => {
  const [fromFile, fromEnvironment, fromFlag] = await Promise.all([freePort(), freePort(), freePort()]);
  const config = join(folder, 'precedence.yml');
  writeFileSync(
    config,
    `server:\n  host: 127.0.0.1\n  http_port: ${fromFile}\n  otlp_grpc_port: off\n  otlp_http_port: off\n`,
  );
  const env = { HEARTHSCOPE_CONFIG: config, HEARTHSCOPE_HTTP_PORT: String(fromEnvironment) };
  for (const [args, environment, expected] of [
    [['--config', config], {}, fromFile],
    [[], env, fromEnvironment],
    [['--http-port', String(fromFlag)], env, fromFlag],
  ] as const) {
    const server = start(context, ['server', '--data-dir', dataDir(), ...args], { env: environment });
    const [, port] = await server.printed(READY);
    assert.equal(Number(port), expected);
    await server.printed(/otlpGrpcPort=null/);
    assert.equal(await server.stop(), 0);
  }
});

test('an unknown variable is a warning that names the nearest', async (context) => {
  const server = start(context, ['server', ...ANY_PORTS, '--data-dir', dataDir()], {
    env: { HEARTHSCOPE_LOG_LEVLE: 'debug' },
  });
  await server.printed(
    /warn .*unknown environment variable HEARTHSCOPE_LOG_LEVLE; did you mean HEARTHSCOPE_LOG_LEVEL\?/,
  );
  await server.printed(READY);
  assert.equal(await server.stop(), 0);
});

test('JSON log lines are JSON', async (context) => {
  const server = start(context, ['server', ...ANY_PORTS, '--log-format=json', '--data-dir', dataDir()]);
  await server.printed(/the server is ready/);
  assert.equal(await server.stop(), 0);
  for (const line of server.output().trim().split('\n')) {
    const { time, level, msg } = JSON.parse(line);
    assert.deepEqual([typeof time, typeof level, typeof msg], ['string', 'string', 'string']);
  }
});

test('a taken port ends the command, with the port in the message', async () => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  const { port } = occupant.address() as AddressInfo;
  try {
    for (const command of ['server', 'up']) {
      const { status, stderr } = await run([
        command,
        ...ANY_PORTS.slice(1),
        `--http-port=${port}`,
        '--data-dir',
        dataDir(),
      ]);
      assert.equal(status, EXIT_PORT_TAKEN, stderr);
      assert.match(stderr, new RegExp(`port ${port} .*taken`));
    }
  } finally {
    occupant.close();
  }
});

test('a data directory that another server uses is refused, until that one is killed', async (context) => {
  const directory = dataDir();
  const first = start(context, ['server', ...ANY_PORTS, '--data-dir', directory]);
  await first.printed(READY);
  for (const command of ['server', 'up']) {
    const second = await run([command, ...ANY_PORTS, '--data-dir', directory]);
    assert.equal(second.status, EXIT_DATA_DIRECTORY, second.stderr);
    assert.ok(second.stderr.includes(directory), second.stderr);
  }
  first.process.kill('SIGKILL');
  await first.exit;
  const third = start(context, ['server', ...ANY_PORTS, '--data-dir', directory]);
  await third.printed(READY);
  assert.equal(await third.stop(), 0);
});

test('a data directory that cannot be written is refused', async () => {
  const notADirectory = join(folder, 'file');
  writeFileSync(notADirectory, '');
  const foreign = join(folder, 'foreign');
  mkdirSync(foreign, { mode: 0o700 });
  const refused = [notADirectory, '/dev/null/hearthscope'];
  if (process.getuid?.() === 0) {
    // Neither root's nor that of the user the server becomes, and in use.
    writeFileSync(join(foreign, 'something'), '');
    chownSync(foreign, 4321, 4321);
    refused.push(foreign);
  }
  for (const directory of refused) {
    const { status, stderr } = await run(['server', ...ANY_PORTS, '--data-dir', directory]);
    assert.equal(status, EXIT_DATA_DIRECTORY, stderr);
    assert.ok(stderr.includes(directory), stderr);
    assert.ok(!stderr.includes('    at '), `a stack trace: ${stderr}`);
  }
});
