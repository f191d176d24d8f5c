// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANONYMOUS_TENANT, MAX_QUERY_TENANTS, MAX_TENANT_ID_LENGTH, tenantOf, tenantsOf } from './tenant.ts';

const header = (id: string) => ({ 'x-scope-orgid': id });

test('without multi-tenancy the header means nothing', () => {
  assert.equal(tenantOf({}, false), ANONYMOUS_TENANT);
  assert.equal(tenantOf(header('../etc'), false), ANONYMOUS_TENANT);
});

test('with multi-tenancy the header names the tenant', () => {
  assert.equal(tenantOf(header("team-1!_.*'()"), true), "team-1!_.*'()");
  assert.equal(tenantOf(header('a'.repeat(MAX_TENANT_ID_LENGTH)), true).length, MAX_TENANT_ID_LENGTH);
});

test('a missing tenant is unauthenticated', () => {
  for (const headers of [{}, header(''), header('  ')]) {
    assert.throws(() => tenantOf(headers, true), { code: 'unauthenticated', message: 'no org id' });
  }
});

test('a tenant id that could not name a folder is refused', () => {
  const bad = ['.', '..', 'a/b', 'a|b', 'a b', 'ä', 'a\0', 'a'.repeat(MAX_TENANT_ID_LENGTH + 1)];
  for (const id of bad) {
    assert.throws(() => tenantOf(header(id), true), { code: 'invalid_argument' }, id);
  }
  assert.throws(() => tenantOf({ 'x-scope-orgid': ['a', 'b'] }, true), { code: 'invalid_argument' });
});

test('a query may name several tenants', () => {
  assert.deepEqual(tenantsOf(header('a|b'), false), [ANONYMOUS_TENANT]);
  assert.deepEqual(tenantsOf(header('b|a|b'), true), ['a', 'b']);
  assert.deepEqual(tenantsOf(header('a'), true), ['a']);
  assert.throws(() => tenantsOf({}, true), { code: 'unauthenticated', message: 'no org id' });
  for (const bad of ['|', 'a|', 'a||b', 'a|..', 'a|b/c']) {
    assert.throws(() => tenantsOf(header(bad), true), { code: 'invalid_argument' }, bad);
  }
  const many = (count: number) => header(Array.from({ length: count }, (_, n) => `t${n}`).join('|'));
  assert.equal(tenantsOf(many(MAX_QUERY_TENANTS), true).length, MAX_QUERY_TENANTS);
  assert.throws(() => tenantsOf(many(MAX_QUERY_TENANTS + 1), true), { code: 'invalid_argument' });
  assert.throws(() => tenantOf(header('a|b'), true), { message: 'multiple org IDs present' });
});
