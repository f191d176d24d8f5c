// SPDX-License-Identifier: Apache-2.0
//
// A `hearthscope server` of its own for a test, on free ports of the loopback interface, ready to be asked.

import { join } from 'node:path';
import { eventually, freePort, type RunningCommand, startHearthscope } from './hearthscope.ts';

export interface RunningTestServer {
  readonly command: RunningCommand;
  readonly baseUrl: string;
  /** `127.0.0.1:port`, as gRPC clients want it. */
  readonly address: string;
  /** 4317's stand-in. */
  readonly otlpGrpcAddress: string;
  /** 4318's stand-in. */
  readonly otlpHttpUrl: string;
}

/** @param directory where its data directory is or will be */
export async function startServer(
  directory: string,
  options: readonly string[] = [],
): Promise<RunningTestServer> {
  const [http, otlpGrpc, otlpHttp] = [await freePort(), await freePort(), await freePort()];
  const command = startHearthscope([
    'server',
    '--host=127.0.0.1',
    `--http-port=${http}`,
    `--otlp-grpc-port=${otlpGrpc}`,
    `--otlp-http-port=${otlpHttp}`,
    `--data-dir=${join(directory, 'data')}`,
    ...options,
  ]);
  const baseUrl = `http://127.0.0.1:${http}`;
  await eventually('ready', 30_000, async () => ((await fetch(`${baseUrl}/ready`)).ok ? true : undefined));
  return {
    command,
    baseUrl,
    address: `127.0.0.1:${http}`,
    otlpGrpcAddress: `127.0.0.1:${otlpGrpc}`,
    otlpHttpUrl: `http://127.0.0.1:${otlpHttp}`,
  };
}
