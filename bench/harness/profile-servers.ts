// SPDX-License-Identifier: Apache-2.0
//
// The servers that are compared, each a process of its own with an empty folder: ours, and Grafana Pyroscope where the
// environment tells the path of its binary (HEARTHSCOPE_BENCH_PYROSCOPE; it builds with Go from a public checkout). Both
// take profiles of any age and at any rate.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, startHearthscope } from '../../test/harness/hearthscope.ts';

export interface ProfileServer {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Bytes of all that it keeps on disk, its log included. */
  storedBytes(): number;
  stop(): Promise<void>;
}

const NO_LIMITS = [
  '-validation.reject-older-than=0',
  '-distributor.ingestion-rate-limit-mb=100000',
  '-distributor.ingestion-burst-size-mb=100000',
  '-validation.max-profile-size-bytes=0',
  '-querier.max-query-length=0',
  '-querier.max-query-lookback=0',
] as const;

/** @param directory empty or not there yet @param flags more of them */
export async function startHearthscopeServer(
  directory: string,
  flags: readonly string[] = [],
): Promise<ProfileServer> {
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const server = startHearthscope([
    'server',
    '--host=127.0.0.1',
    `--http-port=${port}`,
    '--otlp-grpc-port=off',
    '--otlp-http-port=off',
    `--data-dir=${directory}`,
    '--log-level=warn',
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
    ...NO_LIMITS,
    ...flags,
  ]);
  await isReady(port);
  return {
    name: 'hearthscope',
    pid: server.pid,
    port,
    storedBytes: () => bytesBelow(directory),
    stop: async () => {
      await server.stop();
    },
  };
}

export function peerPath(): string | undefined {
  return process.env.HEARTHSCOPE_BENCH_PYROSCOPE;
}

/** Undefined when there is no peer. */
export async function startPeerServer(directory: string): Promise<ProfileServer | undefined> {
  const path = peerPath();
  if (path === undefined) return undefined;
  mkdirSync(directory, { recursive: true });
  const [port, grpcPort, gossipPort, raftPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const log = openSync(join(directory, 'peer.log'), 'w');
  const child = spawn(
    path,
    [
      `-server.http-listen-port=${port}`,
      `-server.grpc-listen-port=${grpcPort}`,
      `-metastore.address=localhost:${grpcPort}`,
      `-query-backend.address=localhost:${grpcPort}`,
      `-metastore.raft.bind-address=127.0.0.1:${raftPort}`,
      `-metastore.raft.advertise-address=127.0.0.1:${raftPort}`,
      `-metastore.raft.server-id=127.0.0.1:${raftPort}`,
      `-memberlist.bind-port=${gossipPort}`,
      '-architecture.storage=v2',
      '-self-profiling.disable-push=true',
      '-storage.backend=filesystem',
      '-log.level=warn',
      ...NO_LIMITS,
      '-validation.max-profile-stacktrace-samples=0',
    ],
    { cwd: directory, stdio: ['ignore', log, log] },
  );
  const ended = once(child, 'exit');
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  await isReady(port);
  return {
    name: 'Pyroscope',
    pid: child.pid!,
    port,
    // Segments and blocks; the log of its metastore takes 64 MiB from the first moment and says nothing.
    storedBytes: () => bytesBelow(join(directory, 'data', 'v2', 'shared')),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
      process.off('exit', killAtExit);
    },
  };
}

async function isReady(port: number): Promise<void> {
  await eventually('ready', 180_000, async () =>
    (await fetch(`http://127.0.0.1:${port}/ready`)).ok ? true : undefined,
  );
}

function bytesBelow(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    // A file may be removed at any moment.
    bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
