// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { locationFrames } from '@hearthscope/profile/frame-name';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { stackSums } from '@hearthscope/profile/stack-tree';
import { finish } from '@hearthscope/profile/steps';
import { arbitraryProfile } from '@hearthscope/profile/testing/arbitrary-profile';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { AT_ONCE } from '../storage/testing/stored-profile.ts';
import type { AddressFrames } from './frame-cache.ts';
import { DEFAULT_NAMING_LIMITS, FrameNamer, type NamingLimits } from './frame-namer.ts';
import { namedProfile } from './named-profile.ts';
import { namelessLocations } from './nameless-locations.ts';
import type { SymbolFrames, SymbolMessage, SymbolQuestion } from './symbol-protocol.ts';

/** Somebody who names each address `f` and its hex digits, when told to. */
function startNamer(t: TestContext, limits: Partial<NamingLimits> = {}) {
  const { port1, port2 } = new MessageChannel();
  const registry = new Registry();
  const namer = new FrameNamer(port1, { ...DEFAULT_NAMING_LIMITS, ...limits }, registry);
  t.after(() => namer.close());
  const questions: SymbolQuestion[] = [];
  const state = { isAnswering: true };
  const answer = ({ id, addresses }: SymbolQuestion) =>
    port2.postMessage({
      kind: 'answer',
      id,
      answer: { frames: hexNames(addresses), failure: '', problems: {} },
    } satisfies SymbolMessage);
  port2.on('message', (question: SymbolQuestion) => {
    questions.push(question);
    if (state.isAnswering) answer(question);
  });
  const outcome = async (name: string) => {
    const { values } = await registry.getSingleMetric('hearthscope_symbolize_addresses_total')!.get();
    return values.find(({ labels }) => labels.outcome === name)?.value ?? 0;
  };
  return { namer, questions, state, outcome, answerAll: () => questions.forEach(answer), other: port2 };
}

function hexNames(addresses: BigUint64Array): SymbolFrames {
  const names = Array.from(addresses, (address) => `f${address.toString(16)}`);
  const zeroes = new Uint32Array(names.length);
  return {
    frameStart: Uint32Array.from({ length: names.length + 1 }, (_, i) => i),
    names,
    systemNames: names,
    files: names.map(() => ''),
    lines: zeroes,
    columns: zeroes,
    startLines: zeroes,
  };
}

/** A profile with one sample per address of one binary. */
function profileOf(addresses: readonly bigint[]): Profile {
  const builder = new ProfileBuilder({
    timeUnixNanos: 1n,
    durationNanos: 1n,
    sampleTypes: [{ type: 'cpu', unit: 'count' }],
    periodType: { type: 'cpu', unit: 'count' },
    period: 1n,
  });
  const mapping = builder.mapping({
    start: 0x1000n,
    limit: 0x10_0000n,
    fileOffset: 0n,
    filename: '/usr/bin/program',
    buildId: 'abcd',
  });
  for (const address of addresses) {
    builder.addSample(builder.stack([builder.location({ mapping, address, lines: [] })]), [1n]);
  }
  return builder.build();
}

function namesOf(profile: Profile): string[] {
  const { names, frame } = locationFrames(profile);
  return Array.from(frame, (index) => names[index]!);
}

test('an address is asked for once', async (t) => {
  const { namer, questions, outcome, other } = startNamer(t);
  const profile = profileOf([0x2000n, 0x3000n]);
  assert.deepEqual(namesOf(await namer.name('a', profile, AT_ONCE)), ['f2000', 'f3000']);
  assert.deepEqual(namesOf(await namer.name('a', profileOf([0x3000n, 0x4000n]), AT_ONCE)), [
    'f3000',
    'f4000',
  ]);
  assert.deepEqual(
    questions.map(({ addresses }) => Array.from(addresses)),
    [[0x2000n, 0x3000n], [0x4000n]],
  );
  assert.equal(await outcome('named'), 4);
  await namer.name('b', profile, AT_ONCE);
  assert.equal(questions.length, 3, 'another tenant knows nothing');
  other.postMessage({ kind: 'changed', tenant: 'a', buildId: 'abcd' } satisfies SymbolMessage);
  // There is something new to read, as soon as the message is there.
  while (questions.length === 3) {
    await new Promise(setImmediate);
    await namer.name('a', profile, AT_ONCE);
  }
});

test('a query does not wait for ever, and the next one has the names', async (t) => {
  const { namer, questions, state, outcome, answerAll } = startNamer(t, { maxWaitMillis: 1 });
  state.isAnswering = false;
  const profile = profileOf([0x2000n]);
  assert.deepEqual(namesOf(await namer.name('a', profile, AT_ONCE)), ['program+0x1000']);
  assert.equal(await outcome('late'), 1);
  while (questions.length === 0) await new Promise(setImmediate);
  answerAll();
  while (namesOf(await namer.name('a', profile, AT_ONCE))[0] !== 'f2000') await new Promise(setImmediate);
});

test('a query asks for no more than the limit', async (t) => {
  const { namer, outcome } = startNamer(t, { maxAddressesPerQuery: 2 });
  const profile = profileOf([0x2000n, 0x3000n, 0x4000n]);
  assert.deepEqual(namesOf(await namer.name('a', profile, AT_ONCE)), ['f2000', 'f3000', 'program+0x3000']);
  assert.equal(await outcome('too_many'), 1);
  assert.deepEqual(namesOf(await namer.name('a', profile, AT_ONCE)), ['f2000', 'f3000', 'f4000']);
});

test('who is gone leaves everything without names', async (t) => {
  const { namer, state, other, questions } = startNamer(t);
  state.isAnswering = false;
  const naming = namer.name('a', profileOf([0x2000n]), AT_ONCE);
  while (questions.length === 0) await new Promise(setImmediate);
  other.close();
  assert.deepEqual(namesOf(await naming), ['program+0x1000']);
});

test('names change nothing but names', () => {
  fc.assert(
    fc.property(arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }), (profile) => {
      const framesOf = new Map<number, AddressFrames>();
      const shown = { file: 'a.c', line: 3, column: 1, startLine: 2 };
      for (let location = 0; location < profile.locations.length; location += 2) {
        const { lineStart } = profile.locations;
        if (lineStart[location] !== lineStart[location + 1]) continue;
        framesOf.set(location, [
          { ...shown, name: 'inner', systemName: '_inner' },
          { ...shown, name: 'outer', systemName: '_outer' },
        ]);
      }
      const named = finish(namedProfile(profile, framesOf));
      assert.deepEqual(stackSums(named).value, stackSums(profile).value);
      const before = locationFrames(profile);
      const after = locationFrames(named);
      for (let location = 0; location < profile.locations.length; location++) {
        const names = ({ names, start, frame }: typeof before) =>
          Array.from(frame.subarray(start[location]!, start[location + 1]!), (index) => names[index]);
        assert.deepEqual(names(after), framesOf.has(location) ? ['inner', 'outer'] : names(before));
      }
    }),
  );
});

test('any profile can be searched for nameless locations', () => {
  fc.assert(
    fc.property(arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }), (profile) => {
      for (const { locationsByAddress } of finish(namelessLocations(profile))) {
        for (const [address, locations] of locationsByAddress) {
          assert.ok(address >= 0n && locations.length > 0);
          for (const location of locations) {
            assert.equal(profile.locations.lineStart[location], profile.locations.lineStart[location + 1]);
          }
        }
      }
    }),
  );
});
