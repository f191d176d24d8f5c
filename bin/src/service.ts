// SPDX-License-Identifier: Apache-2.0
//
// Starts the server or the agent inside this process from a resolved configuration. Each loads its own room only, so
// that the agent does not carry the server's code in memory and the server runs without any native code.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@hearthscope/profile/errors';
import { DEFAULT_VCS_TIMEOUT_MILLIS, type VcsOptions } from '@hearthscope/server/vcs/vcs-options';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Configuration, VcsConfiguration } from './config/configuration-types.ts';
import { ExitCode, UsageError } from './exit-codes.ts';
import { exitCodeOf } from './failure.ts';

/** What `up` supervises. */
export type Component = 'server' | 'agent';
export type ServiceKind = Component | 'collector';

/** A started component. */
export interface Service {
  /** Ports that are really open, by name, for messages and for the supervisor. */
  readonly ports: Readonly<Record<string, number | null>>;
  readonly registry: Registry;
  /** Flushes and stops; resolves when nothing is left to lose. */
  stop(): Promise<void>;
}

/** How long open requests may finish once the server stops; the whole stop must fit into ten seconds. */
const SERVER_SHUTDOWN_MILLIS = 3000;

/** @throws HearthscopeError when the component cannot start here */
export async function startService(
  component: ServiceKind,
  configuration: Configuration,
  logger: Logger,
): Promise<Service> {
  const registry = new Registry();
  const starters = { server: serve, collector: collect, agent: sample };
  const service = await starters[component](configuration, logger, registry);
  const { otlpEndpoint, intervalMillis } = configuration.telemetry;
  if (otlpEndpoint === '') return { ...service, registry };
  const { startTelemetry } = await import('./telemetry.ts');
  const telemetry = startTelemetry({ endpoint: otlpEndpoint, intervalMillis, component, registry, logger });
  return {
    ...service,
    registry,
    stop: async () => {
      await service.stop();
      await telemetry.stop();
    },
  };
}

async function serve(
  { server: options, shown }: Configuration,
  logger: Logger,
  registry: Registry,
): Promise<Omit<Service, 'registry'>> {
  const [{ startServer }, { isRoot, resolveUser }] = await Promise.all([
    import('@hearthscope/server/server'),
    import('@hearthscope/server/privileges'),
  ]);
  const server = await startServer({
    host: options.host,
    httpPort: options.httpPort,
    otlpGrpcPort: options.otlpGrpcPort,
    otlpHttpPort: options.otlpHttpPort,
    otlpPortsExplicit: options.otlpPortsExplicit,
    dataDir: options.dataDir,
    headMaxBytes: options.headMaxBytes,
    ...(options.objectStore !== undefined && { objectStore: options.objectStore }),
    blockCacheMaxBytes: options.blockCacheMaxBytes,
    maxBodyBytes: options.maxBodyBytes,
    indexedAttributes: options.indexedAttributes,
    pathPrefix: options.pathPrefix,
    ...(options.tls !== undefined && { tls: options.tls }),
    limits: options.limits,
    ...(options.runtimeConfig !== undefined && { runtimeConfig: options.runtimeConfig }),
    auth: options.auth.access,
    multitenancyEnabled: options.auth.multitenancy,
    asyncQueriesEnabled: options.asyncQueries,
    recordingRules: {
      ...options.recordingRules,
      remoteWriteUrl: options.recordingRules.remoteWriteUrl || undefined,
    },
    ...(options.vcs !== undefined && { vcs: gitHubApp(options.vcs) }),
    debugInfo: {
      takesUploads: options.debugInfoUploads,
      directories: options.debugInfoDirs,
      demangle: options.demangle,
      limits: { maxTotalBytes: options.debugInfoMaxBytes },
    },
    user: isRoot() && options.user !== 'root' ? resolveUser(options.user || undefined) : null,
    shownConfiguration: shown,
    uiDir: userInterfaceDirectory(),
    logger,
    registry,
    shutdownMillis: SERVER_SHUTDOWN_MILLIS,
  });
  const { httpPort, otlpGrpcPort, otlpHttpPort } = server;
  return { ports: { httpPort, otlpGrpcPort, otlpHttpPort }, stop: () => server.stop() };
}

/** The secrets are read here, where the process may still be root. */
function gitHubApp({ clientSecretFile, sessionSecretFile, ...app }: VcsConfiguration): VcsOptions {
  return {
    ...app,
    clientSecret: secretOf(clientSecretFile),
    sessionSecret: secretOf(sessionSecretFile),
    requestTimeoutMillis: DEFAULT_VCS_TIMEOUT_MILLIS,
  };
}

/** @throws UsageError */
function secretOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new UsageError(`cannot read the secret in ${path}: ${messageOf(error)}`);
  }
}

/** Vite builds the page into the server's own package, wherever that is installed. */
function userInterfaceDirectory(): string {
  return fileURLToPath(new URL('../dist/ui', import.meta.resolve('@hearthscope/server/server')));
}

async function collect(
  { server: doors, forward }: Configuration,
  logger: Logger,
  registry: Registry,
): Promise<Omit<Service, 'registry'>> {
  const { startCollector } = await import('./forward/collector.ts');
  const shutdownMillis = SERVER_SHUTDOWN_MILLIS;
  const collector = await startCollector({ doors, forward, logger, registry, shutdownMillis });
  const { httpPort, otlpGrpcPort, otlpHttpPort } = collector;
  return { ports: { httpPort, otlpGrpcPort, otlpHttpPort }, stop: () => collector.stop() };
}

async function sample(
  { agent: options }: Configuration,
  logger: Logger,
  registry: Registry,
): Promise<Omit<Service, 'registry'>> {
  const { startAgent } = await import('@hearthscope/agent/agent');
  const start = (metricsPort: number | null) =>
    startAgent({
      frequencyHz: options.frequencyHz,
      intervalMillis: options.intervalMillis,
      excludeSelf: options.excludeSelf,
      export: {
        endpoint: options.endpoint,
        protocol: options.protocol,
        headers: options.headers,
        tenant: options.tenant,
        content: options.content,
        timeoutMillis: options.timeoutMillis,
        queueMaxBytes: options.queueMaxBytes,
        ...(options.caFile !== '' && { caFile: options.caFile }),
      },
      serviceRules: options.services,
      symbolCacheBytes: options.symbolCacheBytes,
      maxUnwindBytes: options.unwindMaxBytes,
      ...(options.cacheDir !== '' && { cacheDirectory: options.cacheDir }),
      naming: {
        symbolize: options.symbolize,
        demangle: options.demangle,
        debuginfodUrls: options.debuginfodUrls,
      },
      metrics: { host: options.metricsHost, port: metricsPort },
      logger,
      registry,
    });
  const agent = await start(options.metricsPort).catch((error: unknown) => {
    if (options.metricsPortExplicit || exitCodeOf(error) !== ExitCode.portTaken) throw error;
    logger.warn({ port: options.metricsPort }, "the agent's metrics port is taken: it has no /metrics");
    // The first attempt has registered its metrics already.
    registry.clear();
    return start(null);
  });
  return { ports: { metricsPort: agent.metricsPort }, stop: () => agent.stop() };
}
