// SPDX-License-Identifier: Apache-2.0
//
// Recordings of programs with known behaviour on the real kernel.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import type { Profile } from '@hearthscope/profile/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { startRecording } from './recording.ts';
import { type CompiledProgram, compileProgram, samplingUnavailable } from './testing/programs.ts';

const skip = samplingUnavailable();

interface Stack {
  /** Leaf first, with what was inlined. */
  readonly names: string[];
  readonly binaries: string[];
  readonly pid: number;
  readonly threadName: string;
  /** `native` when the sample was taken in user mode. */
  readonly leafType: string;
  readonly count: number;
}

function stacksOf(profile: Profile): Stack[] {
  const { samples, stacks, locations, functions, mappings, strings, attributeSets } = profile;
  return Array.from({ length: samples.length }, (_, sample) => {
    const stack = samples.stack[sample]!;
    const rows = stacks.location.subarray(stacks.locationStart[stack]!, stacks.locationStart[stack + 1]!);
    const set = samples.attributeSet[sample]!;
    const attributes = attributeSets.attribute.subarray(
      attributeSets.attributeStart[set]!,
      attributeSets.attributeStart[set + 1]!,
    );
    const attributeOf = (name: string) =>
      [...attributes].map((row) => profile.attributes[row]!).find(({ key }) => key === name)?.value;
    return {
      names: Array.from(rows).flatMap((row) => {
        const lines = locations.lineFunction.subarray(
          locations.lineStart[row]!,
          locations.lineStart[row + 1]!,
        );
        return Array.from(lines, (line) => strings[functions.name[line]!]!);
      }),
      binaries: Array.from(rows, (row) => strings[mappings.filename[locations.mapping[row]!]!]!),
      pid: Number(attributeOf('process.pid')),
      threadName: String(attributeOf('thread.name')),
      leafType: strings[locations.frameType[rows[0]!]!]!,
      count: Number(samples.values[0]![sample]!),
    };
  });
}

/** Samples in whose stack the function is. */
function totalOf(stacks: readonly Stack[], name: string): number {
  return stacks.filter(({ names }) => names.includes(name)).reduce((sum, { count }) => sum + count, 0);
}

async function record(command: string, args: string[], frequencyHz = 199): Promise<Profile> {
  const recording = await startRecording({
    frequencyHz,
    follow: [{ pid: process.pid, sampleItself: false }],
    symbolCacheBytes: 16 << 20,
    logger: pino({ level: 'silent' }),
    registry: new Registry(),
  });
  const child = spawn(command, args, { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  const { profile } = await recording.stop(); // before any assertion: a sampler left behind keeps its worker alive
  assert.equal(code, 0);
  return profile;
}

describe('startRecording', { skip, timeout: 300_000 }, () => {
  let split: CompiledProgram;
  before(async () => {
    split = await compileProgram('known-split');
  });
  after(() => split.remove());

  it('shows the split of a program that spends 70, 20 and 10 % in three functions', async () => {
    const profile = await record(split.path, ['6'], 499);
    const stacks = stacksOf(profile);
    const functions = { spin_seventy: 70, spin_twenty: 20, spin_ten: 10 };
    const sum = Object.keys(functions).reduce((total, name) => total + totalOf(stacks, name), 0);
    assert.ok(sum > 500, `${sum} samples`);
    for (const [name, percent] of Object.entries(functions)) {
      const measured = (100 * totalOf(stacks, name)) / sum;
      // Three standard deviations of a sample of this size, and the spinners' own granularity of 0.3 ms.
      const tolerance = 3 * Math.sqrt((percent * (100 - percent)) / sum) + 1.5;
      assert.ok(Math.abs(measured - percent) < tolerance, `${name}: ${measured} % of ${sum}`);
    }
    for (const { names } of stacks.filter((stack) => stack.names.includes('spin_twenty'))) {
      assert.ok(names.includes('main'), names.join(' < '));
    }
    assert.deepEqual(profile.sampleTypes, [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ]);
    assert.equal(profile.samples.values[1]![0], profile.samples.values[0]![0]! * profile.period);
    assert.ok(profile.durationNanos > 5_000_000_000n);
  });

  it('writes addresses that lie in their mapping, in coordinates of the file', async () => {
    const { locations, mappings, strings } = await record(split.path, ['0.5']);
    let checked = 0;
    for (let row = 0; row < locations.length; row++) {
      const mapping = locations.mapping[row]!;
      if (strings[mappings.filename[mapping]!] !== split.path) continue;
      assert.match(strings[mappings.buildId[mapping]!]!, /^[0-9a-f]{40}$/);
      assert.ok(mappings.start[mapping]! <= locations.address[row]!);
      assert.ok(locations.address[row]! < mappings.limit[mapping]!);
      assert.ok(mappings.limit[mapping]! < 0x10_0000n, 'not where the process has it');
      checked++;
    }
    assert.ok(checked > 0);
  });

  it('names the code of processes that live 50 ms', async () => {
    const stacks = stacksOf(
      await record('/bin/sh', ['-c', 'for i in $(seq 40); do "$0" 0.05; done', split.path], 199),
    );
    // By thread name and not by binary, so that a process whose mappings were missed counts as one without names. Only
    // its own code has frame pointers: a walk through the loader or libc may end anywhere.
    const ofProgram = stacks.filter(
      ({ threadName, leafType }) => threadName === 'known-split' && leafType === 'native',
    );
    assert.ok(new Set(ofProgram.map(({ pid }) => pid)).size >= 35);
    let user = 0;
    let named = 0;
    for (const { names, count } of ofProgram) {
      user += count;
      if (names[0] !== '[unknown]') named += count;
    }
    assert.ok(named / user >= 0.95, `${named} of ${user} samples`);
  });

  it('names the code of children that never exec', async () => {
    const stacks = stacksOf(await record(split.path, ['-n', '10', '0.1']));
    const pids = new Set(stacks.filter(({ names }) => names.includes('spin_seventy')).map(({ pid }) => pid));
    assert.ok(pids.size >= 9, `${pids.size} of 10 children`);
  });

  it('names a library that was loaded after the process was first seen', async () => {
    const [program, library] = await Promise.all([
      compileProgram('late-library'),
      compileProgram('library', ['-shared', '-fPIC']),
    ]);
    const stacks = stacksOf(await record(program.path, [library.path, '1']));
    assert.ok(totalOf(stacks, 'before_library') > 20);
    assert.ok(totalOf(stacks, 'spin_in_library') > 50);
    await Promise.all([program.remove(), library.remove()]);
  });
});
