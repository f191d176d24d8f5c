// SPDX-License-Identifier: Apache-2.0
//
// A sender of profiles over kept-alive HTTP/1.1 connections: push (Connect, protobuf), /ingest and OTLP, with the time of
// each answer. Whatever is not stored is an error: a figure of refused profiles would be worth nothing.

import { Agent, request } from 'node:http';
import type { Label } from '@hearthscope/profile/labels';
import { ProtobufWriter } from '@hearthscope/profile/wire/protobuf-writer';

export interface LoadRequest {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** The pprof as a push.v1.PushRequest. */
export function pushRequest(labels: readonly Label[], pprof: Uint8Array): LoadRequest {
  const writer = new ProtobufWriter();
  writer.message(1, () => {
    for (const { name, value } of labels) {
      writer.message(1, () => {
        writer.string(1, name);
        writer.string(2, value);
      });
    }
    writer.message(2, () => writer.blob(1, pprof));
  });
  return {
    path: '/push.v1.PusherService/Push',
    contentType: 'application/proto',
    body: writer.finish(),
  };
}

/** The pprof as the body of /ingest. @param labels without `__name__`, with `service_name` */
export function ingestRequest(
  labels: readonly Label[],
  fromSeconds: number,
  untilSeconds: number,
  pprof: Uint8Array,
): LoadRequest {
  const service = labels.find(({ name }) => name === 'service_name')!.value;
  const others = labels.filter(({ name }) => name !== 'service_name' && name !== '__name__');
  const name = `${service}{${others.map((label) => `${label.name}=${label.value}`).join(',')}}`;
  const query = new URLSearchParams({
    name,
    from: String(fromSeconds),
    until: String(untilSeconds),
    format: 'pprof',
    spyName: 'gospy',
  });
  return { path: `/ingest?${query}`, contentType: 'application/octet-stream', body: pprof };
}

export interface LoadClient {
  /** Resolves with the milliseconds until the answer. @throws Error when it is not 2xx */
  send(request: LoadRequest): Promise<number>;
  close(): void;
}

export function loadClient(port: number, maxConnections: number): LoadClient {
  const agent = new Agent({ keepAlive: true, maxSockets: maxConnections });
  return {
    send: ({ path, contentType, body }) =>
      new Promise((resolve, reject) => {
        const start = performance.now();
        const sent = request(
          {
            agent,
            host: '127.0.0.1',
            port,
            path,
            method: 'POST',
            headers: { 'content-type': contentType, 'content-length': body.length },
          },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('error', reject);
            response.on('end', () => {
              const { statusCode = 0 } = response;
              if (statusCode >= 200 && statusCode < 300) resolve(performance.now() - start);
              else
                reject(
                  new Error(`${path}: HTTP ${statusCode} ${Buffer.concat(chunks).toString().slice(0, 300)}`),
                );
            });
          },
        );
        sent.on('error', reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** Sends all requests, `connections` at a time. @returns the milliseconds of each */
export async function sendAll(
  client: LoadClient,
  requests: Iterable<LoadRequest>,
  connections: number,
): Promise<number[]> {
  const iterator = requests[Symbol.iterator]();
  const millis: number[] = [];
  const sender = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      millis.push(await client.send(next.value));
    }
  };
  await Promise.all(Array.from({ length: connections }, sender));
  return millis;
}
