// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const module = fileURLToPath(new URL('./stop-signals.ts', import.meta.url));
const program = `
  import { onStopSignals } from ${JSON.stringify(module)};
  onStopSignals({ stop: () => console.log('stop'), force: () => console.log('force') });
  setInterval(() => {}, 1000);
  console.log('ready');
`;

/** Sends signals to a process that never ends by itself: after each pause one signal. */
async function printedAfter(...signals: readonly (readonly [pauseMillis: number, signal: NodeJS.Signals])[]) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  while (!printed.includes('ready')) await once(child.stdout, 'data');
  for (const [pauseMillis, signal] of signals) {
    await new Promise((resolve) => setTimeout(resolve, pauseMillis));
    child.kill(signal);
  }
  const [code, signal] = await once(child, 'close');
  return {
    printed: printed.split('\n').filter((line) => line !== '' && line !== 'ready'),
    status: code ?? signal,
  };
}

test('a second Ctrl-C forces the end; one that comes twice for one key press does not', async () => {
  const forced = await printedAfter([0, 'SIGINT'], [20, 'SIGINT'], [900, 'SIGINT']);
  assert.deepEqual(forced, { printed: ['stop', 'force'], status: 130 });
});

test('a repeated SIGTERM changes nothing', async () => {
  const { printed } = await printedAfter([0, 'SIGTERM'], [900, 'SIGTERM'], [0, 'SIGKILL']);
  assert.deepEqual(printed, ['stop']);
});
