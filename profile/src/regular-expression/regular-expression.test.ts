// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthscopeError } from '../errors.ts';
import { compileRegularExpression } from './regular-expression.ts';

const atom = fc.constantFrom(
  'a',
  'b',
  'ab',
  '.',
  '[ab]',
  '[^a]',
  '[a-c]',
  '\\d',
  '\\w',
  '\\S',
  '\\.',
  '',
  '\\x61',
  '\\x{e4}',
  'ä',
  '𝄞',
  '[\\d\\-]',
  '[]a]',
);
const expression = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    atom,
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => a + b),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(?:${a}|${b})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '*?', '{2}', '{1,2}', '{0,}', '{0}'))
      .map(([a, q]) => `(${a})${q}`),
    tie('node').map((a) => `(?i:${a})`),
  ),
})).node;
const value = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', 'A', '1', '.', 'ä', '𝄞', '\n', '-', ']'),
  maxLength: 8,
});

test('random expressions match what the built-in ones match', () => {
  fc.assert(
    fc.property(expression, value, (source, text) => {
      // JavaScript writes two things differently.
      const builtIn = source.replaceAll('\\x{e4}', '\\u{e4}').replaceAll('[]a]', '[\\]a]');
      const expected = new RegExp(`^(?:${builtIn})$`, 'su').test(text);
      assert.equal(compileRegularExpression(source)(text), expected, `${source} on ${JSON.stringify(text)}`);
    }),
    { numRuns: 3000 },
  );
});

test('RE2 syntax', () => {
  const cases: readonly [source: string, value: string, matches: boolean][] = [
    ['web|db', 'db', true],
    ['web|db', 'webdb', false],
    ['', '', true],
    ['', 'x', false],
    ['a.c', 'a\nc', true],
    ['(?-s)a.c', 'a\nc', false],
    ['(?i)WEB-[0-9]+', 'web-17', true],
    ['(?i:W)eb', 'WEB', false],
    ['(a(?i)b)c', 'aBc', true],
    ['(a(?i)b)c', 'aBC', false],
    ['(?P<name>a)(?<other>b)', 'ab', true],
    ['^web$', 'web', true],
    ['a^b', 'ab', false],
    ['(?m)a$\n^b', 'a\nb', true],
    ['a$\n^b', 'a\nb', false],
    ['\\Aa\\z', 'a', true],
    ['a\\b-\\Bb', 'a-b', false],
    ['a\\b-\\bb', 'a-b', true],
    ['\\Qa.b*\\E+', 'a.b**', true],
    ['\\Qa.b', 'a.b', true],
    ['[[:alpha:]_]+', 'aZ_', true],
    ['[[:^digit:]]', '7', false],
    ['[^[:space:]\\d]', 'x', true],
    ['\\pL+', 'läuft', true],
    ['\\p{Greek}', 'λ', true],
    ['\\P{Greek}', 'λ', false],
    ['\\p{^Greek}', 'λ', false],
    ['[\\p{Lu}\\d]+', 'A1', true],
    ['\\s', '\u00a0', false],
    ['\\101\\x41\\x{1D11E}', 'AA𝄞', true],
    ['a{,2}', 'a{,2}', true],
    ['a{2', 'a{2', true],
    ['x{2,3}', 'xxxx', false],
    ['[a-]', '-', true],
    ['[\\w-]+', 'a-b', true],
    ['.', '𝄞', true],
  ];
  for (const [source, text, matches] of cases) {
    assert.equal(compileRegularExpression(source)(text), matches, `${source} on ${JSON.stringify(text)}`);
  }
});

test('what is no expression is refused with the position', () => {
  const cases = [
    ['(a', /missing \) at character 3/],
    ['a)', /unexpected \) at character 2/],
    ['[a', /missing \]/],
    ['*a', /nothing to repeat/],
    ['a**', /a repetition of a repetition/],
    ['a\\', /a backslash at the end/],
    ['\\y', /unknown escape \\y/],
    ['\\1', /unknown escape/],
    ['(?=a)', /unknown group/],
    ['(?<=a)', /unknown group/],
    ['[b-a]', /runs backwards/],
    ['a{1001}', /invalid repetition/],
    ['a{3,2}', /invalid repetition/],
    ['[[:nothing:]]', /unknown character class/],
    ['\\p{Nothing}', /unknown character class/],
    ['\\x{110000}', /no such character/],
    ['('.repeat(101), /nested more than 100 deep/],
    ['((a{100}){100}){100}', /is too large: it compiles to more than 4096 steps/],
  ] as const;
  for (const [source, message] of cases) {
    assert.throws(
      () => compileRegularExpression(source),
      (error) =>
        error instanceof HearthscopeError && error.code === 'invalid_argument' && message.test(error.message),
      source,
    );
  }
});

test('expressions that take others for ever end soon', () => {
  // Each would keep a backtracking matcher busy for longer than the universe has lasted.
  const text = `${'a'.repeat(2000)}!`;
  for (const source of ['(a*)*', '(a+)+', '(a|aa)+', '(a|a?)+', '(.*a){30}', `(a?){200}a{200}`]) {
    assert.equal(compileRegularExpression(source)(text), false, source);
  }
  assert.equal(compileRegularExpression('((((){1000}){1000}){1000}){1000}')(''), true);
});
