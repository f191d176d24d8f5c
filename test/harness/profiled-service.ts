// SPDX-License-Identifier: Apache-2.0
//
// Finding what a client sent: a whole server, asked until a function shows up in the flame graph of a service.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerOptions, startServer } from '@hearthscope/server/server';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { eventually } from './hearthscope.ts';
import { callQuerier, type FlameGraphNode, flameGraph } from './querier.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const MEBIBYTE = 1024 * 1024;
const FIND_MILLIS = 90_000;

export interface ConformanceServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly registry: Registry;
}

/** A server in this process, on a free port, with a data directory of its own. */
export async function startConformanceServer(
  options: Partial<ServerOptions> = {},
): Promise<ConformanceServer> {
  const directory = temporaryDirectory('conformance');
  const registry = new Registry();
  const server = await startServer({
    host: '127.0.0.1',
    httpPort: 0,
    otlpGrpcPort: null,
    otlpHttpPort: null,
    otlpPortsExplicit: true,
    dataDir: join(directory, 'data'),
    headMaxBytes: 256 * MEBIBYTE,
    maxBodyBytes: 64 * MEBIBYTE,
    indexedAttributes: [],
    user: null,
    uiDir: join(directory, 'ui'),
    logger: pino({ level: 'silent' }),
    registry,
    shutdownMillis: 1000,
    ...options,
  });
  return {
    url: `http://127.0.0.1:${server.httpPort}`,
    port: server.httpPort,
    registry,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface FunctionSearch {
  /** As SelectMergeStacktraces takes it. */
  readonly labelSelector: string;
  readonly profileTypeID: string;
  /** Found by a part of its name, as clients write names in their own ways. */
  readonly functionName: string;
  /** 16 hex digits; then only samples of that span count. */
  readonly spanId?: string;
}

/** Asks until the function has samples.
 * @param explain says more in the error, such as what the client printed
 * @returns the function's node with the largest total */
export async function findFunction(
  url: string,
  search: FunctionSearch,
  explain: () => string,
): Promise<FlameGraphNode> {
  const { labelSelector, profileTypeID, functionName, spanId } = search;
  try {
    return await eventually(`${functionName} in ${profileTypeID}${labelSelector}`, FIND_MILLIS, async () => {
      const nodes = await flameGraph(url, labelSelector, {
        profileTypeID,
        ...(spanId !== undefined && { spanSelector: [spanId] }),
      });
      const found = nodes.filter(({ name, total }) => name.includes(functionName) && total > 0);
      return found.sort((a, b) => b.total - a.total)[0];
    });
  } catch (error) {
    const stored = await callQuerier(url, 'Series', { ...lastHour(), matchers: [], labelNames: [] });
    throw new Error(`${String(error)}\nstored: ${JSON.stringify(stored)}\n${explain()}`, { cause: error });
  }
}

/** Milliseconds, as requests have them. */
export function lastHour(): { start: number; end: number } {
  return { start: Date.now() - 3_600_000, end: Date.now() + 60_000 };
}
