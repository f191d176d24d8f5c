// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { command, eventually } from '../harness/hearthscope.ts';
import { agentCannotRun } from '../harness/programs.ts';
import { cannotBecomeNobody, descendants, living, NOBODY, run, start } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-up-'));
// The server becomes another user, who must be able to pass.
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true }));

let directories = 0;
function startUp(context: TestContext) {
  const dataDir = join(folder, `data-${directories++}`);
  return start(context, [
    'up',
    '--http-port=0',
    '--otlp-grpc-port=off',
    '--otlp-http-port=off',
    '--metrics-port=off',
    '--interval=1s',
    `--data-dir=${dataDir}`,
  ]);
}

const READY = /Hearthscope is ready: open http:\/\/localhost:(\d+)/;

async function allEnded(pids: readonly number[]): Promise<void> {
  await eventually('the end of all processes', 12_000, async () =>
    living(pids).length === 0 ? true : undefined,
  );
}

/** The child that runs a component. */
async function componentPid(supervisor: number, component: string): Promise<number> {
  return eventually(`the ${component}`, 10_000, async () =>
    descendants(supervisor).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(component),
    ),
  );
}

test('says where to look, and again when profiles are there; SIGTERM ends all with 0', {
  skip: agentCannotRun(),
}, async (context) => {
  const up = startUp(context);
  const [, port] = await up.printed(READY);
  const [, services] = await up.printed(/The first profiles are here, of (\d+) services?: /);
  assert.ok(Number(services) > 0);
  assert.equal((await fetch(`http://localhost:${port}/`)).status, 200);
  const processes = [up.pid, ...descendants(up.pid)];
  assert.ok(processes.length >= 3, 'a supervisor and two components');
  const begin = Date.now();
  up.process.kill('SIGTERM');
  assert.equal(await up.exit, 0, up.output());
  assert.ok(Date.now() - begin < 10_000, 'SIGTERM took more than ten seconds');
  assert.deepEqual(living(processes), []);
  assert.doesNotMatch(up.output(), /was killed/);
});

test('a killed supervisor leaves no process', async (context) => {
  const up = startUp(context);
  await up.printed(READY);
  const processes = [up.pid, ...descendants(up.pid)];
  up.process.kill('SIGKILL');
  await allEnded(processes);
});

test('a component that is killed is started again, the server on the same port', {
  skip: agentCannotRun(),
}, async (context) => {
  const up = startUp(context);
  const [, port] = await up.printed(READY);
  const agent = await componentPid(up.pid, 'agent');
  process.kill(agent, 'SIGKILL');
  await up.printed(/the agent ended unexpectedly and is started again: it was ended by SIGKILL/);
  const server = await componentPid(up.pid, 'server');
  process.kill(server, 'SIGKILL');
  await up.printed(/the server ended unexpectedly and is started again: it was ended by SIGKILL/);
  const metrics = await eventually('the count of restarts', 20_000, async () => {
    const text = await (await fetch(`http://localhost:${port}/metrics`)).text();
    return text.includes('hearthscope_component_restarts{component="server"} 1') ? text : undefined;
  });
  assert.match(metrics, /hearthscope_component_restarts\{component="agent"\} 1/);
  assert.equal(await up.stop(), 0);
});

test('a component that is asked to stop stops the whole, in order', async (context) => {
  const up = startUp(context);
  await up.printed(READY);
  const server = await componentPid(up.pid, 'server');
  process.kill(server, 'SIGTERM');
  assert.equal(await up.exit, 0, up.output());
});

test('SIGTERM while it starts', async (context) => {
  for (const delayMillis of [0, 100, 300, 600]) {
    const up = startUp(context);
    await new Promise((resolve) => setTimeout(resolve, delayMillis));
    const processes = [up.pid, ...descendants(up.pid)];
    up.process.kill('SIGTERM');
    await up.exit;
    await allEnded(processes);
  }
});

test('without root the server runs, and one sentence says that the agent cannot', {
  skip: cannotBecomeNobody(),
}, async () => {
  const home = join(folder, 'home');
  mkdirSync(home);
  chownSync(home, NOBODY, NOBODY);
  const child = spawn(command, ['up', '--http-port=0', '--otlp-grpc-port=off', '--otlp-http-port=off'], {
    uid: NOBODY,
    gid: NOBODY,
    env: { PATH: process.env.PATH, XDG_DATA_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  try {
    const port = await eventually('ready', 20_000, async () => READY.exec(output)?.[1]);
    await eventually('the sentence', 5000, async () =>
      /the agent cannot run: it needs root \(or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE\): start it with sudo\./.exec(
        output,
      ),
    ).catch((error) => assert.fail(`${error}\n${output}`));
    assert.equal((await fetch(`http://localhost:${port}/ready`)).status, 200);
  } finally {
    child.kill('SIGTERM');
  }
  const [status] = await new Promise<[number]>((resolve) =>
    child.once('close', (code: number) => resolve([code])),
  );
  assert.equal(status, 0);
});

test('the agent alone says why it cannot run, and ends with 5', { skip: cannotBecomeNobody() }, async () => {
  for (const args of [['agent'], ['record', '--all', '--output', '/tmp/never-written.folded']]) {
    const { status, stderr } = await run(args, { uid: NOBODY });
    assert.equal(status, 5, stderr);
    assert.match(stderr, /it needs root \(or CAP_BPF/);
  }
});
