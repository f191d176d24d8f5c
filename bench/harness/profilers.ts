// SPDX-License-Identifier: Apache-2.0
//
// The profilers that are compared, as processes that sample the whole host: our agent, and a peer. The peer is
// OpenTelemetry's eBPF profiler where the environment tells its path (HEARTHSCOPE_BENCH_OTEL_PROFILER; it may be a script
// that ends in an exec of it), else `perf record --call-graph dwarf` (PERF, or from the PATH).

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startHearthscope } from '../../test/harness/hearthscope.ts';

export interface Profiler {
  readonly name: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ProfilerOptions {
  readonly frequencyHz: number;
  /** For what it writes. */
  readonly directory: string;
  /** Of an OTLP receiver: `127.0.0.1:port`. */
  readonly otlpGrpcAddress: string;
}

export async function startAgent({ frequencyHz, otlpGrpcAddress }: ProfilerOptions): Promise<Profiler> {
  const agent = startHearthscope([
    'agent',
    `--endpoint=http://${otlpGrpcAddress}`,
    '--protocol=grpc',
    `--frequency=${frequencyHz}`,
    '--cache-dir=',
    '--metrics-port=0',
  ]);
  return {
    name: 'hearthscope agent',
    pid: agent.pid,
    stop: async () => {
      await agent.stop();
    },
  };
}

/** What the peer is called, or undefined when there is none. */
export function peerName(): string | undefined {
  if (process.env.HEARTHSCOPE_BENCH_OTEL_PROFILER !== undefined) return 'OpenTelemetry eBPF profiler';
  return perfPath() === undefined ? undefined : 'perf record --call-graph dwarf';
}

export function startPeer(options: ProfilerOptions): Profiler {
  const otel = process.env.HEARTHSCOPE_BENCH_OTEL_PROFILER;
  const [command, args] =
    otel === undefined ? [perfPath()!, perfArguments(options)] : [otel, openTelemetryArguments(options)];
  const child = spawn(command, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  return {
    name: peerName()!,
    pid: child.pid!,
    async stop() {
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
      process.off('exit', killAtExit);
    },
  };
}

function perfPath(): string | undefined {
  const perf = process.env.PERF ?? 'perf';
  return spawnSync(perf, ['--version']).status === 0 ? perf : undefined;
}

function perfArguments({ frequencyHz, directory }: ProfilerOptions): string[] {
  return [
    'record',
    '-F',
    `${frequencyHz}`,
    '-a',
    '--call-graph',
    'dwarf',
    '-o',
    join(directory, 'perf.data'),
  ];
}

/** No interpreters: what is compared is native code. */
function openTelemetryArguments({ frequencyHz, otlpGrpcAddress }: ProfilerOptions): string[] {
  return [
    ...['-collection-agent', otlpGrpcAddress],
    '-disable-tls',
    ...['-samples-per-second', `${frequencyHz}`],
    ...['-tracers', ''],
  ];
}
