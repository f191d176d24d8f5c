// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameCache } from './frame-cache.ts';
import type { SymbolFrames } from './symbol-protocol.ts';

function cacheOf(maxBytes = 1e6) {
  const state = { now: 1000, evictions: 0 };
  const cache = new FrameCache({
    maxBytes,
    now: () => state.now,
    onEviction: () => {
      state.evictions++;
    },
  });
  return { cache, state };
}

/** One frame for each name; '' for an address without. */
function answer(...names: string[]): SymbolFrames {
  const found = names.filter((name) => name !== '');
  const frameStart = [0];
  for (const name of names) frameStart.push(frameStart.at(-1)! + (name === '' ? 0 : 1));
  const zeroes = new Uint32Array(found.length);
  return {
    frameStart: Uint32Array.from(frameStart),
    names: found,
    systemNames: found,
    files: found.map(() => ''),
    lines: zeroes,
    columns: zeroes,
    startLines: zeroes,
  };
}

test('what was learned is known, also that there is no name, for this tenant, build id and kind alone', () => {
  const { cache } = cacheOf();
  const addresses = BigUint64Array.of(1n, 2n);
  cache.binary('a', 'aa', 'virtual').learn(addresses, answer('main', ''));
  const frames = cache.binary('a', 'aa', 'virtual');
  assert.equal(frames.get(1n)?.[0]?.name, 'main');
  assert.deepEqual(frames.get(2n), []);
  assert.equal(frames.get(3n), undefined);
  assert.equal(cache.binary('b', 'aa', 'virtual').get(1n), undefined);
  assert.equal(cache.binary('a', 'bb', 'virtual').get(1n), undefined);
  assert.equal(cache.binary('a', 'aa', 'file_offset').get(1n), undefined);
});

test('a build id that changed is unknown at once, and late answers about its old state are not found', () => {
  const { cache } = cacheOf();
  const old = cache.binary('a', 'aa', 'virtual');
  old.fail('no_debug_info');
  cache.forget('a', 'aa');
  assert.equal(cache.binary('a', 'aa', 'virtual').failure(), '');
  old.learn(BigUint64Array.of(1n), answer('old'));
  old.fail('timeout');
  assert.equal(cache.binary('a', 'aa', 'virtual').get(1n), undefined);
  assert.equal(cache.binary('a', 'aa', 'virtual').failure(), '');
});

test('a failure is remembered for its time', () => {
  const { cache, state } = cacheOf();
  cache.binary('a', 'aa', 'virtual').fail('no_debug_info');
  assert.equal(cache.binary('a', 'aa', 'virtual').failure(), 'no_debug_info');
  assert.equal(cache.binary('a', 'aa', 'file_offset').failure(), '');
  state.now += 60_000;
  assert.equal(cache.binary('a', 'aa', 'virtual').failure(), '');
});

test('memory stays below the limit, and what was used last stays', () => {
  const { cache, state } = cacheOf(10_000);
  const frames = cache.binary('a', 'aa', 'virtual');
  for (let address = 0n; address < 1000n; address++) {
    frames.learn(BigUint64Array.of(address), answer(`function_${address}`));
    assert.ok(frames.get(0n) !== undefined, 'it is asked for all the time');
    assert.ok(cache.bytes <= 10_000);
  }
  assert.equal(frames.get(1n), undefined);
  assert.equal(state.evictions, 1000 - cache.size);
});

test('made-up build ids do not add up', () => {
  const { cache, state } = cacheOf();
  for (let i = 0; i < 20_000; i++) cache.binary('a', i.toString(16), 'virtual').fail('no_debug_info');
  assert.equal(state.evictions, 20_000 - 16_384);
});
