// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope server`, `hearthscope collector` and `hearthscope agent`: one component in this very process.

import { loadConfiguration } from '../config/load.ts';
import { hostObstacles, readHost } from '../doctor/host.ts';
import { ExitCode } from '../exit-codes.ts';
import { type ServiceKind, startService } from '../service.ts';
import { onStopSignals } from '../stop-signals.ts';

/** A stop that takes longer hangs, and the process ends without it. */
const STOP_DEADLINE_MILLIS = 9000;

type Flags = Readonly<Record<string, unknown>>;

export function runServer(flags: Flags): Promise<number> {
  return runService('server', flags);
}

export function runCollector(flags: Flags): Promise<number> {
  return runService('collector', flags);
}

export async function runAgent(flags: Flags): Promise<number> {
  const [obstacle] = hostObstacles(readHost());
  if (obstacle !== undefined) {
    process.stderr.write(`hearthscope: the agent cannot run: ${obstacle}\n`);
    return ExitCode.agentUnsupported;
  }
  return runService('agent', flags);
}

async function runService(component: ServiceKind, flags: Flags): Promise<number> {
  const { configuration, logger } = loadConfiguration(component, flags);
  const stopRequested = Promise.withResolvers<void>();
  const stop = () => {
    stopRequested.resolve();
    // From the signal on, so that a start that hangs ends as well. A finished stop exits long before.
    setTimeout(() => {
      logger.error(
        { deadlineMillis: STOP_DEADLINE_MILLIS },
        'did not stop in time; what was not flushed is lost',
      );
      process.exit(ExitCode.failure);
    }, STOP_DEADLINE_MILLIS);
  };
  onStopSignals({ stop, force: () => logger.warn('stopped at once, without flushing') });
  const service = await startService(component, configuration, logger);
  logger.info(service.ports, `the ${component} is ready`);
  await stopRequested.promise;
  logger.info('stopping');
  await service.stop();
  return ExitCode.ok;
}
