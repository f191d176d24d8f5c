// SPDX-License-Identifier: Apache-2.0
//
// Runs test programs under a real sampling session, two at a time, and keeps for each what its samples look like.

import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import type { Frame } from '@hearthscope/agent/build/frame';
import { AgentMetrics } from '@hearthscope/agent/metrics';
import { SamplingSession } from '@hearthscope/agent/session';
import { STOP_REASONS } from '@hearthscope/native';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { BuiltProgram } from '../harness/program-builder.ts';
import { missingChains, type NamedFrame, StackJudge } from './known-stack.ts';

/** As a recording does. */
const COLLECT_INTERVAL_MILLIS = 1000;
const END_OF_STACK = STOP_REASONS.indexOf('end_of_stack');
const NO_USER_STACK = STOP_REASONS.indexOf('no_user_stack');
const USER_STACK_ENDS = new Set(['begin_new_exec', 'do_exit']);

/** The function that the code was compiled for; those inlined into it are left out. */
export function namedFrame({ lines, mapping }: Frame): NamedFrame {
  return { name: lines.at(-1)?.systemName ?? '', file: mapping.filename };
}

/**
 * The memory of the process has been given up already: it exits, or has begun to run another program.
 *
 * @param kernel frames, in any order
 */
export function isUserStackGone(stopReason: number, kernel: readonly Frame[]): boolean {
  if (stopReason === NO_USER_STACK) return true;
  return (
    stopReason !== END_OF_STACK && kernel.some(({ lines }) => USER_STACK_ENDS.has(lines.at(-1)?.name ?? ''))
  );
}

export interface RunOptions {
  readonly frequencyHz: number;
  /** CPU time of each program. */
  readonly seconds: number;
}

export interface ProgramStacks {
  readonly built: BuiltProgram;
  /** With a user stack. */
  samples: number;
  /** In the kernel, on the way out of the process or of the program before an exec, when the user stack is gone. */
  withoutStack: number;
  /** Reached the end of the stack. */
  complete: number;
  /** Complete, and along calls that the program makes. */
  right: number;
  /** Samples by what is wrong with them. */
  readonly problems: Map<string, number>;
  /** One stack as text for each problem. */
  readonly examples: Map<string, string>;
  /** The chains that were seen, by their text. */
  readonly chains: Map<string, readonly string[]>;
  failure: string | undefined;
}

const execFileAsync = promisify(execFile);

/** Chains of the program that must be there and were not seen. */
export function unseenChains(stacks: ProgramStacks): string[] {
  return missingChains(stacks.built.program, stacks.chains.values());
}

export async function samplePrograms(
  programs: readonly BuiltProgram[],
  options: RunOptions,
): Promise<ProgramStacks[]> {
  const results = programs.map(
    (built): ProgramStacks => ({
      built,
      samples: 0,
      withoutStack: 0,
      complete: 0,
      right: 0,
      problems: new Map(),
      examples: new Map(),
      chains: new Map(),
      failure: undefined,
    }),
  );
  const byPath = new Map(
    results.map((stacks) => [stacks.built.path, { stacks, judge: new StackJudge(stacks.built) }]),
  );
  const logger = pino({ level: 'silent' });
  const registry = new Registry();
  const session = await SamplingSession.start({
    frequencyHz: options.frequencyHz,
    excludeSelf: true,
    follow: [{ pid: process.pid, sampleItself: false }],
    serviceRules: [],
    symbolCacheBytes: 64 << 20,
    symbolizeTimeoutMillis: 60_000,
    metrics: new AgentMetrics(registry, logger),
    logger,
    registry,
  });
  const collect = async () => {
    const { batch, frames, images } = await session.collect();
    for (let row = 0; row < batch.length; row++) {
      const known = byPath.get(images[row]!.exe);
      if (known === undefined) continue;
      const start = batch.frameStart[row]! + batch.kernelFrameCount[row]!;
      if (isUserStackGone(batch.stopReason[row]!, frames.slice(batch.frameStart[row], start))) {
        known.stacks.withoutStack += batch.count[row]!;
        continue;
      }
      const user = frames.slice(start, batch.frameStart[row + 1]!).map(namedFrame);
      count(known.stacks, known.judge, user, batch.stopReason[row]!, batch.count[row]!);
    }
  };
  try {
    let running = true;
    const collecting = (async () => {
      while (running) {
        await new Promise((resolve) => setTimeout(resolve, COLLECT_INTERVAL_MILLIS));
        await collect();
      }
    })();
    const queue = [...results];
    const lanes = Array.from({ length: availableParallelism() }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift())
        await run(next, options.seconds);
    });
    try {
      await Promise.all(lanes);
    } finally {
      running = false;
      await collecting;
    }
    session.stopSampling();
    await collect();
  } finally {
    await session.stop();
  }
  return results;
}

async function run(stacks: ProgramStacks, seconds: number): Promise<void> {
  const { path, program } = stacks.built;
  try {
    await execFileAsync(path, [`${seconds}`, ...stacks.built.arguments], {
      env: { ...process.env, ...program.environment },
    });
  } catch (error) {
    stacks.failure = String(error);
  }
}

function count(
  stacks: ProgramStacks,
  judge: StackJudge,
  user: readonly NamedFrame[],
  stopReason: number,
  samples: number,
): void {
  const verdict = judge.judge(user, stopReason === END_OF_STACK);
  stacks.samples += samples;
  if (verdict.kind !== 'incomplete') stacks.complete += samples;
  if (verdict.kind === 'right') {
    stacks.right += samples;
    stacks.chains.set(verdict.chain.join(' '), verdict.chain);
    return;
  }
  const problem =
    verdict.kind === 'incomplete' ? `${STOP_REASONS[stopReason]}: ${verdict.problem}` : verdict.problem;
  stacks.problems.set(problem, (stacks.problems.get(problem) ?? 0) + samples);
  if (!stacks.examples.has(problem)) {
    stacks.examples.set(
      problem,
      user.map(({ name, file }) => `${name} (${file.slice(file.lastIndexOf('/') + 1)})`).join(' < '),
    );
  }
}
