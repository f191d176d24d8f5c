// SPDX-License-Identifier: Apache-2.0
//
// Every exit code of the command, in one place: scripts and service managers depend on them, so a number never
// changes its meaning. `record` is the exception that passes on the exit code of the command it ran.

import { HearthscopeError } from '@hearthscope/profile/errors';

export const ExitCode = {
  ok: 0,
  /** Something failed that no other code describes. */
  failure: 1,
  /** The command line, the environment or the configuration file is wrong. */
  usage: 2,
  /** A port cannot be opened: mostly, another process listens on it. */
  portTaken: 3,
  /** The data directory cannot be written, or a living process has locked it. */
  dataDirectory: 4,
  /** This host or this user cannot run the agent; `hearthscope doctor` says why. */
  agentUnsupported: 5,
  /** A component crashed again and again, and the supervisor gave up. */
  crashLoop: 6,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A wrong command line or configuration: reported without a stack trace, with exit code 2. */
export class UsageError extends HearthscopeError {
  constructor(message: string) {
    super('invalid_argument', message);
    this.name = 'UsageError';
  }
}

/** Shells report a process ended by signal `n` as 128 + n. */
export const SIGNAL_EXIT_BASE = 128;
