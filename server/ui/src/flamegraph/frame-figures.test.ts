// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureOf } from '../units.ts';
import { layoutDiff } from './diff-layout.ts';
import { diffFigures, frameFigures } from './frame-figures.ts';
import { layoutFlameGraph } from './layout.ts';

const CPU = measureOf('process_cpu:cpu:nanoseconds:cpu:nanoseconds');
const SECOND = 1e9;

test('a frame has its figures, and what is no rate or of unknown duration has no average', () => {
  const layout = layoutFlameGraph({
    names: ['total', 'main'],
    levels: [{ values: [0, 10 * SECOND, 0, 0] }, { values: [0, 5 * SECOND, SECOND, 1] }],
  });
  const figures = frameFigures(layout, 1, CPU, 10_000);
  assert.equal(figures.columns, undefined);
  assert.deepEqual(figures.rows, [
    { title: 'Total', cells: ['5 s', '50.0 %'] },
    { title: 'Self', cells: ['1 s', '10.0 %'] },
    { title: 'Of parent', cells: ['', '50.0 %'] },
    { title: 'Average', cells: ['0.5 cores', ''] },
  ]);
  assert.equal(figures.spoken, 'main, total 5 s, 50.0 %, self 1 s');
  assert.deepEqual(
    frameFigures(layout, 0, CPU, undefined).rows.map(({ title }) => title),
    ['Total', 'Self'],
  );
});

test('a frame of a comparison has both sides in value and share', () => {
  const diff = layoutDiff({
    names: ['total', 'main'],
    levels: [
      { values: [0, 10 * SECOND, 0, 0, 4 * SECOND, 0, 0] },
      { values: [0, 5 * SECOND, 0, 0, 3 * SECOND, SECOND, 1] },
    ],
  });
  const figures = diffFigures(diff, 1, CPU);
  assert.deepEqual(figures.rows, [
    { title: 'Total', cells: ['5 s', '50.0 %', '3 s', '75.0 %', '+50 %'] },
    { title: 'Self', cells: ['0 ns', '0 %', '1 s', '25.0 %', 'new'] },
  ]);
  assert.deepEqual(figures.summary, ['+50 %', '+25.0 pp', '50.0 % → 75.0 %']);
  assert.match(figures.spoken, /^main, baseline 5 s, 50\.0 %, comparison 3 s, 75\.0 %, \+50 %/);
  assert.deepEqual(diffFigures(diff, 0, CPU).summary, ['10 s → 4 s']);
});
