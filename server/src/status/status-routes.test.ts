// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createAuthenticator } from '@hearthscope/collector/auth/authenticator';
import { type LimitsConfig, limitsOf, tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import { pino } from 'pino';
import { parse } from 'yaml';
import type { PlainAnswer } from '../http/service-context.ts';
import { askPlain } from '../settings/testing/plain-request.ts';
import { MAX_PROFILE_SECONDS } from './profiling-routes.ts';
import { type StatusOptions, statusRoutes } from './status-routes.ts';

const LIMITS: LimitsConfig = {
  defaults: tenantLimits({}),
  overrides: { 'team-a': tenantLimits({ ingestionRateBytes: 8 * 1_048_576, maxGlobalSeriesPerTenant: 7 }) },
};

function routesOf(t: { after(end: () => Promise<void>): void }, options: Partial<StatusOptions> = {}) {
  const routes = statusRoutes(
    {
      authenticator: createAuthenticator({ type: 'none' }, { multitenancyEnabled: true }),
      limitsOf: (tenant) => limitsOf(LIMITS, tenant),
      logger: pino({ level: 'silent' }),
    },
    {
      version: '1.2.3',
      configuration: {
        running: { server: { port: 4040, host: 'a' }, list: [1], secret: '<secret>' },
        defaults: { server: { port: 4040, host: '' }, list: [1], secret: '' },
      },
      runtimeConfig: () => LIMITS,
      ...options,
    },
  );
  t.after(() => routes.close!());
  return routes;
}

const TENANT = { 'x-scope-orgid': 'team-a' };

function yamlOf({ contentType, body }: PlainAnswer): unknown {
  assert.match(contentType, /^text\/yaml/);
  return parse(body as string);
}

test('version, configuration and description', async (t) => {
  const routes = routesOf(t);
  const build = JSON.parse((await askPlain(routes, '/api/v1/status/buildinfo')).body as string);
  assert.equal(build.status, 'success');
  assert.deepEqual(Object.keys(build.data), [
    'version',
    'revision',
    'branch',
    'buildUser',
    'buildDate',
    'goVersion',
  ]);
  assert.equal(build.data.version, '1.2.3');
  const page = async (path: string) => yamlOf(await askPlain(routes, path, {}, TENANT));
  assert.deepEqual(await page('/api/v1/status/config'), {
    server: { port: 4040, host: 'a' },
    list: [1],
    secret: '<secret>',
  });
  assert.deepEqual(await page('/api/v1/status/config/diff'), { server: { host: 'a' }, secret: '<secret>' });
  assert.deepEqual(await page('/api/v1/status/config/default'), {
    server: { port: 4040, host: '' },
    list: [1],
    secret: '',
  });
  const description = JSON.parse((await askPlain(routes, '/api/swagger.json', {}, TENANT)).body as string);
  for (const path of Object.keys(description.paths)) {
    assert.ok(
      routes.plain?.some((route) => route.path === path),
      path,
    );
  }
});

test('limits of tenants are shown when they come from a file', async (t) => {
  const routes = routesOf(t);
  const whole = yamlOf(await askPlain(routes, '/runtime_config', {}, TENANT)) as {
    overrides: Record<string, object>;
  };
  assert.ok(Object.keys(whole.overrides['team-a']!).length > 20);
  assert.deepEqual(yamlOf(await askPlain(routes, '/runtime_config', { mode: 'diff' }, TENANT)), {
    overrides: { 'team-a': { ingestion_rate_mb: 8, max_global_series_per_tenant: 7 } },
  });
  const limits = async (tenant: string) =>
    JSON.parse(
      (await askPlain(routes, '/api/v1/tenant_limits', {}, { 'x-scope-orgid': tenant })).body as string,
    );
  assert.deepEqual(await limits('team-a'), {
    ingestion_rate: 8,
    ingestion_burst_size: 2,
    max_global_series_per_user: 7,
  });
  assert.equal((await limits('other')).ingestion_rate, 4);

  const without = routesOf(t, { runtimeConfig: undefined });
  assert.ok(
    !without.plain?.some(({ path }) => path === '/runtime_config' || path === '/api/v1/tenant_limits'),
  );
});

test('who may not read may not look here', async (t) => {
  const routes = routesOf(t);
  for (const { path } of routes.plain!) {
    if (path === '/api/v1/status/buildinfo') continue;
    await assert.rejects(askPlain(routes, path), { code: 'unauthenticated' }, path);
  }
});

test('the index has links to what there is', async (t) => {
  const routes = routesOf(t, { version: '<1>', runtimeConfig: undefined });
  const page = (await askPlain(routes, '/admin', {}, TENANT)).body as string;
  assert.match(page, /Hearthscope &#60;1&#62;/);
  assert.match(page, /href="\.\/api\/v1\/status\/config\/diff"/);
  assert.doesNotMatch(page, /runtime_config/);
  assert.match((await askPlain(routes, '/debug/pprof/', {}, TENANT)).body as string, /href="heap"/);
});

function profileOf({ body }: PlainAnswer): Profile {
  return decodePprof(gunzipSync(body as Uint8Array)).profile;
}

test('the server profiles its own CPU time', async (t) => {
  const routes = routesOf(t);
  const answer = askPlain(routes, '/debug/pprof/profile', { seconds: '0.3' }, TENANT);
  await assert.rejects(askPlain(routes, '/debug/pprof/profile', { seconds: '1' }, TENANT), {
    code: 'resource_exhausted',
  });
  const spin = setInterval(function burnCpuTime() {
    const end = performance.now() + 40;
    while (performance.now() < end);
  }, 1);
  const profile = profileOf(await answer);
  clearInterval(spin);
  assert.deepEqual(profile.sampleTypes, [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ]);
  const names = [...profile.functions.name].map((index) => profile.strings[index]);
  assert.ok(names.includes('burnCpuTime'), names.join(' '));
  assert.ok(!names.includes('(idle)') && !names.includes('(root)'));
  const values = profile.samples.values;
  assert.ok(values[0]!.every((count, i) => values[1]![i] === count * profile.period));
});

test('the server profiles its own heap', async (t) => {
  const routes = routesOf(t);
  const kept: unknown[] = [];
  await askPlain(routes, '/debug/pprof/heap', {}, TENANT);
  const keepMuch = () => {
    for (let i = 0; i < 400_000; i++) kept.push({ i, text: `${i}` });
  };
  keepMuch();
  const profile = profileOf(await askPlain(routes, '/debug/pprof/heap', {}, TENANT));
  assert.deepEqual(profile.sampleTypes, [{ type: 'inuse_space', unit: 'bytes' }]);
  const names = [...profile.functions.name].map((index) => profile.strings[index]);
  assert.ok(names.includes('keepMuch'), names.join(' '));
  assert.equal(kept.length, 400_000);
});

test('a profile that nobody waits for any more, and lengths that are refused', async (t) => {
  const routes = routesOf(t);
  const route = routes.plain!.find(({ path }) => path === '/debug/pprof/profile')!;
  const signal = AbortSignal.timeout(20);
  await assert.rejects(
    route.handle({
      path: route.path,
      query: new URLSearchParams({ seconds: '30' }),
      headers: TENANT,
      body: new Uint8Array(),
      signal,
      identity: { headers: TENANT },
    }),
    { code: 'canceled' },
  );
  for (const seconds of ['0', '-1', 'x', `${MAX_PROFILE_SECONDS + 1}`, 'NaN', 'Infinity']) {
    await assert.rejects(
      askPlain(routes, '/debug/pprof/profile', { seconds }, TENANT),
      (error) => error instanceof HearthscopeError && error.code === 'invalid_argument',
    );
  }
  await askPlain(routes, '/debug/pprof/profile', { seconds: '0.01' }, TENANT);
});
