// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Label } from '@hearthscope/profile/labels';
import { checkLabels, type LabelRules, storedLabels } from './series-labels.ts';

const RULES: LabelRules = {
  maxLabelNamesPerSeries: 30,
  maxLabelNameLength: 1024,
  maxLabelValueLength: 2048,
  sanitizeLabelNames: false,
};

function labels(pairs: Readonly<Record<string, string>>): Label[] {
  return Object.entries({ service_name: 'shop', ...pairs }).map(([name, value]) => ({ name, value }));
}

/** Reason and message, or the names that are left. */
function check(
  given: readonly Label[],
  rules: Partial<LabelRules> = {},
  profileName = 'process_cpu',
): string[] {
  const checked = checkLabels(given, profileName, { ...RULES, ...rules });
  return 'reason' in checked ? [checked.reason, checked.message] : checked.labels.map(({ name }) => name);
}

test('labels are returned in the order of their names', () => {
  assert.deepEqual(check(labels({ b: '1', a: '2' })), ['a', 'b', 'service_name']);
});

test('what is missing or no name is refused', () => {
  const text = `{service_name="shop"}`;
  const invalid = (error: string, all = text) => `invalid labels '${all}' with error: ${error}`;
  assert.deepEqual(check([]), ['missing_labels', 'error at least one label pair is required per profile']);
  assert.deepEqual(check(labels({}), {}, ''), ['invalid_labels', invalid('invalid metric name')]);
  assert.deepEqual(check(labels({}), {}, 'a:b'), ['invalid_labels', invalid("metric name contains ':'")]);
  assert.deepEqual(check([{ name: 'a', value: 'b' }]), [
    'missing_labels',
    invalid('service name is not provided', '{a="b"}'),
  ]);
  assert.deepEqual(check(labels({ '': 'x' })), [
    'invalid_labels',
    invalid("invalid label name ''", `{="x", service_name="shop"}`),
  ]);
  assert.equal(check(labels({ 'a\ud800': 'x' }))[0], 'invalid_labels');
  assert.match(check(labels({ a: '\ud800' }))[1]!, /invalid label value/);
});

test('the number of labels, at its edge', () => {
  const three = labels({ a: '1', b: '2' });
  assert.equal(check(three, { maxLabelNamesPerSeries: 4 }).length, 3);
  assert.equal(check(three, { maxLabelNamesPerSeries: 3 }).length, 3);
  assert.deepEqual(check(three, { maxLabelNamesPerSeries: 2 }), [
    'max_label_names_per_series',
    `profile series '{a="1", b="2", service_name="shop"}' has 3 label names; limit 2`,
  ]);
});

test('the length of names and values is that of their UTF-8, at its edge', () => {
  for (const name of ['abcdefghijklmn', 'ééééééé']) {
    const given = labels({ [name]: 'x' });
    for (const maxLabelNameLength of [15, 14]) assert.equal(check(given, { maxLabelNameLength }).length, 2);
    assert.equal(check(given, { maxLabelNameLength: 13 })[0], 'label_name_too_long');
  }
  for (const value of ['abcdef', 'ééé', '日本']) {
    const given = labels({ a: value });
    for (const maxLabelValueLength of [7, 6]) assert.equal(check(given, { maxLabelValueLength }).length, 2);
    assert.deepEqual(check(given, { maxLabelValueLength: 5 }), [
      'label_value_too_long',
      `profile with labels '{a="${value}", service_name="shop"}' has label value too long: '${value}'`,
    ]);
  }
});

test('a name that is there twice is refused', () => {
  assert.deepEqual(check([...labels({ a: '1' }), { name: 'a', value: '1' }]), [
    'duplicate_label_names',
    `profile with labels '{a="1", a="1", service_name="shop"}' has duplicate label name: 'a'`,
  ]);
});

test('sanitising turns dots into underscores and refuses what is then no name', () => {
  const rules = { sanitizeLabelNames: true };
  assert.deepEqual(check(labels({ 'a.b.c': '1', _x: '2' }), rules), ['_x', 'a_b_c', 'service_name']);
  for (const name of ['a-b', '1a', 'é', 'a b']) {
    assert.match(check(labels({ [name]: 'x' }), rules)[1]!, /invalid label name/, name);
    assert.equal(check(labels({ [name]: 'x' })).length, 2, name);
  }
  assert.deepEqual(check(labels({ 'a.b': '1', a_b: '1' }), rules), ['a_b', 'service_name']);
  assert.equal(check(labels({ 'a.b.c': '1', 'a_b.c': '2' }), rules)[0], 'duplicate_label_names');
});

test('labels of the type cannot be set by a client', () => {
  const stored = storedLabels(
    {
      name: 'process_cpu',
      sampleType: { type: 'cpu', unit: 'nanoseconds' },
      periodType: { type: '', unit: '' },
    },
    labels({ __type__: 'mine', __service_name__: 'mine', __profile_type__: 'mine' }),
  );
  assert.deepEqual(Object.fromEntries(stored.map(({ name, value }) => [name, value])), {
    __name__: 'process_cpu',
    __profile_type__: 'process_cpu:cpu:nanoseconds::',
    __service_name__: 'shop',
    __type__: 'cpu',
    __unit__: 'nanoseconds',
    service_name: 'shop',
  });
});
