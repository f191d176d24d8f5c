// SPDX-License-Identifier: Apache-2.0
//
// What every long-running command does first: resolve its configuration from this process's flags and environment,
// and make the logger that the configuration asks for.

import type { Logger } from 'pino';
import { createLogger } from '../logger.ts';
import { resolveConfiguration } from './configuration.ts';
import type { Configuration } from './configuration-types.ts';
import type { GoFlag } from './pyroscope/go-flags.ts';
import type { Command } from './schema/setting-schema.ts';

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly logger: Logger;
}

/** Where the command line puts flags in Pyroscope's spelling, among the others; no flag has such a name. */
export const GO_FLAGS = '-flags';

/** @param component what the log lines are marked with
 * @throws UsageError */
export function loadConfiguration(
  command: Command,
  flags: Readonly<Record<string, unknown>>,
  component?: string,
): LoadedConfiguration {
  const isRoot = process.geteuid?.() === 0;
  const { configuration, warnings } = resolveConfiguration({
    command,
    flags,
    goFlags: (flags[GO_FLAGS] as readonly GoFlag[] | undefined) ?? [],
    environment: process.env,
    isRoot,
  });
  const logger = createLogger({ ...configuration.log, ...(component !== undefined && { component }) });
  for (const warning of warnings) logger.warn(warning);
  return { configuration, logger };
}
