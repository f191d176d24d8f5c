// SPDX-License-Identifier: Apache-2.0
//
// All services of the HTTP port, in one list.

import type { LimitsConfig } from '@hearthscope/collector/limits/tenant-limits';
import { ANONYMOUS_TENANT } from '@hearthscope/collector/tenant';
import { adhocRoutes } from './adhoc/adhoc-routes.ts';
import { querierRoutes } from './api/querier-service.ts';
import { deletionRoutes, type ServiceDeletions } from './deletions/deletion-routes.ts';
import { featureRoutes } from './features/feature-routes.ts';
import type { RouteGroup, ServiceContext } from './http/service-context.ts';
import { legacyRoutes } from './legacy/legacy-routes.ts';
import { DEFAULT_RECORDING_RULES_OPTIONS } from './recording-rules/recording-rules-options.ts';
import { recordingRulesRoutes } from './recording-rules/recording-rules-routes.ts';
import type { ServerOptions } from './server-options.ts';
import { settingsRoutes } from './settings/settings-routes.ts';
import { statusRoutes } from './status/status-routes.ts';
import { vcsRoutes } from './vcs/vcs-routes.ts';
import { versionRoutes } from './version/version-routes.ts';

export interface ServiceGroupsOptions {
  readonly server: ServerOptions;
  readonly version: string;
  readonly deletions: ServiceDeletions;
  /** Of all tenants, now. */
  readonly limits: () => LimitsConfig;
  /** Whether threads can be started only now, as their code cannot be read later. */
  readonly mustLoadNow: boolean;
}

export async function serviceGroups(
  { server, version, deletions, limits, mustLoadNow }: ServiceGroupsOptions,
  context: ServiceContext,
): Promise<RouteGroup[]> {
  const recordingRules = {
    ...DEFAULT_RECORDING_RULES_OPTIONS,
    tenants: () => [ANONYMOUS_TENANT, ...Object.keys(limits().overrides)],
    ...server.recordingRules,
  };
  return [
    querierRoutes(context, { asyncQueriesEnabled: server.asyncQueriesEnabled ?? false }),
    legacyRoutes(context),
    settingsRoutes(context),
    deletionRoutes(context, deletions),
    recordingRulesRoutes(context, recordingRules),
    await adhocRoutes(context, { mustLoadNow }),
    featureRoutes(context, { areRecordingRulesEnabled: recordingRules.isEnabled }),
    versionRoutes(),
    vcsRoutes(context, server.vcs),
    statusRoutes(context, {
      version,
      configuration: server.shownConfiguration ?? { running: {}, defaults: {} },
      runtimeConfig: server.runtimeConfig === undefined ? undefined : limits,
    }),
  ];
}
