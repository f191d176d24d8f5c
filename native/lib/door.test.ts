// SPDX-License-Identifier: Apache-2.0
//
// The door without the addon, and what needs no sampling.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { defaultRingBytes, libbpfVersion, loadError, probeFeatures, trimMemory } from './index.ts';
import { cannotSample } from './testing/workload.ts';

const sources = fileURLToPath(new URL('.', import.meta.url));

test('importing the door without an addon works, and starting says what to do', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hearthscope-door-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const name of ['index.ts', 'native-error.ts', 'unwind-columns.ts']) {
    copyFileSync(join(sources, name), join(folder, 'lib', name));
  }
  const door = (await import(
    pathToFileURL(join(folder, 'lib/index.ts')).href
  )) as typeof import('./index.ts');
  assert.match(door.loadError()!, /hearthscope\.node/);
  const options = { frequencyHz: 19, excludeSelf: true, onProcessEvents: () => {} };
  assert.throws(() => door.Sampler.start(options), { name: 'NativeError', message: /npm run bootstrap/ });
  assert.throws(() => door.probeFeatures(), { name: 'NativeError' });
});

test('the default ring holds four drain intervals of deep samples', () => {
  assert.equal(defaultRingBytes(2, 19, 250), 256 * 1024);
  assert.equal(defaultRingBytes(128, 19, 250), 4 * 1024 * 1024);
  assert.equal(defaultRingBytes(256, 999, 250), 64 * 1024 * 1024);
});

test('features are probed, with what is lost without each', { skip: cannotSample() }, () => {
  assert.match(libbpfVersion(), /^v\d+\.\d+/);
  const probes = probeFeatures();
  assert.deepEqual(
    probes.filter((probe) => probe.required && !probe.available),
    [],
  );
  assert.equal(new Set(probes.map((probe) => probe.name)).size, probes.length);
  for (const probe of probes) assert.ok(probe.detail.length > 0 && probe.lostWithout.length > 0);
});

const withoutAddon = loadError() !== null && `NOT TESTED: ${loadError()}`;

test('trimming gives memory back, and code and data stay usable', { skip: withoutAddon }, () => {
  const before = residentFileKibibytes();
  trimMemory();
  assert.ok(residentFileKibibytes() < before / 2);
  assert.equal(defaultRingBytes(2, 19, 250), 256 * 1024);
  assert.match(libbpfVersion(), /^v\d+\.\d+/);
});

/** Program code and libraries, the larger part of a young process. */
function residentFileKibibytes(): number {
  return Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]);
}
