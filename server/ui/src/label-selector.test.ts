// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelSelector } from './label-selector.ts';

test('the service and what was typed become one selector', () => {
  assert.equal(labelSelector('', ''), '{}');
  assert.equal(labelSelector('web', ''), '{service_name="web"}');
  assert.equal(labelSelector('', ' { a="b", } '), '{a="b"}');
  assert.equal(labelSelector('web', 'a=~"b.*"'), '{service_name="web", a=~"b.*"}');
});

test('a service name cannot end its own quotes', () => {
  assert.equal(labelSelector('a"}\\', ''), '{service_name="a\\"}\\\\"}');
});
