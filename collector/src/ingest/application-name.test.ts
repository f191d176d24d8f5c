// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import fc from 'fast-check';
import { parseApplicationName } from './application-name.ts';

function parse(text: string): [name: string, labels: Record<string, string>] {
  const { name, labels } = parseApplicationName(text);
  return [name, Object.fromEntries(labels.map((label) => [label.name, label.value]))];
}

test('names with and without labels', () => {
  assert.deepEqual(parse('shop'), ['shop', {}]);
  assert.deepEqual(parse('shop{}'), ['shop', {}]);
  assert.deepEqual(parse('my/shop-1.cpu{region=eu,otel.scope.name=a/b:c}'), [
    'my/shop-1.cpu',
    { region: 'eu', 'otel.scope.name': 'a/b:c' },
  ]);
  assert.deepEqual(parse(' shop { a = 1 , b = two words } '), ['shop', { a: '1', b: 'two words' }]);
});

test('what clients get away with', () => {
  assert.deepEqual(parse('shop{a=1'), ['shop', {}]);
  assert.deepEqual(parse('shop{a=1,b'), ['shop', { a: '1' }]);
  assert.deepEqual(parse('shop{a=1,}'), ['shop', { a: '1' }]);
  assert.deepEqual(parse('shop{a=1,b}'), ['shop', { a: '1' }]);
  assert.deepEqual(parse('shop{a=}'), ['shop', { a: '' }]);
  assert.deepEqual(parse('shop{a=x=y}'), ['shop', { a: 'x=y' }]);
  assert.deepEqual(parse('shop{a=1}} b=2,'), ['shop', { a: '1' }]);
  assert.deepEqual(parse('shop{a=1,a=2}'), ['shop', { a: '2' }]);
  assert.deepEqual(parse('shop{__name__=other,__session_id__=f00}'), ['other', { __session_id__: 'f00' }]);
});

test('errors say what is wrong', () => {
  const messages: Record<string, string> = {
    '': 'service name is required',
    '{a=1}': 'service name is required',
    shop$: "invalid service name: shop$: character is not allowed: '$'",
    'my shop': "invalid service name: my shop: character is not allowed: ' '",
    "it's": "invalid service name: it's: character is not allowed: '\\''",
    'a\nb': "invalid service name: a\nb: character is not allowed: '\\u000a'",
    lädt: "invalid service name: lädt: character is not allowed: 'ä'",
    'shop{=1}': 'label name is required',
    'shop{a-b=1}': "invalid label name: a-b: character is not allowed: '-'",
    'shop{a=1,,b=2}': "invalid label name: ,b: character is not allowed: ','",
    'shop{__name__=}': 'service name is required',
  };
  for (const [text, message] of Object.entries(messages)) {
    assert.throws(
      () => parseApplicationName(text),
      (error) =>
        error instanceof HearthscopeError && error.code === 'invalid_argument' && error.message === message,
      text,
    );
  }
});

test('property: what is written is read', () => {
  const key = fc.stringMatching(/^[a-zA-Z0-9_.]{1,12}$/).filter((text) => text !== '__name__');
  const value = fc.string().map((text) => text.replace(/[,}]/g, '').trim());
  fc.assert(
    fc.property(fc.stringMatching(/^[\w./-]{1,20}$/), fc.dictionary(key, value), (name, labels) => {
      const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
      assert.deepEqual(parse(`${name}{${pairs.join(',')}}`), [name, { ...labels }]);
    }),
  );
});
