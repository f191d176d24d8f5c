// SPDX-License-Identifier: Apache-2.0
//
// A program that spends 70/20/10 % of its CPU time in three functions, sampled at 99 Hz for 30 s: how far off is what we show?

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startHearthscope } from '../test/harness/hearthscope.ts';
import { compileProgram } from '../test/harness/programs.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { printTable, spread } from './harness/statistics.ts';

const runs = Number(process.env.HEARTHSCOPE_BENCH_RUNS ?? 5);
const directory = temporaryDirectory('bench');
const shown: Record<string, number[]> = { spend_seventy: [], spend_twenty: [], spend_ten: [] };
const errors: number[] = [];
try {
  const program = compileProgram(directory, 'split');
  for (let run = 0; run < runs; run++) {
    const output = join(directory, `${run}.folded`);
    const record = startHearthscope([
      'record',
      '--frequency=99',
      '--duration=60s',
      `--output=${output}`,
      '--',
      program,
      '30',
    ]);
    const status = await record.exit;
    const truth = JSON.parse(record.output().match(/\{"spend_seventy".*\}/)?.[0] ?? 'null') as Record<
      string,
      number
    > | null;
    if (status !== 0 || truth === null) throw new Error(`record ended with ${status}:\n${record.output()}`);
    const counts = new Map<string, number>();
    let all = 0;
    for (const line of readFileSync(output, 'utf8').trim().split('\n')) {
      const count = Number(line.slice(line.lastIndexOf(' ')));
      all += count;
      for (const name of Object.keys(shown)) {
        if (line.includes(name)) counts.set(name, (counts.get(name) ?? 0) + count);
      }
    }
    const spent = Object.values(truth).reduce((sum, seconds) => sum + seconds, 0);
    let worst = 0;
    for (const [name, list] of Object.entries(shown)) {
      const percent = (100 * (counts.get(name) ?? 0)) / all;
      list.push(percent);
      worst = Math.max(worst, Math.abs(percent - (100 * truth[name]!) / spent));
    }
    errors.push(worst);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
printTable(
  `Shown share of a 70/20/10 program, 99 Hz, 30 s of CPU, ${runs} runs, median (min to max), %`,
  ['figure', 'value', 'target'],
  [
    ...Object.entries(shown).map(([name, list]) => [name, spread(list, 2), '']),
    ['largest error of the three, points', spread(errors, 2), '2'],
  ],
);
