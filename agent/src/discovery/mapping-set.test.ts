// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MappingSet } from './mapping-set.ts';
import type { MappedRegion } from './procfs.ts';

function region(start: number, limit: number, path = '/lib/a.so', inode = 1): MappedRegion {
  return { start, limit, fileOffset: 0, device: 'fe:00', inode, path };
}

describe('MappingSet', () => {
  it('finds the mapping of each address, and none between', () => {
    const set = MappingSet.of([region(0x1000, 0x2000), region(0x3000, 0x4000)]);
    assert.equal(set.find(0xfff), undefined);
    assert.equal(set.find(0x1000)?.start, 0x1000);
    assert.equal(set.find(0x1fff)?.start, 0x1000);
    assert.equal(set.find(0x2000), undefined);
    assert.equal(set.find(0x3fff)?.start, 0x3000);
    assert.equal(set.find(0x4000), undefined);
    assert.equal(MappingSet.EMPTY.find(0), undefined);
  });

  it('agrees with a linear search', () => {
    const cuts = fc.uniqueArray(fc.nat(1000), { maxLength: 40 }).map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(cuts, fc.nat(1000), (ends, address) => {
        const regions: MappedRegion[] = [];
        for (let i = 0; i + 1 < ends.length; i += 2) regions.push(region(ends[i]!, ends[i + 1]!));
        const expected = regions.find(({ start, limit }) => start <= address && address < limit);
        assert.equal(MappingSet.of(regions).find(address)?.start, expected?.start);
      }),
    );
  });

  it('shares one file between its regions', () => {
    const set = MappingSet.of([
      region(0x1000, 0x2000),
      region(0x3000, 0x4000),
      region(0x5000, 0x6000, '/b', 2),
    ]);
    assert.equal(set.find(0x1000)!.file, set.find(0x3000)!.file);
    assert.notEqual(set.find(0x1000)!.file, set.find(0x5000)!.file);
  });

  it('hands files over to the set that replaces it', () => {
    const former = MappingSet.of([region(0x1000, 0x2000)]);
    const set = MappingSet.of([region(0x9000, 0xa000), region(0x1000, 0x2000)], former);
    assert.equal(set.find(0x1000)!.file, former.find(0x1000)!.file);
    assert.equal(set.find(0x9000)!.file, former.find(0x1000)!.file);
  });

  it('keeps what was unmapped, where nothing else is now', () => {
    const former = MappingSet.of([
      region(0x1000, 0x2000, '/gone', 7),
      region(0x3000, 0x5000, '/replaced', 8),
    ]);
    const set = MappingSet.of([region(0x4000, 0x6000, '/new', 9)], former);
    assert.equal(set.find(0x1800)?.file.path, '/gone');
    assert.equal(set.find(0x3800), undefined);
    assert.equal(set.find(0x4800)?.file.path, '/new');
  });
});
