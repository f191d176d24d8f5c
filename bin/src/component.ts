// SPDX-License-Identifier: Apache-2.0
//
// The entry of a supervised child: the server or the agent, without the command line's code in its memory. It does
// what the supervisor says over IPC, and stops by itself when the supervisor is gone, even when that was killed.

import { messageOf } from '@hearthscope/profile/errors';
import { Gauge } from 'prom-client';
import { ExitCode } from './exit-codes.ts';
import { exitCodeOf, isOperational } from './failure.ts';
import { createLogger } from './logger.ts';
import { type Component, type Service, startService } from './service.ts';
import type { ToComponent, ToSupervisor } from './supervision/messages.ts';

/** An orphan has nobody who would kill it when its stop hangs. */
const ORPHAN_STOP_MILLIS = 10_000;

const component = process.argv[2] as Component;
let starting: Promise<Service> | undefined;
let stopping = false;
let restarts: Gauge | undefined;

process.on('message', (message: ToComponent) => {
  if (message.type === 'start') starting = start(message.configuration);
  else if (message.type === 'stop') void stop();
  else void showRestarts(message.restarts);
});
process.on('disconnect', () => {
  setTimeout(() => process.exit(ExitCode.failure), ORPHAN_STOP_MILLIS).unref();
  void stop();
});
// A terminal or a service manager signals the whole group. The order of the stop is the supervisor's business, so that
// the agent's last profiles find the server still there.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => send({ type: 'signalled', signal }));
}

function send(message: ToSupervisor): void {
  // An error means that the supervisor is gone, which the `disconnect` event tells as well.
  if (process.connected) process.send!(message, undefined, undefined, () => {});
}

async function start(configuration: Parameters<typeof startService>[1]): Promise<Service> {
  const logger = createLogger({ ...configuration.log, component });
  try {
    const service = await startService(component, configuration, logger);
    send({ type: 'started', ports: service.ports });
    return service;
  } catch (error) {
    const message = isOperational(error) ? messageOf(error) : ((error as Error)?.stack ?? String(error));
    const exitCode = exitCodeOf(error);
    if (!process.connected) process.exit(exitCode);
    // The message must be out before the process is.
    process.send!({ type: 'failed', message, exitCode } satisfies ToSupervisor, undefined, undefined, () =>
      process.exit(exitCode),
    );
    return new Promise(() => {});
  }
}

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  try {
    await (await starting)?.stop();
    process.exit(ExitCode.ok);
  } catch (error) {
    process.stderr.write(`hearthscope ${component}: stopping failed: ${messageOf(error)}\n`);
    process.exit(ExitCode.failure);
  }
}

async function showRestarts(counts: Readonly<Record<Component, number>>): Promise<void> {
  const service = await starting;
  if (service === undefined) return;
  restarts ??= new Gauge({
    name: 'hearthscope_component_restarts',
    help: 'How often the supervisor has restarted a component since it started itself.',
    labelNames: ['component'],
    registers: [service.registry],
  });
  for (const [name, count] of Object.entries(counts)) restarts.set({ component: name }, count);
}
