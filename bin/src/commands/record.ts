// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope record`: samples processes or a command into a file, without any server. The recording begins before
// the command does, so that nothing of it is missed, and ends with the command, at --duration, or at Ctrl-C.

import { setTimeout as sleep } from 'node:timers/promises';
import { startRecording } from '@hearthscope/agent/recording';
import { Registry } from 'prom-client';
import { loadConfiguration } from '../config/load.ts';
import { hostObstacles, readHost } from '../doctor/host.ts';
import { ExitCode } from '../exit-codes.ts';
import { RecordedCommand } from '../record/command.ts';
import { type RecordOptions, recordOptions } from '../record/options.ts';
import { writeProfile } from '../record/output.ts';
import { recordSummary } from '../record/summary.ts';
import { onStopSignals } from '../stop-signals.ts';

/** A command that ignores SIGTERM is killed after this. */
const COMMAND_GRACE_MILLIS = 5000;
const PROGRESS_MILLIS = 1000;

type End =
  | { readonly reason: 'command'; readonly exitCode: number }
  | { readonly reason: 'duration' | 'interrupted' };

export async function record(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const options = recordOptions(flags);
  const { configuration, logger } = loadConfiguration('record', flags);
  const [obstacle] = hostObstacles(readHost());
  if (obstacle !== undefined) {
    process.stderr.write(`hearthscope: cannot record: ${obstacle}\n`);
    return ExitCode.agentUnsupported;
  }
  const interrupted = Promise.withResolvers<End>();
  onStopSignals({ stop: () => interrupted.resolve({ reason: 'interrupted' }), force: () => {} });

  const follow = followedProcesses(options);
  const recording = await startRecording({
    frequencyHz: options.frequencyHz,
    ...(follow !== undefined && { follow }),
    symbolCacheBytes: configuration.agent.symbolCacheBytes,
    ...(configuration.agent.cacheDir !== '' && { cacheDirectory: configuration.agent.cacheDir }),
    naming: {
      demangle: configuration.agent.demangle,
      debuginfodUrls: configuration.agent.debuginfodUrls,
    },
    logger,
    registry: new Registry(),
  });
  const command =
    options.command.length === 0 ? undefined : new RecordedCommand(options.command, process.env);
  const hideProgress = showProgress(options);
  const timer = new AbortController();
  const end = await Promise.race([
    interrupted.promise,
    ...(command === undefined
      ? []
      : [command.exited.then((exitCode): End => ({ reason: 'command', exitCode }))]),
    ...(options.durationMillis === undefined ? [] : [elapsed(options.durationMillis, timer.signal)]),
  ]);
  timer.abort();
  hideProgress();
  const [{ profile, counters }, commandExit] = await Promise.all([
    recording.stop(),
    end.reason === 'command' ? end.exitCode : command?.terminate(COMMAND_GRACE_MILLIS),
  ]);
  const { output, format } = options;
  const fileBytes = await writeProfile(profile, output, format);
  process.stderr.write(recordSummary({ profile, counters, output, format, fileBytes }));
  return end.reason === 'duration' ? ExitCode.ok : (commandExit ?? ExitCode.ok);
}

/** Undefined: all processes. Our own descendants are followed from their birth, without ourselves. */
function followedProcesses({ all, pids, command }: RecordOptions) {
  if (all) return undefined;
  const follow = pids.map((pid) => ({ pid, sampleItself: true }));
  if (command.length > 0) follow.push({ pid: process.pid, sampleItself: false });
  return follow;
}

async function elapsed(millis: number, signal: AbortSignal): Promise<End> {
  await sleep(millis, undefined, { signal }).catch(() => {});
  return { reason: 'duration' };
}

/** A line that counts the seconds, only where somebody watches and no command writes to the same terminal. */
function showProgress({ command, durationMillis }: RecordOptions): () => void {
  if (!process.stderr.isTTY || command.length > 0) return () => {};
  const begin = Date.now();
  const goal = durationMillis === undefined ? '' : ` of ${Math.round(durationMillis / 1000)}`;
  const timer = setInterval(() => {
    process.stderr.write(`\rrecording: ${Math.round((Date.now() - begin) / 1000)}${goal} s (Ctrl-C ends it)`);
  }, PROGRESS_MILLIS);
  return () => {
    clearInterval(timer);
    process.stderr.write('\r\x1b[K');
  };
}
