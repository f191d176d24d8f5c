// SPDX-License-Identifier: Apache-2.0
//
// From `hearthscope up` on a prepared machine to the first flame graph with named user and kernel frames.

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, startHearthscope } from '../test/harness/hearthscope.ts';
import { compileProgram } from '../test/harness/programs.ts';
import { flameGraph } from '../test/harness/querier.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { printTable, spread } from './harness/statistics.ts';

const runs = Number(process.env.HEARTHSCOPE_BENCH_RUNS ?? 5);
const directory = temporaryDirectory('bench');
const load = spawn(compileProgram(directory, 'split'), ['100000'], { stdio: 'ignore' });
const kernelLoad = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1M'], { stdio: 'ignore' });
const toReady: number[] = [];
const toFlameGraph: number[] = [];
try {
  for (let run = 0; run < runs; run++) {
    const port = await freePort();
    const baseUrl = `http://127.0.0.1:${port}`;
    const started = performance.now();
    const up = startHearthscope(['up', `--http-port=${port}`, `--data-dir=${join(directory, String(run))}`]);
    await eventually('ready', 60_000, async () => ((await fetch(`${baseUrl}/ready`)).ok ? true : undefined));
    toReady.push((performance.now() - started) / 1000);
    await eventually('a flame graph with named frames', 60_000, async () => {
      const names = (await flameGraph(baseUrl, '{}')).map(({ name }) => name);
      return names.includes('spend_seventy') && names.some((name) => name.includes('read_zero'))
        ? true
        : undefined;
    });
    toFlameGraph.push((performance.now() - started) / 1000);
    await up.stop();
  }
} finally {
  load.kill('SIGKILL');
  kernelLoad.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
printTable(
  `Start on a prepared machine with both CPUs busy, ${runs} runs, median (min to max), seconds`,
  ['figure', 'value', 'target'],
  [
    ['hearthscope up to /ready', spread(toReady, 2), ''],
    ['hearthscope up to the first flame graph with named frames', spread(toFlameGraph, 2), '15'],
  ],
);
