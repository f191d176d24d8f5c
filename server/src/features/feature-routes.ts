// SPDX-License-Identifier: Apache-2.0
//
// capabilities.v1.FeatureFlagsService: what clients may offer their users. The names are those that clients look for; what
// each is set to is what this server does.

import { Gauge } from 'prom-client';
import { FeatureFlagsService } from '../../gen/capabilities/v1/feature_flags_pb.js';
import { answering, JSON_OPTIONS } from '../api/connect-service.ts';
import { identityOfCall } from '../http/request-identity.ts';
import type { RouteGroup, ServiceContext } from '../http/service-context.ts';

export interface FeatureOptions {
  readonly areRecordingRulesEnabled: boolean;
}

interface Feature {
  readonly name: string;
  readonly enabled: boolean;
  readonly description: string;
}

export function featureRoutes(
  { authenticator, registry }: Pick<ServiceContext, 'authenticator' | 'registry'>,
  options: FeatureOptions,
): RouteGroup {
  const features = featuresOf(options);
  const gauge = new Gauge({
    name: 'pyroscope_feature_flags_enabled',
    help: 'Whether a feature that clients ask about is enabled.',
    labelNames: ['name'],
    registers: [registry],
  });
  for (const { name, enabled } of features) gauge.set({ name }, enabled ? 1 : 0);
  return {
    connect: (router) => {
      router.service(
        FeatureFlagsService,
        {
          getFeatureFlags: answering((_request, call) => {
            authenticator.tenants(identityOfCall(call));
            return { featureFlags: [...features] };
          }),
        },
        { jsonOptions: JSON_OPTIONS },
      );
    },
  };
}

/** Sorted by name. */
function featuresOf({ areRecordingRulesEnabled }: FeatureOptions): readonly Feature[] {
  return [
    {
      name: 'pyroscopeRuler',
      enabled: areRecordingRulesEnabled,
      description: 'Recording rules: metrics made of profiles',
    },
    {
      name: 'pyroscopeRulerFunctions',
      enabled: areRecordingRulesEnabled,
      description: 'Recording rules of single functions',
    },
    {
      name: 'utf8LabelNames',
      enabled: true,
      description: 'Label names of any characters, for clients that say they read them',
    },
    {
      name: 'v2StorageLayer',
      enabled: true,
      description:
        'What clients expect of the second storage layer of Pyroscope: profiles are readable when they are accepted, and selectable by profile, span and trace',
    },
  ];
}
