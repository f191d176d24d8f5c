// SPDX-License-Identifier: Apache-2.0
//
// The programs of test/testprogs, sampled by a real session: their stacks reach the thread's start, along the calls that
// they are known to make. Each program in a few variants here; in all of them in `npm run test:full`.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type BuiltProgram, ProgramBuilder } from '../harness/program-builder.ts';
import { agentCannotRun } from '../harness/programs.ts';
import { KNOWN_PROGRAMS } from '../testprogs/catalog.ts';
import { type Variant, variantsOf } from '../testprogs/variants.ts';
import { type ProgramStacks, samplePrograms, unseenChains } from './sampled-programs.ts';

const isFull = process.env.HEARTHSCOPE_TEST_FULL === '1';
const FREQUENCY_HZ = 199;
const SECONDS = 1;
/** Of all samples together. */
const RIGHT_SHARE = 0.995;
/** Of one program: a single sample of its first or last moments is more than half a percent. */
const RIGHT_SHARE_OF_PROGRAM = 0.95;
/** Fewer say nothing about which chains there are. */
const MIN_SAMPLES = 50;
const MISSED_CHAINS_SHARE = 0.1;

/** All variants, or the plain one and another that is a different one for each program. */
function chosenVariants(variants: readonly Variant[], number: number): readonly Variant[] {
  if (isFull || variants.length <= 2) return variants;
  const plain = variants.find(({ name }) => name.endsWith(' -O2')) ?? variants[0]!;
  const others = variants.filter((variant) => variant !== plain && variant.withoutUnwindTables !== true);
  return [plain, others[(number * 3) % others.length]!];
}

describe('stacks of programs with known calls', { skip: agentCannotRun(), timeout: 1_500_000 }, () => {
  const builder = new ProgramBuilder();
  const left: string[] = [];
  let results: ProgramStacks[] = [];

  before(async () => {
    const programs = KNOWN_PROGRAMS.flatMap((program, number) =>
      chosenVariants(variantsOf(program), number).map((variant) => ({ program, variant })),
    );
    const built: Promise<BuiltProgram>[] = [];
    for (const { program, variant } of programs) {
      if (builder.hasCompiler(variant.compiler)) built.push(builder.build(program, variant));
      else left.push(`${program.name}, ${variant.name}`);
    }
    results = await samplePrograms(await Promise.all(built), { frequencyHz: FREQUENCY_HZ, seconds: SECONDS });
  });
  after(() => builder.remove());

  it('has every compiler', (test) => {
    if (left.length > 0) test.skip(`SKIPPED, for want of a compiler: ${left.join('; ')}`);
  });

  it('are right, program by program', (test) => {
    for (const stacks of results) test.diagnostic(describeStacks(stacks));
    for (const stacks of results) {
      const name = nameOf(stacks);
      assert.equal(stacks.failure, undefined, name);
      assert(stacks.samples > 0, `${name}: no samples`);
      if (stacks.built.variant.withoutUnwindTables === true) continue;
      if (stacks.samples < MIN_SAMPLES) continue;
      assert(stacks.right >= stacks.samples * RIGHT_SHARE_OF_PROGRAM, describeStacks(stacks));
    }
  });

  // Some calls take so little time that a few hundred samples may miss one of them; most are met each time.
  it('show nearly all of the known chains', (test) => {
    let known = 0;
    const never: string[] = [];
    for (const [program, variants] of Map.groupBy(results, ({ built }) => built.program.name)) {
      if (variants.every(({ samples }) => samples < MIN_SAMPLES)) continue;
      const unseen = variants.map((stacks) => new Set(unseenChains(stacks)));
      known += variants[0]!.built.program.chains.length;
      for (const chain of unseen[0]!) {
        if (unseen.every((chains) => chains.has(chain))) never.push(`${program}: ${chain}`);
      }
    }
    test.diagnostic(`${never.length} of ${known} chains were not met: ${never.join('; ')}`);
    assert(known > 0 && never.length <= known * MISSED_CHAINS_SHARE, never.join('; '));
  });

  it('are right, all together', (test) => {
    const described = results.filter(({ built }) => built.variant.withoutUnwindTables !== true);
    const samples = described.reduce((sum, stacks) => sum + stacks.samples, 0);
    const complete = described.reduce((sum, stacks) => sum + stacks.complete, 0);
    const right = described.reduce((sum, stacks) => sum + stacks.right, 0);
    const figures = `of ${samples} stacks ${percent(complete, samples)} are complete and ${percent(right, samples)} right`;
    test.diagnostic(figures);
    assert(right >= samples * RIGHT_SHARE, figures);
  });
});

function nameOf({ built }: ProgramStacks): string {
  return `${built.program.name}, ${built.variant.name}`;
}

function describeStacks(stacks: ProgramStacks): string {
  const { samples, complete, right, problems, examples } = stacks;
  const worst = [...problems]
    .sort(([, left], [, right]) => right - left)
    .slice(0, 3)
    .map(([problem, count]) => `\n    ${count} × ${problem}\n        ${examples.get(problem)}`);
  return `${nameOf(stacks)}: ${samples} samples, ${percent(complete, samples)} complete, ${percent(right, samples)} right${worst.join('')}`;
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(2)} %`;
}
