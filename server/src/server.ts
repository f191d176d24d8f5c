// SPDX-License-Identifier: Apache-2.0
//
// Starts and stops the server as a whole: ports, storage, web UI, privileges. The order is what matters here. Ports come
// first, as they are what fails most often, and answer "not ready" until the rest is there. Privileges go last, when all
// code is loaded, since the user that is left may not be able to read it.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { NO_AUTH } from '@hearthscope/collector/auth/auth-config';
import { createAuthenticator } from '@hearthscope/collector/auth/authenticator';
import { DEFAULT_TENANT_LIMITS, limitsOf } from '@hearthscope/collector/limits/tenant-limits';
import { messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import { ADHOC_WORKER_CODE } from './adhoc/adhoc-reader.ts';
import { claimDataDirectory, giveContents } from './data-directory.ts';
import { DebugInfo } from './debuginfo/debug-info.ts';
import { isUploadPath, UPLOAD_ROUTE, type UploadReceiver } from './debuginfo/upload-receiver.ts';
import { HttpApp } from './http/app.ts';
import { addChallenge } from './http/challenge.ts';
import { sendError } from './http/error-response.ts';
import { withoutPrefix } from './http/path-prefix.ts';
import { RequestMetrics } from './http/request-metrics.ts';
import { loadStaticFiles, type StaticFiles } from './http/static-files.ts';
import { Engine } from './ingest/engine.ts';
import { RuntimeConfig } from './limits/runtime-config.ts';
import { openPorts } from './open-ports.ts';
import { dropPrivileges, isReadableBy, isRoot, type UnprivilegedUser } from './privileges.ts';
import type { Readiness } from './receivers/receiver-context.ts';
import { Receivers } from './receivers/receivers.ts';
import type { ServerOptions } from './server-options.ts';
import { serviceGroups } from './service-groups.ts';
import { DEFAULT_NAMING_LIMITS } from './symbolize/frame-namer.ts';
import { SYMBOL_WORKER_CODE } from './symbolize/symbolizer.ts';
import { DEFAULT_TRANSPORT_LIMITS } from './transport-limits.ts';

export type { ServerOptions } from './server-options.ts';

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
  const { logger, registry, maxBodyBytes, pathPrefix = '' } = options;
  let readiness = (): Readiness => ({ ready: false, reason: 'starting' });
  let engine: Engine | undefined;
  let app: HttpApp | undefined;
  let uploads: UploadReceiver | undefined;
  const runtimeConfig = new RuntimeConfig({
    ...options.runtimeConfig,
    defaults: options.limits ?? DEFAULT_TENANT_LIMITS,
    onChange: (limits) => void engine?.setLimits(limits),
    logger,
    registry,
  });
  started.defer(() => runtimeConfig.close());
  const limitsOfTenant = (tenant: string) => limitsOf(runtimeConfig.limits, tenant);
  const authenticator = createAuthenticator(options.auth ?? NO_AUTH, {
    multitenancyEnabled: options.multitenancyEnabled ?? false,
    onReloadFailure: (reason, error, isNew) => {
      if (isNew) logger.error({ reason }, `the credentials cannot be read again: ${error.message}`);
    },
  });
  started.defer(() => authenticator.close?.());

  const receivers = new Receivers({
    service: {
      readiness: () => readiness(),
      exportOtlp: (tenant, body, encoding) => engine!.exportOtlp(tenant, body, encoding),
      push: (tenant, body, encoding) => engine!.push(tenant, body, encoding),
      ingest: (tenant, request) => engine!.ingest(tenant, request),
    },
    authenticator,
    maxBodyBytesOf: (tenant) => {
      const { ingestionBodyLimitBytes } = limitsOfTenant(tenant);
      return ingestionBodyLimitBytes === 0 ? maxBodyBytes : Math.min(maxBodyBytes, ingestionBodyLimitBytes);
    },
    maxInFlightBytes: Math.max(DEFAULT_TRANSPORT_LIMITS.maxInFlightBytes, maxBodyBytes),
    healthServices: [QUERIER_SERVICE],
    logger,
    registry,
  });
  const metrics = new RequestMetrics(registry, logger, authenticator);
  const ports = await openPorts(options, {
    http: (request, response) => {
      request.url = withoutPrefix(request.url ?? '/', pathPrefix);
      const path = pathOf(request.url);
      if (authenticator.challenge !== undefined) addChallenge(response, authenticator.challenge);
      const isUpload = isUploadPath(path);
      metrics.observe(request, response, isUpload ? UPLOAD_ROUTE : path);
      if (receivers.handles(path)) receivers.handle(request, response, path);
      else if (isUpload && uploads !== undefined) uploads.handle(request, response, path);
      else if (app !== undefined) app.handle(request, response);
      else sendError(response, 'unavailable', `not ready: ${readiness().reason}`);
    },
    otlp: (request, response) => receivers.handle(request, response, pathOf(request.url)),
    hasOwnDeadline: ({ url = '/' }) =>
      uploads !== undefined && isUploadPath(pathOf(withoutPrefix(url, pathPrefix))),
  });
  started.defer(() => ports.stop(0));

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
    objectStore: options.objectStore,
    blockCacheMaxBytes: options.blockCacheMaxBytes,
    pipeline: { indexedAttributes: options.indexedAttributes },
    limits: runtimeConfig.limits,
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
  const serviceOptions = {
    server: options,
    version,
    deletions: runningEngine,
    limits: () => runtimeConfig.limits,
    mustLoadNow: user !== null && !isReadableBy(user, fileURLToPath(ADHOC_WORKER_CODE)),
  };
  const groups = await serviceGroups(serviceOptions, {
    querier: runningEngine.querier,
    authenticator,
    dataDir,
    limitsOf: limitsOfTenant,
    now: () => Date.now(),
    logger,
    registry,
  });
  for (const { close } of groups) if (close !== undefined) started.defer(close);
  const runningApp = await HttpApp.create({
    ui,
    groups: [...groups, { connect: debugInfo.routes(authenticator) }],
    readiness: () => readiness(),
    registry,
    logger,
  });
  started.defer(() => runningApp.close());
  for (const path of [...Receivers.paths, UPLOAD_ROUTE, ...runningApp.paths]) metrics.addRoute(path);
  publishBuildInfo(registry, version);

  if (user !== null) becomeUnprivileged(user, dataDir, logger);
  else if (isRoot()) logger.warn('the server runs as root, as it was told to');

  app = runningApp;
  uploads = debugInfo.uploadReceiver(() => readiness(), authenticator);
  readiness = () => runningEngine.readiness();
  const steps = started.move();
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    readiness = () => ({ ready: false, reason: 'stopping' });
    await ports.stop(options.shutdownMillis);
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

/** The path of a URL, without its query. */
function pathOf(url = '/'): string {
  return url.split('?', 1)[0]!;
}
