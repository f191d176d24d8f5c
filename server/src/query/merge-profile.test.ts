// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { DEFAULT_DECODE_LIMITS } from '@hearthscope/profile/codecs/decode-limits';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { locationFrames } from '@hearthscope/profile/frame-name';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { HeadStore } from '../storage/testing/head-store.ts';
import { CPU_TYPE, seriesLabels } from '../storage/testing/stored-profile.ts';
import { StoreQuerier } from './querier.ts';
import type { MergeProfileRequest } from './requests.ts';
import { mergeRequest, NOW, type ProfileInput, querierOf, RANGE, TENANT } from './testing/query-fixture.ts';

const MEMORY_TYPE = 'memory:inuse_space:bytes:space:bytes';
const PROFILES: readonly ProfileInput[] = [
  ['main;work;hot 70\nmain;work 5\nmain;idle 20', { id: '1'.repeat(32) }],
  ['main;work;hot 30\nmain;cold 2', { service: 'db', id: '2'.repeat(32) }],
];

function decoded(bytes: Uint8Array): Profile {
  return decodePprof(bytes, DEFAULT_DECODE_LIMITS).profile;
}

/** `root;leaf value` of each sample, sorted. */
function collapsed(profile: Profile): string[] {
  const { names, start, frame } = locationFrames(profile);
  const { stacks, samples } = profile;
  return Array.from({ length: samples.length }, (_, row) => {
    const stack = samples.stack[row]!;
    const locations = stacks.location.subarray(stacks.locationStart[stack], stacks.locationStart[stack + 1]);
    const frames = [...locations].flatMap((location) => [
      ...frame.subarray(start[location], start[location + 1]),
    ]);
    return `${frames
      .reverse()
      .map((name) => names[name])
      .join(';')} ${samples.values[0]![row]}`;
  }).sort();
}

async function merged(request: Partial<MergeProfileRequest>): Promise<string[]> {
  const querier = await querierOf(PROFILES);
  return collapsed(decoded(await querier.mergeProfile([TENANT], { ...mergeRequest(), ...request })));
}

test('all samples are merged by stack, with the type, the period and the times that clients expect', async () => {
  const querier = await querierOf([...PROFILES, ['alloc 5', { type: MEMORY_TYPE }]]);
  const cpu = decoded(await querier.mergeProfile([TENANT], mergeRequest()));
  assert.deepEqual(collapsed(cpu), ['main;cold 2', 'main;idle 20', 'main;work 5', 'main;work;hot 100']);
  assert.deepEqual(cpu.sampleTypes, [{ type: 'cpu', unit: 'nanoseconds' }]);
  assert.deepEqual(cpu.periodType, { type: 'cpu', unit: 'nanoseconds' });
  assert.equal(cpu.period, 1_000_000_000n);
  assert.equal(cpu.timeUnixNanos, BigInt(NOW) * 1_000_000n);
  assert.equal(cpu.durationNanos, BigInt(RANGE.endMillis - RANGE.startMillis) * 1_000_000n);
  const memory = decoded(await querier.mergeProfile([TENANT], mergeRequest({ profileTypeId: MEMORY_TYPE })));
  assert.deepEqual([memory.period, memory.periodType.type], [524_288n, 'space']);
});

test('profiles, call sites and frames are selected', async () => {
  assert.deepEqual(await merged({ profileIds: [`${'2'.repeat(8)}-2222-2222-2222-${'2'.repeat(12)}`] }), [
    'main;cold 2',
    'main;work;hot 30',
  ]);
  assert.deepEqual(await merged({ callSite: ['main', 'work'] }), ['main;work 5', 'main;work;hot 100']);
  const filter = { includeNames: ['main'], excludeNames: ['work'], includeRegexes: [], excludeRegexes: [] };
  assert.deepEqual(await merged({ frameFilter: filter }), ['main;cold 2', 'main;idle 20']);
});

test('a profile is cut only when nodes are asked for, and nothing is lost then', async () => {
  assert.deepEqual(await merged({ maxNodes: 3 }), ['main;other 22', 'main;work 5', 'main;work;hot 100']);
  const limitsOf = () => tenantLimits({ maxNodesDefault: 3, maxNodesOnSelectMergeProfile: true });
  const querier = await querierOf(PROFILES, { limitsOf });
  assert.equal(collapsed(decoded(await querier.mergeProfile([TENANT], mergeRequest()))).length, 3);
  await assert.rejects(
    querier.mergeProfile([TENANT], mergeRequest({ maxNodes: 2_000_000 })),
    /max flamegraph nodes limit 2000000 is greater than allowed 1048576/,
  );
});

test('a profile for Go keeps what is next to the leaf, and takes precedence over the call site', async () => {
  const goPgo = { keepLocations: 2, aggregateCallees: false };
  assert.deepEqual(await merged({ goPgo, callSite: ['nowhere'] }), [
    'main;cold 2',
    'main;idle 20',
    'main;work 5',
    'work;hot 100',
  ]);
});

test('lines, files, addresses and build ids survive; lines of the leaf do not matter to Go', async () => {
  const buildId = '{"repository":"https://example.com/r","git_ref":"main","build_id":"abc"}';
  const builder = new ProfileBuilder({
    timeUnixNanos: 2_000_000_000n,
    durationNanos: 0n,
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 1n,
  });
  const mapping = builder.mapping({ start: 0n, limit: 0n, fileOffset: 0n, filename: '/bin/app', buildId });
  const work = builder.function({ name: 'work', systemName: '_work', filename: 'work.go', startLine: 5 });
  const inlined = builder.function({ name: 'inlined', filename: 'inlined.go' });
  const at = (line: number) =>
    builder.location({
      mapping,
      address: 0n,
      lines: [
        { function: inlined, line },
        { function: work, line: 9 },
      ],
    });
  const nameless = builder.location({ mapping, address: 0x1234n, lines: [] });
  builder.addSample(builder.stack([at(1), nameless]), [3n]);
  builder.addSample(builder.stack([at(2), nameless]), [4n]);
  const store = new HeadStore();
  await store.append(TENANT, [{ labels: seriesLabels('go', CPU_TYPE), profile: builder.build() }]);
  const querier = new StoreQuerier(store, { now: () => NOW });
  const whole = decoded(await querier.mergeProfile([TENANT], mergeRequest()));
  assert.equal(whole.samples.length, 2);
  const { strings, mappings, functions, locations } = whole;
  assert.deepEqual([strings[mappings.filename[1]!], strings[mappings.buildId[1]!]], ['/bin/app', buildId]);
  assert.deepEqual([...locations.lineNumber].sort(), [1, 2, 9, 9]);
  assert.ok([...locations.address].includes(0x1234n));
  const row = functions.name.findIndex((name) => strings[name] === 'work');
  assert.deepEqual(
    [strings[functions.systemName[row]!], strings[functions.filename[row]!], functions.startLine[row]],
    ['_work', 'work.go', 5],
  );
  const goPgo = { keepLocations: 5, aggregateCallees: true };
  const forGo = decoded(await querier.mergeProfile([TENANT], { ...mergeRequest(), goPgo }));
  assert.deepEqual([...forGo.samples.values[0]!], [7n]);
  assert.deepEqual([...forGo.locations.lineNumber].sort(), [0, 9]);
});
