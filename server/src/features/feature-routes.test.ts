// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { Registry } from 'prom-client';
import { FeatureFlagsService } from '../../gen/capabilities/v1/feature_flags_pb.js';
import { Version } from '../../gen/version/v1/version_pb.js';
import { routeTransport, tenantByHeader } from '../settings/testing/route-transport.ts';
import { versionRoutes } from '../version/version-routes.ts';
import { featureRoutes } from './feature-routes.ts';

async function flagsOf(areRecordingRulesEnabled: boolean) {
  const registry = new Registry();
  const routes = featureRoutes({ authenticator: tenantByHeader, registry }, { areRecordingRulesEnabled });
  const { featureFlags } = await createClient(FeatureFlagsService, routeTransport(routes)).getFeatureFlags(
    {},
  );
  return { flags: featureFlags.map(({ name, enabled }) => [name, enabled]), registry };
}

test('features are told by name, those that are off too', async () => {
  const off = await flagsOf(false);
  assert.deepEqual(off.flags, [
    ['pyroscopeRuler', false],
    ['pyroscopeRulerFunctions', false],
    ['utf8LabelNames', true],
    ['v2StorageLayer', true],
  ]);
  assert.match(await off.registry.metrics(), /pyroscope_feature_flags_enabled\{name="pyroscopeRuler"\} 0/);
  assert.deepEqual((await flagsOf(true)).flags[1], ['pyroscopeRulerFunctions', true]);
});

test('the version of the query API is 1', async () => {
  const { QuerierAPI } = await createClient(Version, routeTransport(versionRoutes())).version({});
  assert.equal(QuerierAPI, 1n);
});
