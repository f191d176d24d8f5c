// SPDX-License-Identifier: Apache-2.0
//
// What `hearthscope record` was asked to do, checked before anything is started.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '@hearthscope/profile/errors';
import { DURATION_EXPECTED, parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';
import { UsageError } from '../exit-codes.ts';

const DEFAULT_FREQUENCY_HZ = 99;
const MAX_FREQUENCY_HZ = 999;
const DEFAULT_DURATION_MILLIS = 10_000;
/** The longest delay of a timer. */
const MAX_DURATION_MILLIS = 2 ** 31 - 1;
const DEFAULT_OUTPUT = 'hearthscope.pb.gz';
const MAX_PIDS = 1000;

export type OutputFormat = 'pprof' | 'folded';

export interface RecordOptions {
  readonly pids: readonly number[];
  readonly all: boolean;
  /** The command and its arguments; empty when there is none. */
  readonly command: readonly string[];
  /** Undefined: until the command ends. */
  readonly durationMillis: number | undefined;
  readonly frequencyHz: number;
  readonly output: string;
  readonly format: OutputFormat;
}

/** @throws UsageError */
export function recordOptions(flags: Readonly<Record<string, unknown>>): RecordOptions {
  const command = ((flags['--'] as readonly unknown[] | undefined) ?? []).map(String);
  const pids = ((flags.pid as readonly string[] | undefined) ?? []).map(livingPid);
  const all = flags.all === true;
  if (pids.length > MAX_PIDS)
    throw new UsageError(`--pid: at most ${MAX_PIDS} processes, got ${pids.length}`);
  if (pids.length === 0 && !all && command.length === 0) {
    throw new UsageError('nothing to record: give --pid P, --all, or a command behind `--`');
  }
  if (all && pids.length > 0) throw new UsageError('--all and --pid exclude each other');
  const output = single(flags, 'output') ?? DEFAULT_OUTPUT;
  const format = formatOf(output);
  refuseUnwritable(output);
  return {
    pids,
    all,
    command,
    durationMillis: duration(single(flags, 'duration'), command.length > 0),
    frequencyHz: frequency(single(flags, 'frequency')),
    output,
    format,
  };
}

function single(flags: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = flags[name];
  if (Array.isArray(value)) throw new UsageError(`--${name} is given ${value.length} times`);
  return value as string | undefined;
}

function livingPid(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text))
    throw new UsageError(`--pid: expected a process id, got ${JSON.stringify(text)}`);
  if (!existsSync(`/proc/${text}`)) throw new UsageError(`--pid: there is no process ${text}`);
  return Number(text);
}

function duration(text: string | undefined, hasCommand: boolean): number | undefined {
  if (text === undefined) return hasCommand ? undefined : DEFAULT_DURATION_MILLIS;
  const millis = parseDurationMillis(text);
  if (millis === undefined || millis === 0 || millis > MAX_DURATION_MILLIS) {
    throw new UsageError(
      `--duration: expected ${DURATION_EXPECTED}, at most 24d, got ${JSON.stringify(text)}`,
    );
  }
  return millis;
}

function frequency(text: string | undefined): number {
  if (text === undefined) return DEFAULT_FREQUENCY_HZ;
  const hertz = /^\d+$/.test(text) ? Number(text) : 0;
  if (hertz < 1 || hertz > MAX_FREQUENCY_HZ) {
    throw new UsageError(
      `--frequency: expected an integer (1 to ${MAX_FREQUENCY_HZ}), got ${JSON.stringify(text)}`,
    );
  }
  return hertz;
}

function formatOf(output: string): OutputFormat {
  if (output.endsWith('.pb.gz')) return 'pprof';
  if (output.endsWith('.folded')) return 'folded';
  throw new UsageError(
    `--output: the name must end in .pb.gz (pprof) or .folded, got ${JSON.stringify(output)}`,
  );
}

/** To learn it after an hour of recording would be late. */
function refuseUnwritable(output: string): void {
  try {
    accessSync(dirname(output), constants.W_OK);
    if (existsSync(output) && !statSync(output).isFile()) throw new Error(`${output} is not a file`);
  } catch (error) {
    throw new UsageError(`--output: cannot write ${output}: ${messageOf(error)}`);
  }
}
