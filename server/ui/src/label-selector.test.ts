// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import { labelSelector, selectorParts } from './label-selector.ts';

test('the service and what was typed become one selector', () => {
  assert.equal(labelSelector('', ''), '{}');
  assert.equal(labelSelector('web', ''), '{service_name="web"}');
  assert.equal(labelSelector('', ' { a="b", } '), '{a="b"}');
  assert.equal(labelSelector('web', 'a=~"b.*"'), '{service_name="web", a=~"b.*"}');
});

test('a service name cannot end its own quotes', () => {
  assert.equal(labelSelector('a"}\\', ''), '{service_name="a\\"}\\\\"}');
});

test('a selector is taken apart into the service and the rest, and put together again', () => {
  const parts = (selector: string, services: string[] = []) =>
    selectorParts(parseSelector(selector), services);
  assert.deepEqual(parts('{service_name="web", a=~"b.*"}'), { service: 'web', filter: 'a=~"b.*"' });
  assert.deepEqual(parts('{"host.name"!="x\\"y"}'), { service: '', filter: '"host.name"!="x\\"y"' });
  assert.deepEqual(parts('{service="web"}', ['web']), { service: 'web', filter: '' });
  assert.deepEqual(parts('{service="web"}', []), { service: '', filter: 'service="web"' });
  assert.deepEqual(parts('{service_name=~"w.*"}'), { service: '', filter: 'service_name=~"w.*"' });
  const twice = '{service_name="a", service_name="b"}';
  const { service, filter } = parts(twice);
  assert.equal(labelSelector(service, filter), twice);
});
