// SPDX-License-Identifier: Apache-2.0
//
// How many frames of sampled stacks are those that gdb finds in the same thread at the same moment, over programs of all
// kinds.
//
//   HEARTHSCOPE_BENCH_STACKS=2500

import { rmSync } from 'node:fs';
import { ProgramBuilder } from '../test/harness/program-builder.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { KNOWN_PROGRAMS } from '../test/testprogs/catalog.ts';
import { variantsOf } from '../test/testprogs/variants.ts';
import { compareWithGdb, type Target, totalAgreement } from '../test/unwind/agreement.ts';
import { systemTargets, targetOf } from '../test/unwind/targets.ts';
import { printTable } from './harness/statistics.ts';

const wantedStacks = Number(process.env.HEARTHSCOPE_BENCH_STACKS ?? 2500);
/** gdb cannot follow a call of C to the system stack and back; there is hardly a moment outside of system calls; too short. */
const withoutGdb = new Set([
  'syscalls',
  'go_cgo',
  'processes',
  'recursion_9',
  'recursion_29',
  'recursion_59',
]);

const directory = temporaryDirectory('bench');
const builder = new ProgramBuilder();
try {
  const targets: Target[] = systemTargets(directory);
  // Each program with another compiler or other flags than the one before.
  for (const [i, program] of KNOWN_PROGRAMS.entries()) {
    if (withoutGdb.has(program.name)) continue;
    const variants = variantsOf(program).filter(({ compiler }) => builder.hasCompiler(compiler));
    const chosen = new Set([
      variants.find(({ name }) => name.endsWith('-O2')),
      variants[(i * 5) % variants.length],
    ]);
    for (const variant of chosen) {
      if (variant !== undefined) targets.push(targetOf(await builder.build(program, variant)));
    }
  }
  const agreements = await compareWithGdb(
    targets,
    Math.ceil((1.3 * wantedStacks) / targets.length),
    (done) => {
      console.error(`${done.target.name}: ${done.stacks} stacks`);
      for (const text of done.differences) console.error(text);
    },
  );
  printTable(
    'Frames of sampled stacks that are those of gdb at the same moment',
    [
      'program',
      'stacks',
      'equal stacks',
      'frames',
      'equal frames',
      'incomplete',
      'gdb gave up',
      'generated code',
      'unseen',
    ],
    agreements.map((a) => [
      a.target.name,
      `${a.stacks}`,
      `${a.equalStacks}`,
      `${a.frames}`,
      `${((100 * a.equalFrames) / a.frames).toFixed(2)} %`,
      [...a.incomplete].map(([reason, count]) => `${reason} ${count}`).join(', '),
      `${a.gdbGaveUp}`,
      `${a.generatedCode}`,
      `${a.unseen}`,
    ]),
  );
  const total = totalAgreement(agreements);
  printTable(
    'All together',
    ['figure', 'value', 'target'],
    [
      ['stacks', `${total.stacks}`, '2000'],
      ['equal stacks', `${(100 * total.equalStacks).toFixed(2)} %`, ''],
      ['frames', `${total.frames}`, ''],
      ['equal frames', `${(100 * total.equalFrames).toFixed(3)} %`, '99.9 %'],
    ],
  );
} finally {
  builder.remove();
  rmSync(directory, { recursive: true, force: true });
}
