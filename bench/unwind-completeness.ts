// SPDX-License-Identifier: Apache-2.0
//
// The share of samples whose stack reaches the thread's start, over the programs of test/testprogs in all their variants.
//
//   HEARTHSCOPE_BENCH_SECONDS=2 (of CPU, for each program and variant)

import { ProgramBuilder } from '../test/harness/program-builder.ts';
import { KNOWN_PROGRAMS } from '../test/testprogs/catalog.ts';
import { variantsOf } from '../test/testprogs/variants.ts';
import { type ProgramStacks, samplePrograms } from '../test/unwind/sampled-programs.ts';
import { printTable } from './harness/statistics.ts';

const seconds = Number(process.env.HEARTHSCOPE_BENCH_SECONDS ?? 2);
const frequencyHz = 99;

const builder = new ProgramBuilder();
try {
  const chosen = KNOWN_PROGRAMS.flatMap((program) =>
    variantsOf(program).map((variant) => ({ program, variant })),
  ).filter(({ variant }) => builder.hasCompiler(variant.compiler));
  const built = await Promise.all(chosen.map(({ program, variant }) => builder.build(program, variant)));
  const results = await samplePrograms(built, { frequencyHz, seconds });
  const described = results.filter(({ built: { variant } }) => variant.withoutUnwindTables !== true);
  const others = results.filter(({ built: { variant } }) => variant.withoutUnwindTables === true);
  const share = (part: number, whole: number) =>
    whole === 0 ? '' : `${((100 * part) / whole).toFixed(2)} %`;
  const row = (name: string, list: readonly ProgramStacks[]) => {
    const sum = (of: (stacks: ProgramStacks) => number) =>
      list.reduce((total, stacks) => total + of(stacks), 0);
    const samples = sum((stacks) => stacks.samples);
    return [
      name,
      `${list.length}`,
      `${samples}`,
      share(
        sum((stacks) => stacks.complete),
        samples,
      ),
      share(
        sum((stacks) => stacks.right),
        samples,
      ),
      `${sum((stacks) => stacks.withoutStack)}`,
    ];
  };
  printTable(
    `Stacks of programs with known calls, ${frequencyHz} Hz, ${seconds} s of CPU each (target: 99.5 % complete)`,
    ['program', 'variants', 'samples', 'complete', 'along known calls', 'user stack gone'],
    [
      ...KNOWN_PROGRAMS.map(({ name }) =>
        row(
          name,
          described.filter(({ built }) => built.program.name === name),
        ),
      ),
      row('all', described),
      row('all, where libc has no unwind tables (musl)', others),
    ],
  );
} finally {
  builder.remove();
}
