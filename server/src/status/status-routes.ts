// SPDX-License-Identifier: Apache-2.0
//
// What an operator asks a running server: what it is, how it is configured, which limits hold, and where else to look.
// Paths and shapes are those that Pyroscope's operators know; pages of what this server does not have do not exist.

import { formatChangedLimits, formatTenantLimits } from '@hearthscope/collector/limits/parse-tenant-limits';
import type { LimitsConfig } from '@hearthscope/collector/limits/tenant-limits';
import { stringify } from 'yaml';
import type {
  PlainAnswer,
  PlainRequest,
  PlainRoute,
  RouteGroup,
  ServiceContext,
} from '../http/service-context.ts';
import type { ShownConfiguration } from '../server-options.ts';
import { adminPage } from './admin-page.ts';
import { configurationDifference } from './configuration-difference.ts';
import { profilingRoutes } from './profiling-routes.ts';
import { statusApiDescription } from './status-api-description.ts';

export interface StatusOptions {
  readonly version: string;
  /** Secrets are masked in it. */
  readonly configuration: ShownConfiguration;
  /** The limits of all tenants, now; undefined when they are not read from a file. */
  readonly runtimeConfig: (() => LimitsConfig) | undefined;
}

type StatusContext = Pick<ServiceContext, 'authenticator' | 'limitsOf' | 'logger'>;

const YAML_TYPE = 'text/yaml; charset=utf-8';

/** Who may ask is who may read; only what the server is called and its version are for everybody. */
export function statusRoutes(context: StatusContext, options: StatusOptions): RouteGroup {
  const { version, configuration, runtimeConfig } = options;
  const { running, defaults } = configuration;
  const profiling = profilingRoutes(context);
  const own = (path: string, answer: (request: PlainRequest) => PlainAnswer): PlainRoute => ({
    method: 'GET',
    path,
    handle: async (request) => {
      context.authenticator.tenants(request.identity);
      return answer(request);
    },
  });
  const plain: PlainRoute[] = [
    { method: 'GET', path: '/api/v1/status/buildinfo', handle: async () => buildInfo(version) },
    own('/api/v1/status/config', () => yaml(running)),
    own('/api/v1/status/config/default', () => yaml(defaults)),
    own('/api/v1/status/config/diff', () => yaml(configurationDifference(running, defaults))),
    own('/api/swagger.json', () => json(statusApiDescription(version))),
    ...(runtimeConfig === undefined ? [] : runtimeConfigRoutes(context, own, runtimeConfig)),
    ...profiling.plain!,
  ];
  const links = plain.map(({ path }) => path);
  return {
    plain: [...plain, own('/admin', () => html(adminPage(version, links)))],
    close: profiling.close!,
  };
}

type OwnRoute = (path: string, answer: (request: PlainRequest) => PlainAnswer) => PlainRoute;

function runtimeConfigRoutes(
  { authenticator, limitsOf }: StatusContext,
  own: OwnRoute,
  runtimeConfig: () => LimitsConfig,
): PlainRoute[] {
  return [
    own('/runtime_config', ({ query }) => {
      const { defaults, overrides } = runtimeConfig();
      const isDifference = query.get('mode') === 'diff';
      const shown = Object.entries(overrides).map(([tenant, limits]) => [
        tenant,
        isDifference ? formatChangedLimits(limits, defaults) : formatTenantLimits(limits),
      ]);
      return yaml({ overrides: Object.fromEntries(shown) });
    }),
    own('/api/v1/tenant_limits', ({ identity }) => {
      const limits = limitsOf(authenticator.tenant(identity, 'read'));
      return json({
        ingestion_rate: limits.ingestionRateBytes / BYTES_PER_MEGABYTE,
        ingestion_burst_size: limits.ingestionBurstBytes / BYTES_PER_MEGABYTE,
        max_global_series_per_user: limits.maxGlobalSeriesPerTenant,
      });
    }),
  ];
}

/** Those of the configuration. */
const BYTES_PER_MEGABYTE = 1_048_576;

/** A field about Go is there for its readers and says which Node this is. */
function buildInfo(version: string): PlainAnswer {
  return json({
    status: 'success',
    data: { version, revision: '', branch: '', buildUser: '', buildDate: '', goVersion: process.version },
  });
}

function yaml(content: Readonly<Record<string, unknown>>): PlainAnswer {
  return { status: 200, contentType: YAML_TYPE, body: stringify(content) };
}

function json(content: object): PlainAnswer {
  return { status: 200, contentType: 'application/json', body: JSON.stringify(content) };
}

function html(body: string): PlainAnswer {
  return {
    status: 200,
    contentType: 'text/html; charset=utf-8',
    body,
    headers: { 'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'" },
  };
}
