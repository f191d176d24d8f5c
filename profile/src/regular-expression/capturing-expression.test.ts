// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of templates, which are not of JavaScript.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthscopeError } from '../errors.ts';
import {
  type Captures,
  compileCapturingExpression,
  expandTemplate,
  hasReferences,
} from './capturing-expression.ts';
import { compileRegularExpression } from './regular-expression.ts';

test('groups capture what RE2 makes them capture', () => {
  const cases: readonly [source: string, value: string, captures: Captures | undefined][] = [
    ['(.*)', '', ['', '']],
    ['a', 'b', undefined],
    ['a', 'aa', undefined],
    ['godeltaprof_(.*)', 'godeltaprof_memory', ['godeltaprof_memory', 'memory']],
    ['(a)|(b)', 'b', ['b', undefined, 'b']],
    ['(a*)(a*)', 'aaa', ['aaa', 'aaa', '']],
    ['(a*?)(a*)', 'aaa', ['aaa', '', 'aaa']],
    ['(?U)(a*)(a*)', 'aaa', ['aaa', '', 'aaa']],
    ['(?U:(a*?))(a*)', 'aaa', ['aaa', 'aaa', '']],
    ['(a|ab)(c|bcd)?(d*)', 'abcd', ['abcd', 'a', 'bcd', '']],
    ['(?:(a)|b)*', 'ab', ['ab', 'a']],
    ['(a|b)+', 'ab', ['ab', 'b']],
    ['(a*)*', 'b', undefined],
    ['(a*)+', 'aa', ['aa', 'aa']],
    ['(|a)*', 'aa', ['aa', 'a']],
    ['(|a)+', 'aa', ['aa', 'a']],
    ['(.)(.)', '𝄞ä', ['𝄞ä', '𝄞', 'ä']],
    ['(.)\\b(.)', '𝄞a', ['𝄞a', '𝄞', 'a']],
    ['(.*)\\n(.*)', 'a\nb', ['a\nb', 'a', 'b']],
    ['(?P<first>\\w)(?<second>\\w)', 'ab', ['ab', 'a', 'b']],
  ];
  for (const [source, value, captures] of cases) {
    assert.deepEqual(compileCapturingExpression(source).match(value), captures, source);
  }
});

test('templates', () => {
  const expression = compileCapturingExpression('(?P<first>a)(b)?(c)?(?P<first>d)?');
  const captures = expression.match('ac')!;
  const cases = [
    ['', ''],
    ['x', 'x'],
    ['$1', 'a'],
    ['${1}', 'a'],
    ['$0-$0', 'ac-ac'],
    ['$1x', ''],
    ['${1}x', 'ax'],
    ['$first', 'a'],
    ['${first}_$3', 'a_c'],
    ['$2|$9|$none', '||'],
    ['$$1', '$1'],
    ['$', '$'],
    ['${', '${'],
    ['${1', '${1'],
    ['${}', '${}'],
    ['$-$1', '$-a'],
    ['$1é', ''],
  ] as const;
  for (const [template, text] of cases) {
    assert.equal(expandTemplate(template, expression, captures), text, template);
  }
  assert.equal(hasReferences('a$'), false);
  assert.equal(hasReferences('a$1'), true);
  assert.equal(hasReferences('a$1'), true);
});

const part = fc.constantFrom(
  'a',
  'b',
  '[ab]',
  '.',
  'a*',
  'b+',
  'a?',
  '(?:ab)*',
  'a*?',
  'b??',
  '(?:a|ab)',
  '',
);
// Inside repetitions JavaScript forgets what groups captured in earlier rounds, and RE2 does not: groups stay outside.
const expression = fc
  .array(
    fc.oneof(
      part,
      part.map((item) => `(${item})`),
      fc.tuple(part, part).map(([a, b]) => `((${a})|(${b}))`),
      fc.tuple(part, part).map(([a, b]) => `(?:(${a})|${b})`),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

test('what groups capture is what they capture in JavaScript, where the two languages agree', () => {
  fc.assert(
    fc.property(
      expression,
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 }),
      (source, value) => {
        const expected = new RegExp(`^(?:${source})$`, 's').exec(value);
        assert.deepEqual(
          compileCapturingExpression(source).match(value),
          expected === null ? undefined : [...expected],
        );
      },
    ),
    { numRuns: 1000 },
  );
});

test('a value matches exactly when it would for a selector, and a large expression is refused', () => {
  fc.assert(
    fc.property(expression, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (source, value) => {
      const captures = compileCapturingExpression(source).match(value);
      assert.equal(captures !== undefined, compileRegularExpression(source)(value));
    }),
  );
  assert.throws(
    () => compileCapturingExpression('(((a){100}){100}){100}'),
    (error) => error instanceof HearthscopeError && /more than 4096 steps/.test(error.message),
  );
});

test('expressions that take others for ever end soon', () => {
  const value = `${'a'.repeat(2000)}!`;
  for (const source of ['((a*)*)*', '(a+)+', '(a|aa)+', '(.*a){30}', '((a?)){100}a{100}']) {
    assert.equal(compileCapturingExpression(source).match(value), undefined, source);
  }
});
