// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { degreeOfChange, formatChange, formatPoints, shareOf } from './change.ts';
import { changeColour } from './change-palette.ts';

const share = fc.double({ min: 0, max: 1, noNaN: true });

test('the degree is the same in both directions and never beyond 1', () => {
  fc.assert(
    fc.property(share, share, (left, right) => {
      const degree = degreeOfChange({ left, right });
      assert.ok(degree >= -1 && degree <= 1);
      assert.equal(degree + degreeOfChange({ left: right, right: left }), 0);
    }),
  );
  assert.equal(degreeOfChange({ left: 0, right: 0.2 }), 1);
  assert.equal(degreeOfChange({ left: 0.2, right: 0 }), -1);
  assert.equal(degreeOfChange({ left: 0.1, right: 0.2 }), 0.5);
  assert.equal(degreeOfChange({ left: 0, right: 0 }), 0);
});

test('changes are said as people say them', () => {
  const cases: [number, number, string, string][] = [
    [0.1, 0.1, 'no change', '0 pp'],
    [0, 0, '–', '0 pp'],
    [0, 0.1, 'new', '+10.0 pp'],
    [0.1, 0, 'gone', '−10.0 pp'],
    [0.1, 0.125, '+25 %', '+2.50 pp'],
    [0.1, 0.0601, '−40 %', '−3.99 pp'],
    [0.1, 0.1031, '+3.1 %', '+0.31 pp'],
    [0.1, 0.10001, 'no change', '0 pp'],
    [0.01, 0.2, '×20', '+19.0 pp'],
    [1e-9, 0.5, '×1 M+', '+50.0 pp'],
  ];
  for (const [left, right, change, points] of cases) {
    assert.equal(formatChange({ left, right }), change);
    assert.equal(formatPoints({ left, right }), points);
  }
});

test('a share of nothing is nothing', () => {
  assert.equal(shareOf(5, 0), 0);
  assert.equal(shareOf(5, 20), 0.25);
});

test('less is blue, more is orange, and the stronger change is the further from the ground', () => {
  const parse = (colour: string) => colour.match(/[\d.]+/g)!.map(Number) as [number, number, number];
  for (const scheme of ['light', 'dark'] as const) {
    const [neutral] = parse(changeColour(0, scheme));
    for (const [sign, hue] of [
      [-1, 250],
      [1, 58],
    ] as const) {
      const distances = [0.2, 0.5, 1].map((degree) => {
        const [lightness, , ownHue] = parse(changeColour(sign * degree, scheme));
        assert.equal(ownHue, hue);
        return Math.abs(lightness - neutral);
      });
      assert.deepEqual(
        distances,
        distances.toSorted((a, b) => a - b),
      );
    }
  }
  assert.equal(changeColour(-3, 'light'), changeColour(-1, 'light'));
});
