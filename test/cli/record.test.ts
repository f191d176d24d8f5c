// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { eventually } from '../harness/hearthscope.ts';
import { agentCannotRun } from '../harness/programs.ts';
import { descendants, living, run, start } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-record-'));
after(() => rmSync(folder, { recursive: true }));

const skip = agentCannotRun();
/** Burns CPU until it is stopped. */
const BUSY = 'while :; do :; done';
const FREQUENCY = '--frequency=499';

test('the exit code of the command is passed on', { skip }, async () => {
  const output = join(folder, 'exit.folded');
  const outcome = async (script: string) =>
    (await run(['record', '--output', output, '--', 'sh', '-c', script])).status;
  assert.equal(await outcome('exit 0'), 0);
  assert.equal(await outcome('exit 7'), 7);
  assert.equal(await outcome('kill -TERM $$'), 128 + 15);
  const missing = await run(['record', '--output', output, '--', './no-such-command']);
  assert.equal(missing.status, 127, missing.stderr);
  assert.match(missing.stderr, /no-such-command/);
});

test('standard output belongs to the command, and its grandchildren are followed', { skip }, async () => {
  const output = join(folder, 'descendants.folded');
  const script = `echo hello; (i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done) & wait`;
  const { status, stdout, stderr } = await run([
    'record',
    FREQUENCY,
    '--output',
    output,
    '--',
    'sh',
    '-c',
    script,
  ]);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, 'hello\n');
  assert.match(stderr, /[1-9]\d* samples?, 0 lost, [1-9]\d* process/);
  for (const line of readFileSync(output, 'utf8').trim().split('\n')) assert.match(line, /^.+ \d+$/);
});

test('--duration sends SIGTERM to the command and ends with 0', { skip }, async () => {
  const output = join(folder, 'duration.pb.gz');
  const { status, stderr } = await run([
    'record',
    FREQUENCY,
    '--duration=1s',
    '--output',
    output,
    '--',
    'sh',
    '-c',
    BUSY,
  ]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /[1-9]\d* sample/);
  assert.ok(gunzipSync(readFileSync(output)).length > 100);
});

test('Ctrl-C ends the recording and still writes the file', { skip }, async (context) => {
  const output = join(folder, 'interrupted.folded');
  const record = start(context, ['record', '--all', FREQUENCY, '--duration=60s', '--output', output]);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  record.process.kill('SIGINT');
  assert.equal(await record.exit, 0, record.output());
  assert.ok(existsSync(output));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('partial')),
    [],
  );
});

test('one process by its pid', { skip }, async () => {
  const output = join(folder, 'pid.folded');
  const busy = spawn('sh', ['-c', BUSY], { stdio: 'ignore' });
  try {
    const { status, stderr } = await run([
      'record',
      `--pid=${busy.pid}`,
      FREQUENCY,
      '--duration=1s',
      '--output',
      output,
    ]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /[1-9]\d* samples?, 0 lost, 1 process,/);
  } finally {
    busy.kill('SIGKILL');
  }
});

test('the command dies with a recorder that is killed', { skip }, async (context) => {
  const output = join(folder, 'killed.folded');
  const record = start(context, ['record', '--output', output, '--', 'sleep', '300']);
  const pids = await eventually('the command', 10_000, async () => {
    const found = descendants(record.pid);
    const started = found.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
    return started.length > 0 ? started : undefined;
  });
  record.process.kill('SIGKILL');
  await eventually('its end', 10_000, async () => (living(pids).length === 0 ? true : undefined));
  assert.ok(!existsSync(output));
});
