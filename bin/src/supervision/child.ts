// SPDX-License-Identifier: Apache-2.0
//
// One run of one component as a child process: start, stop, exit. Restarting is the supervisor's business.

import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Configuration } from '../config/configuration-types.ts';
import type { Component } from '../service.ts';
import type { ToComponent, ToSupervisor } from './messages.ts';

/** From source in development and tests, from dist otherwise. */
const entry = fileURLToPath(new URL(`../component${extname(import.meta.url)}`, import.meta.url));

export interface ChildExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not start, when it said so itself. */
  readonly failure: string | undefined;
}

export interface ChildOptions {
  readonly component: Component;
  readonly configuration: Configuration;
  /** Flags for this component's Node, beside those of the supervisor's own. */
  readonly nodeFlags: readonly string[];
  /** Added to this process's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** Called when somebody sends SIGINT or SIGTERM to the child itself. */
  readonly onSignalled: (signal: string) => void;
}

export class Child {
  readonly component: Component;
  readonly startedAtMillis: number;
  /** The open ports once it runs; `undefined` when it ended before that. */
  readonly started: Promise<Readonly<Record<string, number | null>> | undefined>;
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;

  constructor(options: ChildOptions, now: () => number) {
    this.component = options.component;
    this.startedAtMillis = now();
    this.#process = fork(entry, [options.component], {
      execArgv: [...process.execArgv, ...options.nodeFlags],
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const started = Promise.withResolvers<Readonly<Record<string, number | null>> | undefined>();
    const exited = Promise.withResolvers<ChildExit>();
    this.started = started.promise;
    this.exited = exited.promise;
    let failure: string | undefined;
    const end = (exitCode: number | null, signal: NodeJS.Signals | null) => {
      started.resolve(undefined);
      exited.resolve({ exitCode, signal, failure });
    };
    this.#process.on('message', (message: ToSupervisor) => {
      if (message.type === 'started') started.resolve(message.ports);
      else if (message.type === 'failed') failure = message.message;
      else options.onSignalled(message.signal);
    });
    this.#process.on('exit', end);
    this.#process.on('error', (error) => {
      failure ??= error.message;
      // A process that could not be spawned has no `exit` event.
      if (this.#process.pid === undefined) end(null, null);
    });
    this.send({ type: 'start', configuration: options.configuration });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  send(message: ToComponent): void {
    // The `exit` event tells what a failed send would.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** Asks it to flush and stop; after `graceMillis` it is killed.
   * @returns whether it stopped by itself */
  async stop(graceMillis: number): Promise<boolean> {
    this.send({ type: 'stop' });
    let killed = false;
    const timer = setTimeout(() => {
      killed = true;
      this.kill();
    }, graceMillis);
    await this.exited;
    clearTimeout(timer);
    return !killed;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
