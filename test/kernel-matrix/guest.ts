// SPDX-License-Identifier: Apache-2.0
//
// Runs inside of the virtual machine: loads the BPF programs as the agent does, samples test programs, and prints what
// came of it as one line of JSON, behind a mark that the host looks for.

import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { NativeError, Sampler } from '@hearthscope/native';
import type { BuiltProgram } from '../harness/program-builder.ts';
import { samplePrograms } from '../unwind/sampled-programs.ts';
import { GUEST_RESULT_MARK, type GuestProgram, type GuestResult } from './guest-result.ts';

const FREQUENCY_HZ = 99;
const SECONDS = 3;
const EARLY = /^(table_pending|stack_not_captured|process_unknown):/;

/** Instructions that the verifier walked through, by program. */
function verifiedInstructions(): Record<string, number> {
  const sampler = Sampler.start({ frequencyHz: FREQUENCY_HZ, excludeSelf: true, onProcessEvents: () => {} });
  try {
    return Object.fromEntries(
      Object.entries(sampler.programStats()).map(([name, stats]) => [name, stats.verifiedInstructions]),
    );
  } finally {
    sampler.stop();
  }
}

async function sampled(programs: readonly BuiltProgram[]): Promise<GuestProgram[]> {
  const stacks = await samplePrograms(programs, { frequencyHz: FREQUENCY_HZ, seconds: SECONDS });
  return stacks.map(({ built, samples, complete, right, problems, failure }) => ({
    name: `${built.program.name} (${built.variant.name})`,
    samples,
    complete,
    right,
    early: [...problems].reduce((sum, [problem, count]) => sum + (EARLY.test(problem) ? count : 0), 0),
    problems: [...problems].map(([problem, count]) => `${count} ${problem}`),
    failure,
  }));
}

async function result(): Promise<GuestResult> {
  const kernel = release();
  try {
    const instructions = verifiedInstructions();
    const programs = JSON.parse(readFileSync('/programs.json', 'utf8')) as BuiltProgram[];
    return { kernel, instructions, programs: await sampled(programs), error: undefined };
  } catch (error) {
    const log = error instanceof NativeError ? `\n${error.log}` : '';
    return {
      kernel,
      instructions: {},
      programs: [],
      error: `${error instanceof Error ? error.stack : error}${log}`,
    };
  }
}

console.log(`${GUEST_RESULT_MARK}${JSON.stringify(await result())}`);
