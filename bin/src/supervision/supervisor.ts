// SPDX-License-Identifier: Apache-2.0
//
// Runs the server and the agent as two children: server first, agent when the server is ready, and the other way
// round at the end, so that the agent's last profiles are stored. A crashed child is started again with growing waits.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Configuration } from '../config/configuration-types.ts';
import { ExitCode } from '../exit-codes.ts';
import type { Component } from '../service.ts';
import { Backoff, type BackoffLimits, DEFAULT_BACKOFF } from './backoff.ts';
import { Child, type ChildExit } from './child.ts';

/** Together below the ten seconds in which `hearthscope` promises to stop. */
const STOP_GRACE_MILLIS: Readonly<Record<Component, number>> = { agent: 5500, server: 4000 };

/** What makes the agent small: a heap that grows slowly (by far the most), a small young generation, one helper thread
 * of V8, and one arena of malloc for all threads. bin/hearthscope does the same for `hearthscope agent`, and
 * agent/README.md has the figures. The server wants speed. */
const AGENT_NODE_FLAGS = ['--optimize-for-size', '--max-semi-space-size=1', '--v8-pool-size=1'];
const AGENT_ENVIRONMENT = { MALLOC_ARENA_MAX: '1' };

export interface SupervisorOptions {
  readonly configuration: Configuration;
  readonly logger: Logger;
  /** Why the agent cannot run here; then only the server does. */
  readonly agentObstacle: string | undefined;
  /** Called once, when the server answers. */
  readonly onServerReady: (httpPort: number) => void;
  readonly backoff?: BackoffLimits;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #logger: Logger;
  #configuration: Configuration;
  readonly #children = new Map<Component, Child>();
  readonly #restarts: Record<Component, number> = { server: 0, agent: 0 };
  readonly #done = Promise.withResolvers<ExitCode>();
  readonly #abort = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#configuration = options.configuration;
  }

  /** Resolves when everything has ended, with the exit code. */
  async run(): Promise<ExitCode> {
    const server = this.#spawn('server');
    const ports = await server.started;
    if (ports === undefined) {
      const exit = await server.exited;
      if (this.#abort.signal.aborted) return this.#done.promise;
      this.#logger.fatal(`the server could not start: ${reasonOf(exit)}`);
      return (exit.exitCode || ExitCode.failure) as ExitCode;
    }
    const httpPort = ports.httpPort!;
    this.#pinPorts(httpPort, ports);
    void this.#keepRunning(server);
    if (!this.#abort.signal.aborted) {
      this.#options.onServerReady(httpPort);
      void this.#startAgent();
    }
    return this.#done.promise;
  }

  /** Stops the agent, then the server. Calling it again changes nothing. */
  async stop(exitCode: ExitCode = ExitCode.ok): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    for (const component of ['agent', 'server'] as const) {
      const child = this.#children.get(component);
      if (child !== undefined && !(await child.stop(STOP_GRACE_MILLIS[component]))) {
        this.#logger.error(
          { component, graceMillis: STOP_GRACE_MILLIS[component] },
          'did not stop in time and was killed',
        );
      }
    }
    this.#done.resolve(exitCode);
  }

  /** Kills what runs, losing what is not flushed. */
  kill(): void {
    this.#abort.abort();
    for (const child of this.#children.values()) child.kill();
  }

  /** A restarted server must listen where the first one did, also when that took any free port. */
  #pinPorts(httpPort: number, ports: Readonly<Record<string, number | null>>): void {
    const { server, agent } = this.#configuration;
    this.#configuration = {
      ...this.#configuration,
      server: {
        ...server,
        httpPort,
        otlpGrpcPort: ports.otlpGrpcPort ?? null,
        otlpHttpPort: ports.otlpHttpPort ?? null,
      },
      agent: { ...agent, endpoint: loopbackUrl(server.host, httpPort), protocol: 'http' },
    };
  }

  #spawn(component: Component): Child {
    const child = new Child(
      {
        component,
        configuration: this.#configuration,
        nodeFlags: component === 'agent' ? AGENT_NODE_FLAGS : [],
        environment: component === 'agent' ? AGENT_ENVIRONMENT : {},
        onSignalled: () => void this.stop(),
      },
      Date.now,
    );
    this.#children.set(component, child);
    this.#logger.debug({ component, pid: child.pid }, 'started a component');
    return child;
  }

  async #startAgent(): Promise<void> {
    const { agentObstacle } = this.#options;
    if (agentObstacle !== undefined) {
      this.#logger.warn(`the agent cannot run: ${agentObstacle} The server goes on without it.`);
      return;
    }
    const agent = this.#spawn('agent');
    const ports = await agent.started;
    if (ports === undefined) {
      const exit = await agent.exited;
      if (this.#abort.signal.aborted) return;
      if (exit.failure !== undefined) {
        this.#children.delete('agent');
        this.#logger.error(
          `the agent cannot run: ${exit.failure}. The server goes on without it; \`hearthscope doctor\` tells more.`,
        );
        return;
      }
    }
    await this.#keepRunning(agent);
  }

  async #keepRunning(first: Child): Promise<void> {
    const { component } = first;
    const backoff = new Backoff(this.#options.backoff ?? DEFAULT_BACKOFF);
    for (let child = first; ; ) {
      const exit = await child.exited;
      if (this.#abort.signal.aborted) return;
      const delayMillis = backoff.crashed(Date.now() - child.startedAtMillis);
      if (delayMillis === undefined) {
        this.#logger.fatal(
          { component, crashes: backoff.quickCrashes },
          `the ${component} crashed again and again, giving up: ${reasonOf(exit)}`,
        );
        this.#children.delete(component);
        await this.stop(ExitCode.crashLoop);
        return;
      }
      this.#restarts[component]++;
      this.#logger.error(
        { component, restarts: this.#restarts[component], delayMillis },
        `the ${component} ended unexpectedly and is started again: ${reasonOf(exit)}`,
      );
      await sleep(delayMillis, undefined, { signal: this.#abort.signal }).catch(() => {});
      if (this.#abort.signal.aborted) return;
      child = this.#spawn(component);
      if ((await child.started) !== undefined) {
        this.#children.get('server')?.send({ type: 'restarts', restarts: this.#restarts });
      }
    }
  }
}

/** Where this host reaches a server that listens on `host`. */
export function loopbackUrl(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`;
}

function reasonOf({ exitCode, signal, failure }: ChildExit): string {
  return failure ?? (signal === null ? `it exited with code ${exitCode}` : `it was ended by ${signal}`);
}
