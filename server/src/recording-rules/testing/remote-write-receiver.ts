// SPDX-License-Identifier: Apache-2.0
//
// A receiver of Prometheus remote write on a port of its own. It reads messages with libraries that share no code with
// the sender, by the schema as Prometheus publishes it, and keeps samples as Prometheus does: one for each series and
// time, where the same sample may come again.

import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import protobuf from 'protobufjs';
import { uncompress } from 'snappyjs';

const SCHEMA = `
  syntax = "proto3";
  package prometheus;
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }`;

interface WriteRequest {
  readonly timeseries: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
  }[];
}

export interface ReceivedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly timestampMillis: number;
  readonly value: number;
}

export class RemoteWriteReceiver {
  readonly url: string;
  readonly headers: IncomingHttpHeaders[] = [];
  /** How the next requests are answered; 204 when it is empty. */
  readonly answers: number[] = [];
  readonly #samples = new Map<string, ReceivedSample>();

  private constructor(url: string) {
    this.url = url;
  }

  static async start(t: TestContext): Promise<RemoteWriteReceiver> {
    const type = protobuf.parse(SCHEMA).root.lookupType('prometheus.WriteRequest');
    const server = createServer(async (request, response) => {
      receiver.headers.push(request.headers);
      const body = await buffer(request);
      const status = receiver.answers.shift() ?? 204;
      if (status === 204) {
        const message = type.toObject(type.decode(uncompress(body)), { longs: Number });
        receiver.#keep(message as WriteRequest);
      }
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const receiver = new RemoteWriteReceiver(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`,
    );
    return receiver;
  }

  /** By time, then by labels. */
  get samples(): ReceivedSample[] {
    return [...this.#samples.values()].sort(
      (a, b) =>
        a.timestampMillis - b.timestampMillis ||
        (JSON.stringify(a.labels) < JSON.stringify(b.labels) ? -1 : 1),
    );
  }

  #keep({ timeseries }: WriteRequest): void {
    for (const { labels, samples } of timeseries) {
      const names = labels.map(({ name }) => name);
      assert.deepEqual(names, [...new Set(names)].sort(), 'labels are sorted and distinct');
      for (const { value, timestamp } of samples) {
        const sample: ReceivedSample = {
          labels: Object.fromEntries(labels.map((label) => [label.name, label.value])),
          timestampMillis: timestamp,
          value,
        };
        const key = JSON.stringify([sample.labels, timestamp]);
        const old = this.#samples.get(key);
        if (old !== undefined) assert.equal(value, old.value, 'a sample that comes again is the same');
        this.#samples.set(key, sample);
      }
    }
  }
}
