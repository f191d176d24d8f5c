// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatText, loggerTo } from './logger.ts';

function logged(write: (logger: ReturnType<typeof loggerTo>) => void, component?: string): string {
  const lines: string[] = [];
  const options = { level: 'info', format: 'json' } as const;
  write(
    loggerTo(
      { write: (line) => void lines.push(line) },
      component === undefined ? options : { ...options, component },
    ),
  );
  assert.equal(lines.length, 1);
  return lines[0]!;
}

test('a line has time, level, component and message', () => {
  const { time, ...rest } = JSON.parse(logged((logger) => logger.info({ port: 1 }, 'ready'), 'server'));
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, { level: 'info', component: 'server', port: 1, msg: 'ready' });
});

test('secrets are not printed, at the top or inside an object', () => {
  const line = logged((logger) =>
    logger.info(
      { headers: { authorization: 'hunter2' }, export: { token: 'hunter2', headers: ['hunter2'] } },
      'x',
    ),
  );
  assert.doesNotMatch(line, /hunter2/);
});

test('text for people', () => {
  const text = (fields: object, colours = false) =>
    formatText(JSON.stringify({ time: 'T', level: 'warn', ...fields }), colours);
  assert.equal(
    text({ component: 'agent', msg: 'slow', millis: 7, name: 'a b', list: [1] }),
    'T warn  agent: slow millis=7 name="a b" list=[1]\n',
  );
  assert.equal(text({ msg: 'x' }, true), 'T \x1b[33mwarn \x1b[0m x\n');
  assert.equal(
    text({ msg: 'it failed', err: { message: 'why', stack: 'Error: why\n  at f' } }),
    'T warn  it failed error=why\nError: why\n  at f\n',
  );
});

test('foreign text cannot forge a line or move the cursor', () => {
  const forged = formatText(
    JSON.stringify({ time: 'T', level: 'info', msg: 'a\nT fatal b', name: '\x1b[2Jc' }),
    false,
  );
  assert.equal(forged.split('\n').length, 2);
  assert.ok(!forged.includes('\x1b'));
});
