// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anonymousFrame } from './frame.ts';

describe('anonymousFrame', () => {
  it('has one name for all addresses of a region, and keeps the address', () => {
    const frames = [anonymousFrame(0x7f00_0000_1000, ''), anonymousFrame(0x7f00_0000_2000, '')];
    assert.deepEqual(
      frames.map(({ lines, address }) => [lines[0]!.name, address]),
      [
        ['[anon]', 0x7f00_0000_1000n],
        ['[anon]', 0x7f00_0000_2000n],
      ],
    );
    assert.equal(anonymousFrame(0x1000, '[anon:v8]').lines[0]!.name, '[anon:v8]');
  });
});
