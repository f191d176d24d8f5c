// SPDX-License-Identifier: Apache-2.0
//
// The ports of a server. They are opened before anything else, as they are what fails most often.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { Counter } from 'prom-client';
import { type HttpRequest, PortListener, type RequestHandler } from './listen.ts';
import type { ServerOptions } from './server-options.ts';
import { TlsContext } from './tls/tls-context.ts';
import { DEFAULT_TRANSPORT_LIMITS } from './transport-limits.ts';

export type PortOptions = Pick<
  ServerOptions,
  'host' | 'httpPort' | 'otlpGrpcPort' | 'otlpHttpPort' | 'otlpPortsExplicit' | 'tls' | 'logger' | 'registry'
>;

export interface OpenPorts {
  readonly http: PortListener;
  readonly otlpGrpc: PortListener | undefined;
  readonly otlpHttp: PortListener | undefined;
  /** Gives requests in flight `graceMillis` to end. */
  stop(graceMillis: number): Promise<void>;
}

export interface PortHandlers {
  readonly http: RequestHandler;
  readonly otlp: RequestHandler;
  /** Of the requests of the HTTP port. */
  readonly hasOwnDeadline: (request: HttpRequest) => boolean;
}

/** @throws HearthscopeError when a port that must be had is taken or certificates cannot be used; none is open then */
export async function openPorts(options: PortOptions, handlers: PortHandlers): Promise<OpenPorts> {
  const { host, logger, registry } = options;
  const failures = new Counter({
    name: 'hearthscope_transport_failures_total',
    help: 'Connections and requests that ended without an answer of a handler, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  await using opened = new AsyncDisposableStack();
  const tls = options.tls && new TlsContext({ files: options.tls, logger, registry });
  opened.defer(() => tls?.close());
  const all: PortListener[] = [];
  const open = async (
    port: number,
    handler: RequestHandler,
    hasOwnDeadline = (_request: HttpRequest) => false,
  ): Promise<PortListener> => {
    const listener = await PortListener.listen({
      host,
      port,
      handler,
      tls,
      limits: DEFAULT_TRANSPORT_LIMITS,
      onFailure: (reason) => failures.inc({ reason }),
      hasOwnDeadline,
    });
    opened.defer(() => listener.stop(0));
    all.push(listener);
    return listener;
  };
  const taken: number[] = [];
  const openOtlp = async (port: number | null): Promise<PortListener | undefined> => {
    if (port === null) return undefined;
    try {
      return await open(port, handlers.otlp);
    } catch (error) {
      if (options.otlpPortsExplicit || !(error instanceof HearthscopeError)) throw error;
      logger.debug({ port }, messageOf(error));
      taken.push(port);
      return undefined;
    }
  };
  const http = await open(options.httpPort, handlers.http, handlers.hasOwnDeadline);
  const otlpGrpc = await openOtlp(options.otlpGrpcPort);
  const otlpHttp = await openOtlp(options.otlpHttpPort);
  if (taken.length > 0) {
    logger.warn(
      `cannot listen on port ${taken.join(' and ')} for OTLP: port ${http.port} takes OTLP as well, ` +
        'or name other ports with --otlp-grpc-port and --otlp-http-port',
    );
  }
  opened.move();
  return {
    http,
    otlpGrpc,
    otlpHttp,
    stop: async (graceMillis) => {
      await Promise.all(all.map((listener) => listener.stop(graceMillis)));
      tls?.close();
    },
  };
}
