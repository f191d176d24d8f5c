// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope up`: everything on one host. Says where to look when the server answers, and again when the first
// profiles can be queried.

import type { Logger } from 'pino';
import type { Configuration } from '../config/configuration-types.ts';
import { loadConfiguration } from '../config/load.ts';
import { hostObstacles, readHost } from '../doctor/host.ts';
import { waitForFirstProfiles } from '../first-profiles.ts';
import { onStopSignals } from '../stop-signals.ts';
import { loopbackUrl, Supervisor } from '../supervision/supervisor.ts';

export async function up(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const { configuration, logger } = loadConfiguration('up', flags);
  const agentObstacle = hostObstacles(readHost())[0];
  const watching = new AbortController();
  const supervisor = new Supervisor({
    configuration,
    logger,
    agentObstacle,
    onServerReady: (httpPort) => {
      const url = pageUrl(configuration.server.host, httpPort);
      announce(configuration, logger, `Hearthscope is ready: open ${url} (Ctrl-C stops it)`, { url });
      if (agentObstacle === undefined) {
        void announceFirstProfiles(configuration, logger, httpPort, url, watching.signal);
      }
    },
  });
  const release = onStopSignals({ stop: () => supervisor.stop(), force: () => supervisor.kill() });
  try {
    return await supervisor.run();
  } finally {
    watching.abort();
    release();
  }
}

async function announceFirstProfiles(
  configuration: Configuration,
  logger: Logger,
  httpPort: number,
  url: string,
  signal: AbortSignal,
): Promise<void> {
  const services = await waitForFirstProfiles(
    loopbackUrl(configuration.server.host, httpPort),
    Date.now(),
    signal,
  );
  if (services !== undefined) {
    const noun = services === 1 ? 'service' : 'services';
    announce(configuration, logger, `The first profiles are here, of ${services} ${noun}: ${url}`, {
      url,
      services,
    });
  }
}

/** What a browser on this host opens. */
function pageUrl(host: string, httpPort: number): string {
  const everywhere = host === '0.0.0.0' || host === '::' || host === '127.0.0.1';
  return everywhere ? `http://localhost:${httpPort}` : loopbackUrl(host, httpPort);
}

/** A plain line for people, a log line for machines. */
function announce(configuration: Configuration, logger: Logger, line: string, fields: object): void {
  if (configuration.log.format === 'json') logger.info(fields, line);
  else process.stdout.write(`${line}\n`);
}
