// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BaselineTime, PREVIOUS, SAME_TIME } from './baseline.ts';
import { catalogueOf } from './catalogue.ts';
import { applyQuery, errorPosition, formatQuery, type QuerySelection } from './query-text.ts';
import { absoluteRange, lastMillis, shiftRange } from './time-range.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SPACE = 'memory:inuse_space:bytes:space:bytes';
const OTHER_CPU = 'cpu:cpu:nanoseconds:cpu:nanoseconds';
const DAY = 86_400_000;
const catalogue = catalogueOf([
  { service: 'web', profileTypeId: CPU },
  { service: 'shop', profileTypeId: SPACE },
]);
const types = catalogue.profileTypes('');
const page: QuerySelection = {
  service: 'web',
  filter: '',
  type: '',
  range: lastMillis(900_000),
  baseline: undefined,
};
const compared = (time: BaselineTime): QuerySelection => ({
  ...page,
  type: CPU,
  baseline: { service: 'shop', filter: 'a="b"', time },
});

test('a selection is a selector and its type, by a short name where that is clear', () => {
  assert.equal(formatQuery(page, CPU, types), '{service_name="web"}{type="cpu"}');
  assert.equal(formatQuery(page, OTHER_CPU, [CPU, OTHER_CPU]), `{service_name="web"}{type="${OTHER_CPU}"}`);
  assert.equal(formatQuery({ ...page, service: '', filter: 'a!="b"' }, '', types), '{a!="b"}');
});

test('of a comparison the baseline is first, and offsets count from the later side', () => {
  const text = (time: BaselineTime) => formatQuery(compared(time), CPU, types);
  const type = '{type="cpu"}';
  assert.equal(text(SAME_TIME), `{service_name="shop", a="b"}${type} vs {service_name="web"}${type}`);
  assert.match(text({ kind: 'shift', millis: 7 * DAY }), /^\{service_name="shop", a="b", offset=7d\}/);
  assert.match(text({ kind: 'shift', millis: -DAY }), / vs \{service_name="web", offset=1d\}/);
  assert.match(text(PREVIOUS), /offset=15m\}.* vs /);
});

test('a text is understood as the pickers would say it', () => {
  assert.deepEqual(applyQuery('{service="shop", region=~"eu.*"}{type="inuse_space"}', page, catalogue), {
    service: 'shop',
    filter: 'region=~"eu.*"',
    type: SPACE,
    range: page.range,
    baseline: undefined,
  });
  assert.deepEqual(applyQuery(`${CPU}{}`, page, catalogue).type, CPU);
  assert.deepEqual(applyQuery(`{__profile_type__="${SPACE}"}`, page, catalogue).type, SPACE);
  assert.deepEqual(applyQuery('{}', { ...page, type: SPACE }, catalogue).type, SPACE);
});

test('two selections make a comparison, each at its time', () => {
  const week = applyQuery('{service="web"} vs {service="web", offset=7d}', page, catalogue);
  assert.deepEqual(week.range, shiftRange(page.range, 7 * DAY));
  assert.deepEqual(week.baseline, {
    service: 'web',
    filter: '',
    time: { kind: 'shift', millis: -7 * DAY },
  });
  const before = applyQuery('{service="web", offset=1d} vs {service="shop"}', page, catalogue);
  assert.deepEqual(before.range, page.range);
  assert.equal(before.service, 'shop');
  assert.deepEqual(before.baseline?.time, { kind: 'shift', millis: DAY });
});

test('one selection ends a comparison', () => {
  assert.equal(applyQuery('{service="web"}', compared(PREVIOUS), catalogue).baseline, undefined);
});

test('applying the text of what is shown changes nothing', () => {
  const shift = fc
    .integer({ min: -1_000, max: 1_000 })
    .map((minutes): BaselineTime => ({ kind: 'shift', millis: minutes === 0 ? 0 : minutes * 60_000 }));
  const time = fc.oneof(
    fc.constantFrom<BaselineTime>(PREVIOUS, { kind: 'range', range: absoluteRange(DAY, 2 * DAY) }),
    shift,
  );
  fc.assert(
    fc.property(time, (baselineTime) => {
      const range = shiftRange(page.range, 1_000 * 60_000);
      const selection = { ...compared(baselineTime), range };
      assert.deepEqual(applyQuery(formatQuery(selection, CPU, types), selection, catalogue), selection);
    }),
  );
});

test('what is wrong is said, with its place where it is in the text', () => {
  const complaint = (text: string): string => {
    try {
      applyQuery(text, page, catalogue);
    } catch (error) {
      return (error as Error).message;
    }
    return assert.fail(`${text} should have been refused`);
  };
  assert.equal(errorPosition(complaint('{a="b"} against {}')), 8);
  assert.equal(errorPosition(complaint('')), 0);
  assert.match(complaint('{a b}'), /label selector: .*character 4/);
  assert.equal(errorPosition(complaint('{a b}')), undefined);
  assert.match(complaint('{}{type="heat"}'), /no profile type is called "heat": there are cpu, inuse_space/);
  assert.match(complaint(`${CPU}{} vs ${SPACE}{}`), /of one profile type/);
});
