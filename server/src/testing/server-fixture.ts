// SPDX-License-Identifier: Apache-2.0
//
// A whole server for tests: the real one, on free ports, in a directory of its own.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { ServerOptions } from '../server.ts';

export const EXPORT_METHOD = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';
export const CPU_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/** A directory that is gone after the test. */
export class TestDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'hearthscope-server-'));

  /** Writes a small web UI and returns its folder. */
  writeUi(): string {
    const folder = join(this.path, 'ui');
    mkdirSync(join(folder, 'assets'), { recursive: true });
    writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Hearthscope</title>');
    writeFileSync(join(folder, 'assets/index-0a1b2c3d.js'), `'use strict';${' '.repeat(3000)}`);
    return folder;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Options for a server on free ports of the loopback. */
export function serverOptions(directory: TestDirectory, options: Partial<ServerOptions> = {}): ServerOptions {
  return {
    host: '127.0.0.1',
    httpPort: 0,
    otlpGrpcPort: 0,
    otlpHttpPort: 0,
    otlpPortsExplicit: true,
    dataDir: join(directory.path, 'data'),
    headMaxBytes: 64 * 1024 * 1024,
    maxBodyBytes: 16 * 1024 * 1024,
    indexedAttributes: [],
    user: null,
    uiDir: join(directory.path, 'ui'),
    logger: pino({ level: 'silent' }),
    registry: new Registry(),
    shutdownMillis: 5000,
    ...options,
  };
}

/** An export request of one service with one stack `main;work`, measured now. */
export function exportRequest(service: string, value: number): Uint8Array {
  return encodeTestRequest([
    {
      resource: { 'service.name': service },
      period: 1_000_000,
      timeUnixNanos: BigInt(Date.now()) * 1_000_000n,
      samples: [{ stack: ['main', 'work'], value }],
    },
  ]);
}

export async function exportOverHttp(port: number, request: Uint8Array): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/v1development/profiles`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: Buffer.from(request),
  });
}

/** @returns the gRPC status */
export function exportOverGrpc(port: number, request: Uint8Array): Promise<number> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return new Promise((resolve) => {
    const same = (value: Buffer) => value;
    client.makeUnaryRequest(EXPORT_METHOD, same, same, Buffer.from(request), (error) => {
      client.close();
      resolve(error?.code ?? 0);
    });
  });
}

/** Calls a method of the querier in JSON. */
export async function query(port: number, method: string, request: object): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/querier.v1.QuerierService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  return response.json();
}

/** The flame graph's total of one service, in milliseconds of CPU time, over the last hour. */
export async function totalMillis(port: number, service: string): Promise<number> {
  const now = Date.now();
  const answer = (await query(port, 'SelectMergeStacktraces', {
    profileTypeID: CPU_TYPE,
    labelSelector: `{service_name="${service}"}`,
    start: now - 3_600_000,
    end: now + 60_000,
  })) as { flamegraph?: { total?: string } };
  return Number(answer.flamegraph?.total ?? 0) / 1_000_000;
}
