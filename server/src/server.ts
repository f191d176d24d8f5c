// SPDX-License-Identifier: Apache-2.0
//
// Starts and stops the server as a whole: ports, storage, web UI, privileges. The order is what matters here. Ports come
// first, as they are what fails most often, and answer "not ready" until the rest is there. Privileges go last, when all
// code is loaded, since the user that is left may not be able to read it.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { DEFAULT_PIPELINE_LIMITS } from '@hearthscope/collector/pipeline-limits';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { querierRoutes } from './api/querier-service.ts';
import { claimDataDirectory, giveContents } from './data-directory.ts';
import { DebugInfo, type DebugInfoOptions } from './debuginfo/debug-info.ts';
import { isUploadPath, UPLOAD_ROUTE, type UploadReceiver } from './debuginfo/upload-receiver.ts';
import { HttpApp } from './http/app.ts';
import { sendError } from './http/error-response.ts';
import { RequestMetrics } from './http/request-metrics.ts';
import { loadStaticFiles, type StaticFiles } from './http/static-files.ts';
import { Engine } from './ingest/engine.ts';
import { type HttpRequest, PortListener, type RequestHandler } from './listen.ts';
import { OTLP_HTTP_PATH } from './otlp/otlp-http.ts';
import { OtlpReceiver } from './otlp/otlp-receiver.ts';
import type { Readiness } from './otlp/receiver-context.ts';
import { dropPrivileges, isReadableBy, isRoot, type UnprivilegedUser } from './privileges.ts';
import { DEFAULT_NAMING_LIMITS } from './symbolize/frame-namer.ts';
import { SYMBOL_WORKER_CODE } from './symbolize/symbolizer.ts';
import { DEFAULT_TRANSPORT_LIMITS } from './transport-limits.ts';

export interface ServerOptions {
  readonly host: string;
  /** Of everything; 0 lets the kernel choose, as for the other ports. */
  readonly httpPort: number;
  /** null for none. */
  readonly otlpGrpcPort: number | null;
  /** null for none. */
  readonly otlpHttpPort: number | null;
  /** Whether an operator named the OTLP ports: then one that is taken is an error, else a warning. */
  readonly otlpPortsExplicit: boolean;
  readonly dataDir: string;
  readonly headMaxBytes: number;
  /** Of one request, after decompression. */
  readonly maxBodyBytes: number;
  /** Attribute names that become labels, beside the built-in ones. */
  readonly indexedAttributes: readonly string[];
  /** Whom to become when started as root; null to stay root. */
  readonly user: UnprivilegedUser | null;
  /** The built web UI. */
  readonly uiDir: string;
  /** Naming of frames that were sent without names. */
  readonly debugInfo?: DebugInfoOptions;
  readonly logger: Logger;
  readonly registry: Registry;
  /** How long requests in flight may go on after a stop was asked for. */
  readonly shutdownMillis: number;
}

export interface RunningServer {
  readonly httpPort: number;
  readonly otlpGrpcPort: number | null;
  readonly otlpHttpPort: number | null;
  /** Ends requests in flight, makes everything durable and lets go of the ports and the data directory. */
  stop(): Promise<void>;
}

const QUERIER_SERVICE = 'querier.v1.QuerierService';

/** Resolves when the server takes requests.
 * @throws HearthscopeError when it cannot start; nothing of it is left running then */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  await using started = new AsyncDisposableStack();
  const { logger, registry } = options;
  let readiness = (): Readiness => ({ ready: false, reason: 'starting' });
  let engine: Engine | undefined;
  let app: HttpApp | undefined;
  let uploads: UploadReceiver | undefined;

  const receiver = new OtlpReceiver({
    service: {
      readiness: () => readiness(),
      export: (tenant, body) => engine!.ingestOtlp(tenant, body),
    },
    maxBodyBytes: options.maxBodyBytes,
    maxInFlightBytes: Math.max(DEFAULT_TRANSPORT_LIMITS.maxInFlightBytes, options.maxBodyBytes),
    isMultitenancyEnabled: false,
    healthServices: [QUERIER_SERVICE],
    logger,
    registry,
  });
  const metrics = new RequestMetrics(registry, logger);
  const ports = await openPorts(options, {
    http: (request, response) => {
      const path = pathOf(request);
      const isUpload = isUploadPath(path);
      metrics.observe(request, response, isUpload ? UPLOAD_ROUTE : path);
      if (receiver.handles(path)) receiver.handle(request, response, path);
      else if (isUpload && uploads !== undefined) uploads.handle(request, response, path);
      else if (app !== undefined) app.handle(request, response);
      else sendError(response, 'unavailable', `not ready: ${readiness().reason}`);
    },
    otlp: (request, response) => receiver.handle(request, response, pathOf(request)),
    hasOwnDeadline: (request) => uploads !== undefined && isUploadPath(pathOf(request)),
  });
  const stopPorts = (graceMillis: number) =>
    Promise.all(ports.all.map((listener) => listener.stop(graceMillis)));
  started.defer(async () => {
    await stopPorts(0);
  });

  const user = isRoot() ? options.user : null;
  const ui = await loadUi(options.uiDir, logger);
  const dataDir = claimDataDirectory(options.dataDir, user);
  const { debugInfo: debugInfoOptions = {} } = options;
  const naming = new MessageChannel();
  started.defer(() => naming.port1.close());
  const runningEngine = await Engine.start({
    dataDir,
    naming: {
      port: naming.port2,
      limits: { ...DEFAULT_NAMING_LIMITS, ...debugInfoOptions.namingLimits },
    },
    headMaxBytes: options.headMaxBytes,
    pipeline: { indexedAttributes: options.indexedAttributes, limits: DEFAULT_PIPELINE_LIMITS },
    logger,
    registry,
  });
  engine = runningEngine;
  started.defer(() => runningEngine.stop());
  // The engine has locked the data directory.
  const debugInfo = await DebugInfo.start({
    dataDir,
    options: debugInfoOptions,
    mustLoadNow: user !== null && !isReadableBy(user, fileURLToPath(SYMBOL_WORKER_CODE)),
    port: naming.port1,
    logger,
    registry,
  });
  started.defer(() => debugInfo.stop());
  const version = packageVersion();
  const runningApp = await HttpApp.create({
    ui,
    routes: (router) => {
      querierRoutes(runningEngine)(router);
      debugInfo.routes(router);
    },
    readiness: () => readiness(),
    version,
    registry,
    logger,
  });
  started.defer(() => runningApp.close());
  for (const path of [OTLP_HTTP_PATH, UPLOAD_ROUTE, ...runningApp.paths]) metrics.addRoute(path);
  publishBuildInfo(registry, version);

  if (user !== null) becomeUnprivileged(user, dataDir, logger);
  else if (isRoot()) logger.warn('the server runs as root, as it was told to');

  app = runningApp;
  uploads = debugInfo.uploadReceiver(() => readiness());
  readiness = () => runningEngine.ready();
  const steps = started.move();
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    readiness = () => ({ ready: false, reason: 'stopping' });
    await stopPorts(options.shutdownMillis);
    await steps.disposeAsync();
  };
  return {
    httpPort: ports.http.port,
    otlpGrpcPort: ports.otlpGrpc?.port ?? null,
    otlpHttpPort: ports.otlpHttp?.port ?? null,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

interface OpenPorts {
  readonly http: PortListener;
  readonly otlpGrpc: PortListener | undefined;
  readonly otlpHttp: PortListener | undefined;
  readonly all: readonly PortListener[];
}

/** @throws HearthscopeError when a port that must be had is taken; none is open then */
async function openPorts(
  options: ServerOptions,
  handlers: {
    readonly http: RequestHandler;
    readonly otlp: RequestHandler;
    /** Of the requests of the HTTP port. */
    readonly hasOwnDeadline: (request: HttpRequest) => boolean;
  },
): Promise<OpenPorts> {
  const { host, logger, registry } = options;
  const failures = new Counter({
    name: 'hearthscope_transport_failures_total',
    help: 'Connections and requests that ended without an answer of a handler, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  await using opened = new AsyncDisposableStack();
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
  return { http, otlpGrpc, otlpHttp, all };
}

/** A server without its web UI is still a server: it says so, and answers its API. */
async function loadUi(folder: string, logger: Logger): Promise<StaticFiles> {
  try {
    return await loadStaticFiles(folder);
  } catch (error) {
    logger.warn(`the web UI is not available: ${messageOf(error)}`);
    return new Map();
  }
}

function becomeUnprivileged(user: UnprivilegedUser, dataDir: string, logger: Logger): void {
  for (const path of giveContents(dataDir, user)) {
    logger.warn({ path }, 'left with its owner: not a plain file or folder with a single name');
  }
  dropPrivileges(user);
  logger.info({ uid: user.uid, gid: user.gid }, 'dropped privileges');
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function publishBuildInfo(registry: Registry, version: string): void {
  new Gauge({
    name: 'pyroscope_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'revision', 'branch', 'goversion'],
    registers: [registry],
  }).set({ version, revision: '', branch: '', goversion: '' }, 1);
}

/** The path of a request, without its query. */
function pathOf(request: HttpRequest): string {
  return (request.url ?? '/').split('?', 1)[0]!;
}
