// SPDX-License-Identifier: Apache-2.0
//
// Frame by frame, sampled stacks are what gdb finds at the same moment. A few programs here; `npm run test:full` and
// `npm run bench -- unwind-agreement` compare thousands of stacks of many more.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { ProgramBuilder } from '../harness/program-builder.ts';
import { agentCannotRun } from '../harness/programs.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';
import { KNOWN_PROGRAMS } from '../testprogs/catalog.ts';
import { VARIANTS } from '../testprogs/variants.ts';
import { compareWithGdb, type Target, totalAgreement } from './agreement.ts';
import { gdbMissing } from './gdb-stops.ts';
import { systemTargets, targetOf } from './targets.ts';

const isFull = process.env.HEARTHSCOPE_TEST_FULL === '1';
const STOPS = isFull ? 150 : 25;
const EQUAL_FRAMES = 0.999;

const PROGRAMS: readonly (readonly [program: string, variant: string])[] = [
  ['callbacks', 'gcc -O2'],
  ['signals', 'clang-19 -O2'],
  ['frames', 'gcc realigned'],
  ...(isFull
    ? ([
        ['recursion_300', 'gcc .debug_frame'],
        ['library_calls_unbound', 'gcc lazy binding'],
        ['syscalls', 'gcc static-pie'],
        ['exceptions', 'g++ -O2'],
        ['standard_library', 'clang++-19 -O3'],
        ['rust_known', 'rustc 3'],
        ['go_known', 'go'],
      ] as const)
    : []),
];

describe('stacks beside those of gdb', { skip: agentCannotRun() || gdbMissing(), timeout: 1_200_000 }, () => {
  const directory = temporaryDirectory('gdb');
  const builder = new ProgramBuilder();
  const targets: Target[] = [];
  before(async () => {
    for (const [name, variantName] of PROGRAMS) {
      const variant = VARIANTS.find((known) => known.name === variantName)!;
      if (!builder.hasCompiler(variant.compiler)) continue;
      targets.push(
        targetOf(await builder.build(KNOWN_PROGRAMS.find((known) => known.name === name)!, variant)),
      );
    }
    if (isFull) targets.push(...systemTargets(directory));
  });
  after(() => {
    builder.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  it('have the same frames', async (test) => {
    const agreements = await compareWithGdb(targets, STOPS, ({ target, ...counts }) => {
      test.diagnostic(
        `${target.name}: ${counts.equalStacks} of ${counts.stacks} stacks and ${counts.equalFrames} of ${counts.frames} frames are equal, ${counts.unseen} unseen`,
      );
    });
    for (const { target, stacks } of agreements) assert(stacks > 0, `${target.name}: nothing to compare`);
    const total = totalAgreement(agreements);
    assert(
      total.equalFrames >= EQUAL_FRAMES,
      `${(100 * total.equalFrames).toFixed(2)} % of ${total.frames} frames are equal\n${agreements.flatMap(({ target, differences }) => differences.map((text) => `${target.name}\n${text}`)).join('\n')}`,
    );
  });
});
