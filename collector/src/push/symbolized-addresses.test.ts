// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { withoutNamedAddresses } from './symbolized-addresses.ts';

test('addresses go where all locations of a binary have names, and stay where one has none', () => {
  const builder = new ProfileBuilder({
    timeUnixNanos: 0n,
    durationNanos: 0n,
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: { type: '', unit: '' },
    period: 0n,
  });
  const binary = (filename: string) =>
    builder.mapping({ start: 4096n, limit: 8192n, fileOffset: 16n, filename, buildId: filename });
  const [named, partly] = [binary('named'), binary('partly')];
  const lines = [{ function: builder.function({ name: 'f' }) }];
  const locations = [
    builder.location({ mapping: named, address: 5000n, lines }),
    builder.location({ mapping: partly, address: 5001n, lines }),
    builder.location({ mapping: partly, address: 5002n, lines: [] }),
    builder.location({ mapping: 0, address: 5003n, lines }),
  ];
  builder.addSample(builder.stack(locations), [1n]);
  const profile = withoutNamedAddresses(builder.build());
  assert.deepEqual([...profile.locations.address], [0n, 5001n, 5002n, 5003n]);
  assert.deepEqual([...profile.mappings.start], [0n, 0n, 4096n]);
  assert.deepEqual([...profile.mappings.limit], [0n, 0n, 8192n]);
  assert.deepEqual([...profile.mappings.fileOffset], [0n, 0n, 16n]);
  assert.deepEqual(
    Array.from(profile.mappings.buildId, (index) => profile.strings[index]),
    ['', 'named', 'partly'],
  );
});
