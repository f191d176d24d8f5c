// SPDX-License-Identifier: Apache-2.0
//
// Turns what was thrown into one clear sentence and an exit code. Operational failures have no stack trace: it would
// hide the sentence; a bug has one.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { ExitCode, UsageError } from './exit-codes.ts';

/** Prints to standard error. @returns the exit code */
export function reportFailure(error: unknown): number {
  const detail = isOperational(error) ? messageOf(error) : ((error as Error)?.stack ?? String(error));
  process.stderr.write(`hearthscope: ${detail}\n`);
  return exitCodeOf(error);
}

/** A failure of the host or the user, as opposed to a bug of ours. */
export function isOperational(error: unknown): boolean {
  if (error instanceof HearthscopeError) return true;
  // The addon's errors have their own family, which is known here by name: the server runs without that package.
  return (
    (error as Error)?.name === 'NativeError' || typeof (error as NodeJS.ErrnoException)?.syscall === 'string'
  );
}

/** What a start needs and does not have is `failed_precondition`: a port when listening failed, else the data. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return ExitCode.usage;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { syscall, code } = cause as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || syscall === 'listen') return ExitCode.portTaken;
  }
  if (error instanceof HearthscopeError && error.code === 'failed_precondition')
    return ExitCode.dataDirectory;
  return ExitCode.failure;
}
