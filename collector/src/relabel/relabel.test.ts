// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of templates, which are not of JavaScript.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelSet } from '@hearthscope/profile/labels';
import fc from 'fast-check';
import { tenantLimits } from '../limits/tenant-limits.ts';
import { DEFAULT_RELABEL_RULES, relabelRulesOf } from './default-rules.ts';
import { formatRelabelRules, MAX_RELABEL_RULES, parseRelabelRules } from './parse-relabel-rules.ts';
import { relabel } from './relabel.ts';
import { RELABEL_ACTIONS, type RelabelRule } from './relabel-rule.ts';
import { keepsSampleType } from './sample-type-relabel.ts';

type Labels = Readonly<Record<string, string>>;

function labelsOf(labels: Labels) {
  return Object.entries(labels).map(([name, value]) => ({ name, value }));
}

/** @returns undefined when the series is dropped */
function applied(labels: Labels, rules: readonly RelabelRule[]): Labels | undefined {
  const changed = relabel(labelsOf(labels), rules);
  return changed && Object.fromEntries(labelSet(changed).map(({ name, value }) => [name, value]));
}

function relabelled(labels: Labels, ...rules: readonly object[]): Labels | undefined {
  return applied(labels, parseRelabelRules(rules, 'rules'));
}

test('replace', () => {
  const labels = { a: 'foo', b: 'bar', c: 'baz' };
  const cases: readonly [rule: object, result: object][] = [
    [
      { source_labels: ['a'], regex: 'f(.*)', target_label: 'd', replacement: 'ch${1}-ch${1}' },
      { d: 'choo-choo' },
    ],
    [
      { source_labels: ['a', 'b'], regex: 'f(.*);(.*)r', target_label: 'a', replacement: 'b${1}${2}m' },
      { a: 'boobam' },
    ],
    [{ source_labels: ['a'], regex: 'o', target_label: 'd' }, {}],
    [{ target_label: 'd', replacement: 'always' }, { d: 'always' }],
    [{ source_labels: ['none'], target_label: 'a' }, { a: undefined }],
    [{ source_labels: ['a'], regex: '(f).*', target_label: '${1}_x', replacement: 'v' }, { f_x: 'v' }],
    [{ source_labels: ['a'], regex: '(x)?.*', target_label: '${1}', replacement: 'v' }, {}],
    [
      { source_labels: ['a'], regex: '(?P<all>.*)', target_label: 'd.e', replacement: '$all' },
      { 'd.e': 'foo' },
    ],
    [
      { source_labels: ['a', 'b'], separator: '', regex: 'foobar', target_label: 'd', replacement: '$0' },
      { d: 'foobar' },
    ],
  ];
  for (const [rule, change] of cases) {
    const expected = Object.entries({ ...labels, ...change }).filter(([, value]) => value !== undefined);
    assert.deepEqual(relabelled(labels, rule), Object.fromEntries(expected.sort()), JSON.stringify(rule));
  }
});

test('the other actions', () => {
  const labels = { a: 'foo', b: 'foo', __meta_x: '1', __meta_y: '2' };
  const rest = { __meta_x: '1', __meta_y: '2' };
  assert.deepEqual(relabelled(labels, { action: 'keep', source_labels: ['a'], regex: 'foo|bar' }), labels);
  assert.equal(relabelled(labels, { action: 'keep', source_labels: ['a'], regex: 'fo' }), undefined);
  assert.equal(
    relabelled(labels, { action: 'drop', source_labels: ['a', 'b'], regex: 'foo;foo' }),
    undefined,
  );
  assert.deepEqual(relabelled(labels, { action: 'DROP', source_labels: ['c'], regex: '.+' }), labels);
  assert.deepEqual(
    relabelled(labels, { action: 'keepequal', source_labels: ['a'], target_label: 'b' }),
    labels,
  );
  assert.equal(
    relabelled(labels, { action: 'keepequal', source_labels: ['a'], target_label: 'c' }),
    undefined,
  );
  assert.equal(
    relabelled(labels, { action: 'dropequal', source_labels: ['a'], target_label: 'b' }),
    undefined,
  );
  assert.deepEqual(
    relabelled(labels, { action: 'dropequal', source_labels: ['a'], target_label: 'c' }),
    labels,
  );
  assert.deepEqual(relabelled(labels, { action: 'labelmap', regex: '__meta_(.*)' }), {
    ...labels,
    x: '1',
    y: '2',
  });
  assert.deepEqual(relabelled(labels, { action: 'labelmap', regex: '__meta_.*', replacement: 'm' }), {
    ...labels,
    m: '2',
  });
  assert.deepEqual(relabelled(labels, { action: 'labeldrop', regex: '__meta_.*' }), { a: 'foo', b: 'foo' });
  assert.deepEqual(relabelled(labels, { action: 'labelkeep', regex: '__meta_.*' }), rest);
  assert.deepEqual(
    relabelled({ a: 'Grün ß' }, { action: 'uppercase', source_labels: ['a'], target_label: 'a' }),
    {
      a: 'GRÜN ß',
    },
  );
  assert.deepEqual(
    relabelled({ a: 'GRÜN' }, { action: 'lowercase', source_labels: ['a', 'b'], target_label: 'b' }),
    {
      a: 'GRÜN',
      b: 'grün;',
    },
  );
  // The figures of Prometheus' own documentation and tests.
  assert.deepEqual(
    relabelled({ c: 'baz' }, { action: 'hashmod', source_labels: ['c'], modulus: 1000, target_label: 'd' }),
    { c: 'baz', d: '976' },
  );
  assert.deepEqual(
    relabelled(
      { a: 'foo\nbar' },
      { action: 'hashmod', source_labels: ['a'], modulus: 1000, target_label: 'b' },
    ),
    { a: 'foo\nbar', b: '734' },
  );
});

test('rules see what the ones before made, and stop at a drop', () => {
  assert.deepEqual(
    relabelled(
      { a: '1' },
      { source_labels: ['a'], target_label: 'b', replacement: 'x$1' },
      { source_labels: ['b'], target_label: 'c' },
    ),
    { a: '1', b: 'x1', c: 'x1' },
  );
  assert.equal(
    relabelled({ a: '1' }, { action: 'drop', regex: '' }, { target_label: 'b', replacement: '1' }),
    undefined,
  );
});

test('the built-in rules make delta profiles and wall profiles of CPU time what they are', () => {
  assert.deepEqual(applied({ __name__: 'godeltaprof_memory' }, DEFAULT_RELABEL_RULES), {
    __delta__: 'false',
    __name__: 'memory',
    __name_replaced__: 'godeltaprof_memory',
  });
  assert.deepEqual(applied({ __name__: 'wall', __type__: 'cpu' }, DEFAULT_RELABEL_RULES), {
    __name__: 'process_cpu',
    __name_replaced__: 'wall',
    __type__: 'cpu',
  });
  const wall = { __name__: 'wall', __type__: 'wall' };
  assert.deepEqual(applied(wall, DEFAULT_RELABEL_RULES), wall);
});

test('where the built-in rules stand', () => {
  const relabelRules = parseRelabelRules(
    [{ action: 'drop', source_labels: ['__name__'], regex: 'memory' }],
    'r',
  );
  const dropped = (position: 'first' | 'last' | 'disabled') => {
    const limits = tenantLimits({ relabelRules, defaultRelabelRulesPosition: position });
    assert.equal(relabelRulesOf(limits), relabelRulesOf(limits), 'prepared once');
    return applied({ __name__: 'godeltaprof_memory' }, relabelRulesOf(limits)) === undefined;
  };
  assert.deepEqual([dropped('first'), dropped('last'), dropped('disabled')], [true, false, false]);
  assert.equal(relabelRulesOf(tenantLimits({})), DEFAULT_RELABEL_RULES);
  assert.deepEqual(relabelRulesOf(tenantLimits({ defaultRelabelRulesPosition: 'disabled' })), []);
});

test('sample types', () => {
  const rules = parseRelabelRules(
    [{ action: 'drop', source_labels: ['__type__', 'service_name'], regex: 'alloc_.*;web' }],
    'r',
    ['keep', 'drop'],
  );
  const keeps = (type: string, service: string) =>
    keepsSampleType({ type, unit: 'bytes' }, labelsOf({ service_name: service, __type__: 'none' }), rules);
  assert.equal(keeps('alloc_space', 'web'), false);
  assert.equal(keeps('alloc_space', 'db'), true);
  assert.equal(keeps('inuse_space', 'web'), true);
});

test('a rule that makes no sense is refused with its place', () => {
  const cases: readonly [rules: unknown, message: RegExp][] = [
    ['a', /^r: expected a list, got "a"$/],
    [[1], /^r\[0\]: expected a mapping of names to values, got 1$/],
    [[{}], /^r\[0\]: .*replace action requires 'target_label'/],
    [[{ targt_label: 'a' }], /unknown key r\[0\]\.targt_label; did you mean r\[0\]\.target_label\?/],
    [[{ action: 'explode' }], /^r\[0\]\.action: expected one of replace, .*, got "explode"$/],
    [[{ action: 'hashmod', target_label: 'a' }], /hashmod requires non-zero modulus/],
    [
      [{ action: 'hashmod', target_label: 'a', modulus: -1 }],
      /modulus: expected an integer from 0 on, got -1/,
    ],
    [[{ action: 'drop', regex: '(' }], /^r\[0\]: regular expression "\(": missing \)/],
    [
      [{ action: 'labeldrop', regex: 'a', source_labels: ['a'] }],
      /'source_labels' can not be set for labeldrop/,
    ],
    [[{ action: 'keepequal', target_label: 'a', regex: 'b' }], /'regex' can not be set for keepequal/],
    [
      [{ action: 'lowercase', target_label: 'a', replacement: 'b' }],
      /'replacement' can not be set for lowercase/,
    ],
    [[{ action: 'labelmap', replacement: '' }], /invalid 'replacement' for labelmap/],
    [[{ action: 'drop', source_labels: 'a' }], /source_labels: expected a list, got "a"/],
    [[{ action: 'drop', source_labels: [''] }], /expected a list of label names/],
    [Array(MAX_RELABEL_RULES + 1).fill({}), /501 items, at most 500/],
  ];
  for (const [rules, message] of cases) {
    assert.throws(
      () => parseRelabelRules(rules, 'r'),
      { code: 'invalid_argument', message },
      JSON.stringify(rules),
    );
  }
  const full = Array(MAX_RELABEL_RULES).fill({ action: 'drop', regex: 'a' });
  assert.equal(parseRelabelRules(full, 'r').length, MAX_RELABEL_RULES);
  assert.throws(() => parseRelabelRules([{ target_label: 'a' }], 'r', ['keep', 'drop']), {
    message: 'r[0].action: expected one of keep, drop, got "replace"',
  });
});

const name = fc.constantFrom('a', 'b', 'service_name', '__type__');
const labelsArbitrary = fc.dictionary(name, fc.constantFrom('', 'a', 'b', 'ab', 'AB'));
const ruleArbitrary = fc.record(
  {
    action: fc.constantFrom(...RELABEL_ACTIONS),
    source_labels: fc.array(name, { maxLength: 2 }),
    separator: fc.constantFrom(';', ''),
    regex: fc.constantFrom('(.*)', 'a', '(a)|b', '[ab]+;?', ''),
    modulus: fc.constantFrom(1, 8),
    target_label: fc.constantFrom('a', 'x', '$1', '${1}y'),
    replacement: fc.constantFrom('', '$1', 'v', '$0!'),
  },
  { requiredKeys: ['action'] },
);

function isValid(rule: object): boolean {
  try {
    parseRelabelRules([rule], 'r');
    return true;
  } catch {
    return false;
  }
}

test('any rules leave a series of distinct names with values, and survive being written and read again', () => {
  fc.assert(
    fc.property(
      labelsArbitrary,
      fc.array(ruleArbitrary, { maxLength: 4 }).map((rules) => rules.filter(isValid)),
      (labels, content) => {
        const rules = parseRelabelRules(content, 'r');
        const changed = relabel(labelsOf(labels), rules);
        if (changed !== undefined) {
          assert.equal(new Set(changed.map(({ name }) => name)).size, changed.length);
          assert.ok(changed.every(({ name, value }) => name !== '' && value !== ''));
        }
        assert.deepEqual(parseRelabelRules(formatRelabelRules(rules), 'r'), rules);
      },
    ),
    { numRuns: 500 },
  );
});
