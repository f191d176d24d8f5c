// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope collector` as a whole: the server's doors, and behind them the server's pipeline with a forwarder in the
// place of the store. It keeps nothing: what it has acknowledged is at the receiver behind.

import { createAuthenticator } from '@hearthscope/collector/auth/authenticator';
import { limitsOf } from '@hearthscope/collector/limits/tenant-limits';
import { sendError } from '@hearthscope/server/http/error-response';
import { withoutPrefix } from '@hearthscope/server/http/path-prefix';
import { RuntimeConfig } from '@hearthscope/server/limits/runtime-config';
import type { HttpRequest, HttpResponse } from '@hearthscope/server/listen';
import { openPorts } from '@hearthscope/server/open-ports';
import type { Readiness } from '@hearthscope/server/receivers/receiver-context';
import { Receivers } from '@hearthscope/server/receivers/receivers';
import { DEFAULT_TRANSPORT_LIMITS } from '@hearthscope/server/transport-limits';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { DoorConfiguration, ForwardConfiguration } from '../config/configuration-types.ts';
import { ForwardThread } from './forward-thread.ts';

export interface CollectorOptions {
  readonly doors: DoorConfiguration;
  readonly forward: ForwardConfiguration;
  readonly logger: Logger;
  readonly registry: Registry;
  /** How long requests in flight may go on after a stop was asked for. */
  readonly shutdownMillis: number;
}

export interface RunningCollector {
  readonly httpPort: number;
  readonly otlpGrpcPort: number | null;
  readonly otlpHttpPort: number | null;
  /** Ends requests in flight and lets go of the ports. */
  stop(): Promise<void>;
}

/** Resolves when the collector takes requests.
 * @throws HearthscopeError when it cannot start; nothing of it is left running then */
export async function startCollector(options: CollectorOptions): Promise<RunningCollector> {
  const { doors, forward, logger, registry } = options;
  await using started = new AsyncDisposableStack();
  let readiness = (): Readiness => ({ ready: false, reason: 'starting' });
  const reloadFailures = new Counter({
    name: 'hearthscope_auth_reload_failures_total',
    help: 'Credentials that could not be read again, by reason; those of before stay in force.',
    labelNames: ['reason'],
    registers: [registry],
  });
  const authenticator = createAuthenticator(doors.auth.access, {
    multitenancyEnabled: doors.auth.multitenancy,
    onReloadFailure: (reason, error, isNew) => {
      reloadFailures.inc({ reason });
      if (isNew) logger.error({ reason }, `the credentials cannot be read again: ${error.message}`);
    },
  });
  started.defer(() => authenticator.close?.());
  let thread: ForwardThread | undefined;
  const runtimeConfig = new RuntimeConfig({
    ...doors.runtimeConfig,
    defaults: doors.limits,
    onChange: (limits) => void thread?.setLimits(limits),
    logger,
    registry,
  });
  started.defer(() => runtimeConfig.close());
  const running = await ForwardThread.start(
    { forward, indexedAttributes: doors.indexedAttributes, limits: runtimeConfig.limits },
    logger,
    registry,
  );
  thread = running;
  started.defer(() => running.stop());
  const receivers = new Receivers({
    service: {
      readiness: () => readiness(),
      exportOtlp: running.exportOtlp,
      push: running.push,
      ingest: running.ingest,
    },
    authenticator,
    maxBodyBytesOf: (tenant) => {
      const { ingestionBodyLimitBytes } = limitsOf(runtimeConfig.limits, tenant);
      return Math.min(doors.maxBodyBytes, ingestionBodyLimitBytes || doors.maxBodyBytes);
    },
    maxInFlightBytes: Math.max(DEFAULT_TRANSPORT_LIMITS.maxInFlightBytes, doors.maxBodyBytes),
    healthServices: [],
    logger,
    registry,
  });
  const receive = (request: HttpRequest, response: HttpResponse) =>
    receivers.handle(request, response, pathOf(request, ''));
  const ports = await openPorts(
    { ...doors, logger, registry },
    {
      http: (request, response) => {
        const path = pathOf(request, doors.pathPrefix);
        if (receivers.handles(path)) receivers.handle(request, response, path);
        else void answerStatus(path, response, readiness(), registry);
      },
      otlp: receive,
      hasOwnDeadline: () => false,
    },
  );
  started.defer(() => ports.stop(0));
  readiness = () => running.readiness();
  const steps = started.move();
  return {
    httpPort: ports.http.port,
    otlpGrpcPort: ports.otlpGrpc?.port ?? null,
    otlpHttpPort: ports.otlpHttp?.port ?? null,
    stop: async () => {
      readiness = () => ({ ready: false, reason: 'stopping' });
      await ports.stop(options.shutdownMillis);
      await steps.disposeAsync();
    },
  };
}

/** What a collector says about itself. */
async function answerStatus(
  path: string,
  response: HttpResponse,
  { ready, reason }: Readiness,
  registry: Registry,
): Promise<void> {
  if (path === '/metrics') {
    const text = await registry.metrics();
    response.setHeader('Content-Type', registry.contentType);
    response.end(text);
  } else if (path === '/ready') {
    if (!ready) return sendError(response, 'unavailable', `not ready: ${reason}`);
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    response.end('ready\n');
  } else {
    sendError(
      response,
      'not_found',
      `a collector has nothing at ${path}: ask the server that it forwards to`,
    );
  }
}

/** The path of a request, without its query and what every path begins with. */
function pathOf({ url = '/' }: HttpRequest, prefix: string): string {
  return withoutPrefix(url, prefix).split('?', 1)[0]!;
}
