// SPDX-License-Identifier: Apache-2.0
//
// A compile storm: `make` over thousands of tiny files, each a gcc, a cc1 and an as that live for some ten milliseconds. How
// many samples have a complete user stack in which each frame is attributed to a binary and an offset, and has a name
// wherever a symbol of that very binary covers the offset (by readelf)?
//
//   HEARTHSCOPE_BENCH_FILES=2000   HEARTHSCOPE_BENCH_SECONDS=60 (at most)

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from '@hearthscope/agent/build/frame';
import { AgentMetrics } from '@hearthscope/agent/metrics';
import { SamplingSession } from '@hearthscope/agent/session';
import { STOP_REASONS } from '@hearthscope/native';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { isUserStackGone } from '../test/unwind/sampled-programs.ts';
import { FileSymbols } from './harness/file-symbols.ts';
import { printTable } from './harness/statistics.ts';

const files = Number(process.env.HEARTHSCOPE_BENCH_FILES ?? 2000);
const seconds = Number(process.env.HEARTHSCOPE_BENCH_SECONDS ?? 60);
const frequencyHz = 99;
const collectMillis = 1000;
const shownProblems = 12;

/** Samples by what is true of them. */
const counts = { all: 0, stackGone: 0, complete: 0, attributed: 0, good: 0 };
const problems = new Map<string, number>();
const processes = new Set<string>();
const symbols = new Map<string, FileSymbols>();

function isNamed({ lines, mapping }: Frame): boolean {
  const name = lines.at(-1)?.name ?? '';
  return name !== '' && !name.startsWith(`${basename(mapping.filename)}+0x`);
}

/** The frame has a name, or its own binary has none for it. */
function isNamedAsFarAsKnown(frame: Frame): boolean {
  if (isNamed(frame)) return true;
  const path = frame.mapping.filename;
  let known = symbols.get(path);
  if (known === undefined) {
    known = new FileSymbols([path]);
    symbols.set(path, known);
  }
  return !known.covers(Number(frame.address));
}

function note(problem: string, samples: number): void {
  problems.set(problem, (problems.get(problem) ?? 0) + samples);
}

function judge(user: readonly Frame[], stopReason: string, samples: number): void {
  const outermost = user.at(-1);
  const where = outermost === undefined ? '' : ` after ${basename(outermost.mapping.filename)}`;
  const isComplete = stopReason === 'end_of_stack';
  if (isComplete) counts.complete += samples;
  else note(`${stopReason}${where}`, samples);
  const strange = user.find(
    ({ mapping }) => !mapping.filename.startsWith('/') && mapping.filename !== '[vdso]',
  );
  if (strange === undefined) counts.attributed += samples;
  else if (isComplete) note(`a frame in ${strange.mapping.filename}`, samples);
  const nameless = user.find((frame) => frame !== strange && !isNamedAsFarAsKnown(frame));
  if (nameless !== undefined)
    note(`no name in ${basename(nameless.mapping.filename)}, which has one`, samples);
  if (isComplete && strange === undefined && nameless === undefined) counts.good += samples;
}

const directory = temporaryDirectory('bench');
for (let i = 0; i < files; i++) {
  writeFileSync(
    join(directory, `f${i}.c`),
    `#include <stddef.h>\nsize_t f${i}(size_t a) { size_t s = ${i}; for (size_t i = 0; i < a; i++) s += i * s; return s; }\n`,
  );
}
writeFileSync(
  join(directory, 'Makefile'),
  `objects := $(patsubst %.c,%.o,$(wildcard *.c))\nall: $(objects)\n%.o: %.c\n\tcc -O1 -c -o $@ $<\n`,
);
const logger = pino({ level: 'silent' });
const registry = new Registry();
const session = await SamplingSession.start({
  frequencyHz,
  excludeSelf: true,
  follow: [{ pid: process.pid, sampleItself: false }],
  serviceRules: [],
  symbolCacheBytes: 24 << 20,
  symbolizeTimeoutMillis: 60_000,
  metrics: new AgentMetrics(registry, logger),
  logger,
  registry,
});
async function collect(): Promise<void> {
  const { batch, frames } = await session.collect();
  for (let row = 0; row < batch.length; row++) {
    if (batch.kernelThread[row] === 1) continue;
    const start = batch.frameStart[row]! + batch.kernelFrameCount[row]!;
    const samples = batch.count[row]!;
    counts.all += samples;
    processes.add(`${batch.pid[row]} ${batch.startTimeNanos[row]}`);
    if (isUserStackGone(batch.stopReason[row]!, frames.slice(batch.frameStart[row], start))) {
      counts.stackGone += samples;
    } else {
      judge(frames.slice(start, batch.frameStart[row + 1]), STOP_REASONS[batch.stopReason[row]!]!, samples);
    }
  }
}
try {
  const make = spawn('make', ['-s', `-j${availableParallelism()}`], { cwd: directory, stdio: 'ignore' });
  const ended = once(make, 'exit');
  const deadline = performance.now() + seconds * 1000;
  while (make.exitCode === null && make.signalCode === null) {
    await sleep(collectMillis);
    await collect();
    if (performance.now() > deadline) make.kill('SIGTERM');
  }
  await ended;
  session.stopSampling();
  await collect();
  await collect();
} finally {
  await session.stop();
  rmSync(directory, { recursive: true, force: true });
}

const withStack = counts.all - counts.stackGone;
const share = (part: number, whole: number) => `${((100 * part) / whole).toFixed(2)} %`;
printTable(
  `make -j${availableParallelism()} over ${files} files, ${frequencyHz} Hz: ${processes.size} processes with samples`,
  ['figure', 'samples', 'share', 'target'],
  [
    ['all', `${counts.all}`, '', ''],
    [
      'in exit or exec, the user stack is gone',
      `${counts.stackGone}`,
      share(counts.stackGone, counts.all),
      '',
    ],
    ['with a user stack', `${withStack}`, '100 %', ''],
    ['of these, complete', `${counts.complete}`, share(counts.complete, withStack), ''],
    ['of these, each frame in a binary', `${counts.attributed}`, share(counts.attributed, withStack), ''],
    [
      'of these, all of that, and named where the binary has a name',
      `${counts.good}`,
      share(counts.good, withStack),
      '97 %',
    ],
  ],
);
printTable(
  'What was wrong with the others',
  ['problem', 'samples'],
  [...problems]
    .sort(([, left], [, right]) => right - left)
    .slice(0, shownProblems)
    .map(([problem, samples]) => [problem, `${samples}`]),
);
