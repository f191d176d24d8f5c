// SPDX-License-Identifier: Apache-2.0
//
// What the agent costs on a busy machine, beside `perf record -F 19 -a -g` under the same load in the same run. Load: one
// busy loop per CPU. Windows of both alternate, so that a drift of the machine's speed hits both.
//
//   HEARTHSCOPE_BENCH_WINDOWS=5 HEARTHSCOPE_BENCH_SECONDS=30   PERF=/usr/bin/perf (unset: looked up on PATH)

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startHearthscope } from '../test/harness/hearthscope.ts';
import { compileProgram } from '../test/harness/programs.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { bpfRun, residentMegabytes, threadCpuSeconds, withBpfStatistics } from './harness/process-cost.ts';
import { median, printTable, spread } from './harness/statistics.ts';

const windows = Number(process.env.HEARTHSCOPE_BENCH_WINDOWS ?? 5);
const seconds = Number(process.env.HEARTHSCOPE_BENCH_SECONDS ?? 30);
const warmUpSeconds = 45;
const frequency = 19;

interface Cost {
  readonly userPercent: number;
  readonly bpfPercent: number;
  readonly bpfMicrosPerSample: number;
  readonly megabytes: number;
}

async function agentWindow(pid: number): Promise<Cost> {
  const before = { cpu: threadCpuSeconds(pid), bpf: bpfRun(pid) };
  await sleep(seconds * 1000);
  const bpf = bpfRun(pid);
  return {
    userPercent: (100 * (threadCpuSeconds(pid) - before.cpu)) / seconds,
    bpfPercent: (100 * (bpf.seconds - before.bpf.seconds)) / seconds,
    bpfMicrosPerSample: ((bpf.seconds - before.bpf.seconds) / (bpf.runs - before.bpf.runs)) * 1e6,
    megabytes: residentMegabytes(pid),
  };
}

interface PerfCost {
  readonly percent: number;
  readonly megabytes: number;
  readonly fileMegabytes: number;
}

async function perfWindow(perf: string, directory: string): Promise<PerfCost> {
  const file = join(directory, 'perf.data');
  const child = spawn(perf, ['record', '-F', String(frequency), '-a', '-g', '-o', file], { stdio: 'ignore' });
  await sleep(2000); // Its start-up is not what is compared.
  const before = threadCpuSeconds(child.pid!);
  await sleep(seconds * 1000);
  const percent = (100 * (threadCpuSeconds(child.pid!) - before)) / seconds;
  const megabytes = residentMegabytes(child.pid!);
  child.kill('SIGINT');
  await once(child, 'exit');
  return { percent, megabytes, fileMegabytes: statSync(file).size / 1e6 };
}

const perf = process.env.PERF ?? (spawnSync('perf', ['--version']).status === 0 ? 'perf' : undefined);
const directory = temporaryDirectory('bench');
const load: ChildProcess[] = [];
const port = await freePort();
const server = startHearthscope([
  'server',
  '--host=127.0.0.1',
  `--http-port=${port}`,
  `--data-dir=${join(directory, 'data')}`,
]);
const agentPort = await freePort();
const agent = startHearthscope([
  'agent',
  `--endpoint=http://127.0.0.1:${port}`,
  '--protocol=http',
  `--metrics-port=${agentPort}`,
]);
try {
  const program = compileProgram(directory, 'split');
  for (let cpu = 0; cpu < availableParallelism(); cpu++)
    load.push(spawn(program, ['100000'], { stdio: 'ignore' }));
  await sleep(warmUpSeconds * 1000);

  const costs: Cost[] = [];
  const perfCosts: PerfCost[] = [];
  await withBpfStatistics(async () => {
    for (let window = 0; window < windows; window++) {
      costs.push(await agentWindow(agent.pid));
      if (perf !== undefined) perfCosts.push(await perfWindow(perf, directory));
      console.error(`window ${window + 1} of ${windows} done`);
    }
  });

  const totals = costs.map(({ userPercent, bpfPercent }) => userPercent + bpfPercent);
  printTable(
    `Agent at ${frequency} Hz, ${load.length} busy CPUs, ${windows} windows of ${seconds} s, median (min to max)`,
    ['figure', 'value', 'target'],
    [
      [
        'agent, user space, % of one core',
        spread(
          costs.map((c) => c.userPercent),
          3,
        ),
        '',
      ],
      [
        'BPF programs, % of one core',
        spread(
          costs.map((c) => c.bpfPercent),
          3,
        ),
        '',
      ],
      ['both, % of one core', spread(totals, 3), '0.5'],
      [
        'BPF, µs per run',
        spread(
          costs.map((c) => c.bpfMicrosPerSample),
          1,
        ),
        '',
      ],
      [
        'agent RSS, MB',
        spread(
          costs.map((c) => c.megabytes),
          1,
        ),
        '120',
      ],
    ],
  );
  if (perf === undefined) console.log('\nno peer: perf is not on this machine (set PERF to its path)');
  else {
    const peer = median(perfCosts.map((c) => c.percent));
    printTable(
      `perf record -F ${frequency} -a -g in the same run (its sampling interrupts are not in its own account)`,
      ['figure', 'value'],
      [
        [
          'perf, user and system, % of one core',
          spread(
            perfCosts.map((c) => c.percent),
            3,
          ),
        ],
        [
          'perf RSS, MB',
          spread(
            perfCosts.map((c) => c.megabytes),
            1,
          ),
        ],
        [
          'perf.data, MB',
          spread(
            perfCosts.map((c) => c.fileMegabytes),
            2,
          ),
        ],
        ['agent with BPF / perf', (median(totals) / peer).toFixed(2)],
      ],
    );
  }
} finally {
  for (const child of load) child.kill('SIGKILL');
  await agent.stop();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
