// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogueOf, chooseProfileType } from './catalogue.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const HEAP = 'memory:inuse_space:bytes:space:bytes';
const catalogue = catalogueOf([
  { service: 'web', profileTypeId: CPU },
  { service: 'web', profileTypeId: HEAP },
  { service: 'cache', profileTypeId: HEAP },
  { service: 'cache', profileTypeId: HEAP },
  { service: '', profileTypeId: CPU },
  { service: 'broken', profileTypeId: '' },
]);

test('services and types are sorted and unique, CPU time first', () => {
  assert.deepEqual(catalogue.services, ['cache', 'web']);
  assert.deepEqual(catalogue.profileTypes('web'), [CPU, HEAP]);
  assert.deepEqual(catalogue.profileTypes('cache'), [HEAP]);
  assert.deepEqual(catalogue.profileTypes(''), [CPU, HEAP]);
  assert.deepEqual(catalogue.profileTypes('unknown'), []);
});

test('numbers in the names of services count as numbers', () => {
  const entries = ['worker-10', 'worker-9', 'web'].map((service) => ({ service, profileTypeId: CPU }));
  assert.deepEqual(catalogueOf(entries).services, ['web', 'worker-9', 'worker-10']);
});

test('what the reader wants comes first, then what the service has, then what there is', () => {
  assert.equal(chooseProfileType(catalogue, 'cache', CPU), CPU);
  assert.equal(chooseProfileType(catalogue, 'cache', ''), HEAP);
  assert.equal(chooseProfileType(catalogue, 'unknown', ''), CPU);
  assert.equal(chooseProfileType(catalogueOf([]), '', ''), '');
});
