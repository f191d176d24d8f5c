// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope doctor --pid P`: samples one process for some seconds and says, per binary, how many of its stacks reach
// their thread's start, and why the others ended before.

import { existsSync } from 'node:fs';
import { type StackSurvey, surveyStacks } from '@hearthscope/agent/stack-survey';
import { DURATION_EXPECTED, parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';
import { Registry } from 'prom-client';
import { loadConfiguration } from '../config/load.ts';
import { ExitCode, UsageError } from '../exit-codes.ts';
import { onStopSignals } from '../stop-signals.ts';
import { hostObstacles, readHost } from './host.ts';

const FREQUENCY_HZ = 99;
const DEFAULT_DURATION_MILLIS = 5000;
const MAX_DURATION_MILLIS = 3_600_000;

export async function examineStacks(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const pid = livingPid(flags.pid);
  const durationMillis = durationOf(flags.duration);
  const { configuration, logger } = loadConfiguration('record', {});
  const [obstacle] = hostObstacles(readHost());
  if (obstacle !== undefined) {
    process.stderr.write(`hearthscope: cannot sample: ${obstacle}\n`);
    return ExitCode.agentUnsupported;
  }
  const interrupted = new AbortController();
  onStopSignals({ stop: () => interrupted.abort(), force: () => {} });
  if (process.stderr.isTTY) process.stderr.write(`sampling process ${pid} for ${durationMillis / 1000} s\n`);
  const { cacheDir, symbolCacheBytes } = configuration.agent;
  const survey = await surveyStacks({
    pid,
    frequencyHz: FREQUENCY_HZ,
    durationMillis,
    symbolCacheBytes,
    ...(cacheDir !== '' && { cacheDirectory: cacheDir }),
    logger,
    registry: new Registry(),
    signal: interrupted.signal,
  });
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(survey, null, 2)}\n` : formatSurvey(pid, survey),
  );
  return ExitCode.ok;
}

/** @throws UsageError */
function livingPid(given: unknown): number {
  const text = String(given);
  if (!/^[1-9]\d{0,6}$/.test(text))
    throw new UsageError(`--pid: expected a process id, got ${JSON.stringify(text)}`);
  if (!existsSync(`/proc/${text}`)) throw new UsageError(`--pid: there is no process ${text}`);
  return Number(text);
}

/** @throws UsageError */
function durationOf(given: unknown): number {
  if (given === undefined) return DEFAULT_DURATION_MILLIS;
  const millis = parseDurationMillis(String(given));
  if (millis === undefined || millis === 0 || millis > MAX_DURATION_MILLIS) {
    throw new UsageError(
      `--duration: expected ${DURATION_EXPECTED}, at most 1h, got ${JSON.stringify(given)}`,
    );
  }
  return millis;
}

/** The survey as a table, most sampled binary first. */
export function formatSurvey(pid: number, { samples, complete, binaries }: StackSurvey): string {
  if (samples === 0) return `Process ${pid} did not run while it was sampled: no stacks to judge.\n`;
  const rows = binaries.map(({ binary, samples: walked, stoppedBy }) => {
    const stopped = Object.values(stoppedBy).reduce((sum, count) => sum + count, 0);
    const reasons = Object.entries(stoppedBy)
      .sort(([, a], [, b]) => b - a)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ');
    return [percent(walked - stopped, walked), String(walked), binary, reasons] as const;
  });
  const widths = [0, 1, 2].map((column) =>
    Math.max(HEADER[column]!.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `  ${cells[0]!.padStart(widths[0]!)}  ${cells[1]!.padStart(widths[1]!)}  ${cells[2]!.padEnd(widths[2]!)}  ${cells[3]}`.trimEnd();
  return [
    `Process ${pid}: ${samples} samples, ${percent(complete, samples)} of them with a whole stack`,
    '',
    line(HEADER),
    ...rows.map(line),
    '',
    'whole: samples through the binary whose walk did not end in it; ended early: why the others did',
    '',
  ].join('\n');
}

const HEADER = ['whole', 'samples', 'binary', 'ended early'] as const;

/** Rounded down, so that 100 % means all. */
function percent(part: number, whole: number): string {
  return `${(Math.floor((1000 * part) / whole) / 10).toFixed(1)} %`;
}
