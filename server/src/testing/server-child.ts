// SPDX-License-Identifier: Apache-2.0
//
// A server in a process of its own, for tests of what changes a whole process. The parent sends the options and is told
// the port or the error. After an error the process has nothing left to do and ends; else SIGTERM ends it.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type ServerOptions, startServer } from '../server.ts';

/** What can be sent between processes. */
export type ChildOptions = Omit<ServerOptions, 'logger' | 'registry'>;

export type ChildAnswer = { readonly httpPort: number } | { readonly code: string; readonly message: string };

process.once('message', async (options: ChildOptions) => {
  let answer: ChildAnswer;
  try {
    const server = await startServer({
      ...options,
      logger: pino({ level: 'silent' }),
      registry: new Registry(),
    });
    process.once('SIGTERM', async () => {
      await server.stop();
      process.disconnect();
    });
    answer = { httpPort: server.httpPort };
  } catch (error) {
    answer = { code: error instanceof HearthscopeError ? error.code : 'unknown', message: messageOf(error) };
  }
  process.send!(answer);
});
