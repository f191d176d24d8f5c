// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { clientCapabilities, isVisible } from './client-capabilities.ts';

test('the parameter is found on any of the accepted types', () => {
  const cases: readonly [accept: string, allows: boolean][] = [
    ['', false],
    ['*/*', false],
    ['*/*;allow-utf8-labelnames=true', true],
    ['*/*; allow-utf8-labelnames=true', true],
    ['application/json; allow-utf8-labelnames=true', true],
    ['application/json, text/plain;q=0.5;Allow-UTF8-LabelNames="true"', true],
    ['*/*;allow-utf8-labelnames=false', false],
    ['text/plain;note="a;allow-utf8-labelnames=true,b"', false],
    ['gzip', false],
  ];
  for (const [accept, allows] of cases) {
    assert.equal(clientCapabilities(accept).allowsUtf8LabelNames, allows, accept);
  }
});

test('a header that cannot be read is refused', () => {
  for (const accept of ['a b', '*/*;x', '*/*;=true', 'a/b/c', '*/*;x="a']) {
    assert.throws(
      () => clientCapabilities(accept),
      (error) => error instanceof HearthscopeError && /^Invalid header format: /.test(error.message),
      accept,
    );
  }
});

test('names that are no identifiers are shown to those who can handle them', () => {
  const old = { allowsUtf8LabelNames: false };
  assert.deepEqual(
    ['a_1', '__type__', 'a.b', '1a', 'ä', ''].filter((name) => isVisible(name, old)),
    ['a_1', '__type__'],
  );
  assert.ok(isVisible('a.b', { allowsUtf8LabelNames: true }));
});
