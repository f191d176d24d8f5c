// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Mapping, MappingSet } from '../discovery/mapping-set.ts';
import { BinaryNamesCache } from './binary-names.ts';
import { type FrameLine, nameLine } from './frame.ts';

function mappingOf(path: string): Mapping {
  const region = { start: 0x1000, limit: 0x9000, fileOffset: 0x1000, device: 'fd:00', inode: 7, path };
  return MappingSet.of([region]).find(0x1000)!;
}

const chain: readonly FrameLine[] = [nameLine('inlined'), nameLine('inlined'), nameLine('outer')];

describe('BinaryNamesCache', () => {
  it('shares the names of one build among processes, and its strings among frames', () => {
    const cache = new BinaryNamesCache();
    const [one, two] = [mappingOf('/lib/a'), mappingOf('/lib/a')];
    const names = cache.bind(one.file, 'ab01');
    names.add(one, 0x1234, 0x401234n, chain);
    assert.equal(cache.bind(two.file, 'ab01'), names);
    const frame = two.file.names!.get(0x1234)!;
    assert.deepEqual(frame.lines, chain);
    assert.deepEqual([frame.address, frame.mapping.start], [0x401234n, 0x401000n]);
    assert.equal(cache.frames, 1);
  });

  it('counts what frames cost by their functions, and forgets the binary not used for longest', () => {
    const cache = new BinaryNamesCache(10);
    const [old, recent] = [mappingOf('/lib/old'), mappingOf('/lib/recent')];
    const oldNames = cache.bind(old.file, 'ab01');
    oldNames.add(old, 1, 1n, chain);
    oldNames.add(old, 1, 1n, chain);
    const recentNames = cache.bind(recent.file, 'ab02');
    recentNames.lastUsedInBatch = 1;
    recentNames.add(recent, 1, 1n, chain);
    assert.deepEqual([oldNames.weight, recentNames.weight, cache.trim()], [4, 4, 0]);
    recentNames.add(recent, 2, 2n, [nameLine('f')]);
    assert.equal(cache.trim(), 0, 'just within the limit');
    recentNames.add(recent, 3, 3n, []);
    assert.equal(cache.trim(), 1);
    assert.deepEqual([oldNames.size, recentNames.size, cache.binaries], [0, 3, 1]);
  });

  it('forgets what has become better', () => {
    const cache = new BinaryNamesCache();
    const [a, b] = [mappingOf('/lib/a'), mappingOf('/lib/b')];
    cache.bind(a.file, 'ab01').add(a, 1, 1n, chain);
    cache.bind(b.file, 'ab02').add(b, 1, 1n, chain);
    cache.forgetBuilds(['ab02', 'ab03']);
    assert.equal(a.file.names!.size, 1);
    assert.equal(b.file.names!.size, 0, 'the process that has it mapped asks again');
  });
});
