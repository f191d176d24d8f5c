// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthscopeError } from '../errors.ts';
import { MAX_MATCHERS, MAX_SELECTOR_LENGTH, parseSelector } from './selector.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

function parsed(selector: string): string[] {
  return parseSelector(selector).map(({ name, operator, value }) => `${name} ${operator} ${value}`);
}

test('selectors', () => {
  const cases: readonly [selector: string, ...matchers: string[]][] = [
    ['{}'],
    [' { } '],
    ['{a="b"}', 'a = b'],
    ['{a="b",}', 'a = b'],
    ['{ a = "b" , c != \'d\' }', 'a = b', 'c != d'],
    ['{a=~"b.*",c!~"d|e"}', 'a =~ b.*', 'c !~ d|e'],
    ['name', '__name__ = name'],
    ['name{a="b"}', '__name__ = name', 'a = b'],
    ['job:rate{}', '__name__ = job:rate'],
    [`${CPU}{service_name="a"}`, `__profile_type__ = ${CPU}`, 'service_name = a'],
    [`${CPU}:delta{}`, `__profile_type__ = ${CPU}`],
    [`{__name__="${CPU}"}`, `__profile_type__ = ${CPU}`],
    ['off_cpu:off_cpu:nanoseconds::{}', '__profile_type__ = off_cpu:off_cpu:nanoseconds::'],
    ['{__name__="process_cpu"}', '__name__ = process_cpu'],
    ['{"service.name"="x"}', 'service.name = x'],
    ['{"my.metric", a="b"}', '__name__ = my.metric', 'a = b'],
    [`{"${CPU}"}`, `__profile_type__ = ${CPU}`],
    ['{a="quote \\" back \\\\ line \\n tab \\t"}', 'a = quote " back \\ line \n tab \t'],
    ['{a="\\x41\\101\\u00e4\\U0001D11E"}', 'a = AAä𝄞'],
    ['{a=`raw \\n`}', 'a = raw \\n'],
    ['{a="}"}', 'a = }'],
    ['{a="b", # a comment }\n c="d"}', 'a = b', 'c = d'],
    ['{a=""}', 'a = '],
  ];
  for (const [selector, ...matchers] of cases) assert.deepEqual(parsed(selector), matchers, selector);
});

test('what is no selector is refused with the position', () => {
  const cases = [
    ['', /expected a selector .* found the end at character 1/],
    ['{', /expected a label name or "}", found the end at character 2/],
    ['{a}', /expected one of =, !=, =~, !~, found "}" at character 3/],
    ['{a=}', /expected a quoted value, found "}" at character 4/],
    ['{a=b}', /expected a quoted value, found "b" at character 4/],
    ['{a="b" c="d"}', /expected "," or "}", found "c" at character 8/],
    ['{a="b"', /found the end at character 7/],
    ['{a="b"}}', /expected the end, found "}" at character 8/],
    ['{a="b}', /expected a quoted value, found "\\""/],
    ['{,}', /expected a label name/],
    ['{1a="b"}', /expected a label name or "}", found "1"/],
    ['1', /found "1" at character 1/],
    ['{a=="b"}', /expected a quoted value, found "="/],
    ['{a="\\q"}', /unknown escape "\\\\q" at character 5/],
    ['{a="\\777"}', /unknown escape/],
    ['{a=~"("}', /regular expression "\(": missing \)/],
    ['a:b:c:d:e:f{}', /profile-type selection must be of the form/],
  ] as const;
  for (const [selector, message] of cases) {
    assert.throws(
      () => parseSelector(selector),
      (error) =>
        error instanceof HearthscopeError && error.code === 'invalid_argument' && message.test(error.message),
      selector,
    );
  }
});

test('any value survives quoting', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      assert.deepEqual(parsed(`{a=${JSON.stringify(value)}}`), [`a = ${value}`]);
    }),
  );
});

test('noise is refused or read, and never takes long', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('{', '}', '"', '\\', 'a', '=', '~', '!', ',', '`', "'", '#', ' ') }),
      (noise) => {
        try {
          parseSelector(noise);
        } catch (error) {
          assert.ok(error instanceof HearthscopeError);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('limits', () => {
  const longest = `{a="${'x'.repeat(MAX_SELECTOR_LENGTH - 6)}"}`;
  assert.equal(parseSelector(longest).length, 1);
  assert.throws(() => parseSelector(`${longest} `), /is too long, the limit is 16384/);
  const most = Array.from({ length: MAX_MATCHERS }, (_, i) => `l${i}="x"`).join(',');
  assert.equal(parseSelector(`{${most}}`).length, MAX_MATCHERS);
  assert.throws(() => parseSelector(`{${most},a="x"}`), /more than 100 matchers/);
});
