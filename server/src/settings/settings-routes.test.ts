// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { SettingsService } from '../../gen/settings/v1/settings_pb.js';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { settingsRoutes } from './settings-routes.ts';
import type { SettingsLimits } from './settings-store.ts';
import { routeTransport, tenantByHeader } from './testing/route-transport.ts';

const LIMITS: SettingsLimits = { maxSettings: 3, maxNameBytes: 8, maxValueBytes: 16, maxTenants: 2 };

function clientOf(dataDir: string, now = () => 1000) {
  const routes = settingsRoutes({ authenticator: tenantByHeader, dataDir, now }, LIMITS);
  return createClient(SettingsService, routeTransport(routes));
}

function hasCode(code: Code, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.code, code);
    assert.match(error.rawMessage, text);
    return true;
  };
}

test('settings are kept by tenant, sorted by name, and survive the process', async (t) => {
  const dataDir = testDirectory(t);
  const client = clientOf(dataDir);
  assert.deepEqual((await client.get({})).settings, []);
  const { setting } = await client.set({ setting: { name: 'b', value: '{"x":1}' } });
  assert.equal(setting?.modifiedAt, 1000n, 'a time that is left out is now');
  await client.set({ setting: { name: 'a', value: '', modifiedAt: 7n } });
  await client.set({ setting: { name: 'a', value: 'other' } }, { headers: { 'x-scope-orgid': 'two' } });

  const again = clientOf(dataDir);
  assert.deepEqual(
    (await again.get({})).settings.map(({ name, value, modifiedAt }) => [name, value, modifiedAt]),
    [
      ['a', '', 7n],
      ['b', '{"x":1}', 1000n],
    ],
  );
  await again.delete({ name: 'a' });
  await again.delete({ name: 'never there' });
  assert.deepEqual(
    (await again.get({})).settings.map(({ name }) => name),
    ['b'],
  );
  const other = await again.get({}, { headers: { 'x-scope-orgid': 'two' } });
  assert.equal(other.settings[0]?.value, 'other');
  assert.equal(existsSync(join(dataDir, 'settings/anonymous/settings.json.tmp')), false);
});

test('an older change does not undo a newer one', async (t) => {
  const client = clientOf(testDirectory(t));
  await client.set({ setting: { name: 'a', value: 'new', modifiedAt: 2000n } });
  const newer = hasCode(Code.AlreadyExists, /newer update already written/);
  await assert.rejects(client.set({ setting: { name: 'a', value: 'old', modifiedAt: 1999n } }), newer);
  await assert.rejects(client.delete({ name: 'a' }), newer);
  await client.set({ setting: { name: 'a', value: 'same', modifiedAt: 2000n } });
  assert.equal((await client.get({})).settings[0]?.value, 'same');
});

test('limits hold at their edge', async (t) => {
  const client = clientOf(testDirectory(t));
  const invalid = (text: RegExp) => hasCode(Code.InvalidArgument, text);
  await assert.rejects(client.set({}), invalid(/no setting values provided/));
  await assert.rejects(client.set({ setting: { value: 'x' } }), invalid(/no setting name provided/));
  await assert.rejects(client.delete({}), invalid(/no setting name provided/));
  await client.set({ setting: { name: 'n'.repeat(8), value: '\u0001'.repeat(16) } });
  await assert.rejects(client.set({ setting: { name: 'n'.repeat(9) } }), invalid(/name .* 9 bytes/));
  await assert.rejects(
    client.set({ setting: { name: 'a', value: 'ä'.repeat(9) } }),
    invalid(/value .* 18 bytes/),
  );
  await assert.rejects(client.set({ setting: { name: 'a', modifiedAt: 2n ** 60n } }), invalid(/is no time/));
  await client.set({ setting: { name: 'b' } });
  await client.set({ setting: { name: 'c' } });
  await assert.rejects(client.set({ setting: { name: 'd' } }), hasCode(Code.ResourceExhausted, /at most 3/));
  await client.set({ setting: { name: 'c', value: 'changed' } });
  const tenant = (id: string) => ({ headers: { 'x-scope-orgid': id } });
  await client.set({ setting: { name: 'a' } }, tenant('two'));
  await assert.rejects(
    client.set({ setting: { name: 'a' } }, tenant('three')),
    hasCode(Code.ResourceExhausted, /2 tenants/),
  );
});

test('changes at the same time all happen', async (t) => {
  const client = clientOf(testDirectory(t));
  await Promise.all(['a', 'b', 'c'].map((name) => client.set({ setting: { name, value: name } })));
  assert.equal((await client.get({})).settings.length, 3);
});

test('a damaged file is told of and left as it is', async (t) => {
  const dataDir = testDirectory(t);
  const path = join(dataDir, 'settings/anonymous/settings.json');
  mkdirSync(join(path, '..'), { recursive: true });
  const client = clientOf(dataDir);
  for (const text of [
    '',
    '{"version":1',
    '{"version":1,"settings":{}}',
    '{"version":1,"settings":[null]}',
    '{"version":1,"settings":[{"name":"a","value":1,"modifiedAtUnixMillis":1}]}',
    'null',
    ' '.repeat(1_000_000),
  ]) {
    writeFileSync(path, text);
    await assert.rejects(client.get({}), hasCode(Code.DataLoss, /is damaged/));
    await assert.rejects(client.set({ setting: { name: 'a' } }), hasCode(Code.DataLoss, /is damaged/));
    assert.equal(readFileSync(path, 'utf8'), text);
  }
  writeFileSync(path, '{"version":2,"settings":[]}');
  await assert.rejects(client.get({}), hasCode(Code.FailedPrecondition, /has version 2/));
});

test('a tenant that is no folder name gets nowhere', async (t) => {
  const client = clientOf(testDirectory(t));
  for (const id of ['..', '.', 'a/b']) {
    await assert.rejects(
      client.set({ setting: { name: 'a' } }, { headers: { 'x-scope-orgid': id } }),
      hasCode(Code.InvalidArgument, /tenant ID/),
    );
  }
});
