// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthscopeError } from '../errors.ts';
import { MAX_QUERY_LENGTH, parseQueryDialect } from './query-dialect.ts';
import { profileTypeOfName } from './type-name.ts';

const DAY_MILLIS = 86_400_000;
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

test('a plain selector stays what it is', () => {
  for (const selector of [
    '{}',
    '{service_name="a"}',
    '{service="my-api", job="production"}',
    'name{a="b"}',
    '{"host.name"=~"a|b", c!="}{,\\"", d!~`x"y`}',
    '{offset="7d"}',
    '{offset=~"7d"}',
    "{a='b#c'}",
  ]) {
    assert.deepEqual(parseQueryDialect(selector), { left: { labelSelector: selector, offsetMillis: 0 } });
  }
});

test('the type stands in a second pair of braces or in front', () => {
  const named = { labelSelector: '{service="my-api"}', typeName: 'cpu', offsetMillis: 0 };
  assert.deepEqual(parseQueryDialect('{service="my-api"}{type="cpu"}').left, named);
  assert.deepEqual(parseQueryDialect(' {service="my-api"} { type = cpu } ').left, named);
  const full = { labelSelector: '{a="b"}', profileTypeId: CPU, offsetMillis: 0 };
  assert.deepEqual(parseQueryDialect(`${CPU}{a="b"}`).left, full);
  assert.deepEqual(parseQueryDialect(`${CPU}:delta{a="b"}`).left, full);
  assert.deepEqual(parseQueryDialect(`{a="b"}{profile_type="${CPU}"}`).left, full);
  assert.deepEqual(parseQueryDialect(CPU).left, { ...full, labelSelector: '{}' });
  assert.deepEqual(parseQueryDialect('{a="b"}{}').left, { labelSelector: '{a="b"}', offsetMillis: 0 });
});

test('two selections, each with its offset, share a type', () => {
  assert.deepEqual(parseQueryDialect('{service="my-api"} vs {service="my-api", offset=7d}'), {
    left: { labelSelector: '{service="my-api"}', offsetMillis: 0 },
    right: { labelSelector: '{service="my-api"}', offsetMillis: 7 * DAY_MILLIS },
  });
  assert.deepEqual(parseQueryDialect('{service="v1", offset = 1h30m}{type="cpu"}vs{service="v2"}'), {
    left: { labelSelector: '{service="v1"}', typeName: 'cpu', offsetMillis: 5_400_000 },
    right: { labelSelector: '{service="v2"}', typeName: 'cpu', offsetMillis: 0 },
  });
  assert.deepEqual(parseQueryDialect(`{offset=1w} vs ${CPU}{}`), {
    left: { labelSelector: '{}', profileTypeId: CPU, offsetMillis: 7 * DAY_MILLIS },
    right: { labelSelector: '{}', profileTypeId: CPU, offsetMillis: 0 },
  });
  const different = parseQueryDialect(`{a="1"}{type="cpu"} vs ${CPU} {a="2"}`);
  assert.equal(different.left.typeName, 'cpu');
  assert.equal(different.left.profileTypeId, undefined);
  assert.equal(different.right?.profileTypeId, CPU);
});

test('comments and spaces are no part of a selector', () => {
  const { left } = parseQueryDialect('# what\n{ a="#1", # the first\n  b="2" , }');
  assert.equal(left.labelSelector, '{a="#1", b="2"}');
});

test('a mistake is told with its place', () => {
  const complaint = (text: string) => {
    try {
      parseQueryDialect(text);
    } catch (error) {
      assert.ok(error instanceof HearthscopeError);
      assert.equal(error.code, 'invalid_argument');
      return error.message;
    }
    return assert.fail(`${text} should have been refused`);
  };
  assert.match(
    complaint(''),
    /expected a selector such as \{service_name="a"\}, found the end at character 1/,
  );
  assert.match(complaint('cpu'), /expected a selector .* found the end at character 4/);
  assert.match(complaint('{a="b"'), /expected "," or "\}", found the end at character 7/);
  assert.match(complaint('{a="b}'), /found "\\"" at character 4/);
  assert.match(complaint('{,}'), /nothing before "," at character 2/);
  assert.match(complaint('{a="b"} against {a="c"}'), /expected "vs" or the end, found "a" at character 9/);
  assert.match(complaint('{a="b"} vs {a="c"} vs {}'), /expected the end, found "v" at character 20/);
  assert.match(complaint('{a="b"} vs'), /expected "vs" or the end|expected a selector/);
  assert.match(complaint('{a="b", offset=soon}'), /expected a duration .*, found "soon" at character 9/);
  assert.match(complaint('{offset=1h, offset=2h}'), /a second offset at character 13/);
  assert.match(
    complaint('{a="b"}{type="cpu", region="x"}'),
    /holds type="…" and nothing else at character 21/,
  );
  assert.match(complaint('{}{type=""}'), /holds type="…"/);
  assert.match(complaint('{}{type="a", type="b"}'), /a second type at character 14/);
  assert.match(complaint(`${CPU}{}{type="cpu"}`), /given twice/);
  assert.match(complaint('{}{type="a:b"}'), /profile-type selection must be of the form/);
  assert.match(complaint('x'.repeat(MAX_QUERY_LENGTH + 1)), /the limit is 32768/);
  assert.match(complaint('x'.repeat(MAX_QUERY_LENGTH)), /expected a selector/);
});

test('any text is read or refused, never anything else, and selectors survive a second reading', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    ',',
    '"',
    'a',
    '=',
    ' ',
    'vs',
    'offset=1d',
    'type=',
    '#',
    '\n',
    '\\',
    ':',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 20 }), (pieces) => {
      try {
        const { left } = parseQueryDialect(pieces.join(''));
        const again = parseQueryDialect(left.labelSelector).left;
        assert.equal(again.labelSelector, left.labelSelector);
        assert.equal(again.offsetMillis, 0);
      } catch (error) {
        if (!(error instanceof HearthscopeError)) throw error;
      }
    }),
  );
});

test('a short name means the type that is stored', () => {
  const stored = [
    'block:contentions:count:contentions:count',
    'cpu:cpu:nanoseconds:cpu:nanoseconds',
    'block:delay:nanoseconds:contentions:count',
    'goroutine:goroutine:count:goroutine:count',
    'memory:alloc_objects:count:space:bytes',
    'memory:alloc_space:bytes:space:bytes',
    'memory:inuse_space:bytes:space:bytes',
    'off_cpu:off_cpu:nanoseconds::',
    CPU,
    'process_cpu:samples:count:cpu:nanoseconds',
  ];
  assert.equal(profileTypeOfName('cpu', stored), CPU);
  assert.equal(profileTypeOfName('samples', stored), 'process_cpu:samples:count:cpu:nanoseconds');
  assert.equal(profileTypeOfName('process_cpu', stored), CPU);
  assert.equal(profileTypeOfName('goroutines', stored), 'goroutine:goroutine:count:goroutine:count');
  assert.equal(profileTypeOfName('alloc_objects', stored), 'memory:alloc_objects:count:space:bytes');
  assert.equal(profileTypeOfName('memory', stored), 'memory:inuse_space:bytes:space:bytes');
  assert.equal(profileTypeOfName('block', stored), 'block:delay:nanoseconds:contentions:count');
  assert.equal(profileTypeOfName('mutex', stored), undefined);
  assert.equal(profileTypeOfName('cpu', []), undefined);
});
