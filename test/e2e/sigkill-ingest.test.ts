// SPDX-License-Identifier: Apache-2.0
//
// The server is killed by SIGKILL while a foreign OTLP client sends as fast as it can. Whatever was acknowledged must be
// there after a restart, once; what was not may be there, but not twice.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import { foreignOtlpClient } from '../harness/foreign-otlp-client.ts';
import { flameGraph } from '../harness/querier.ts';
import { startServer } from '../harness/server.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';

const CYCLES = 4;
const IN_FLIGHT = 8;
const PERIOD_NANOS = 1000;

describe('SIGKILL during ingest', () => {
  const directory = temporaryDirectory('sigkill');
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('loses nothing acknowledged and stores nothing twice', async () => {
    const sent = new Set<string>();
    const acknowledged = new Set<string>();
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const { command, address } = await startServer(directory);
      const client = foreignOtlpClient(address);
      let killed = false;
      const senders = Array.from({ length: IN_FLIGHT }, async () => {
        while (!killed) {
          const functionName = `function_${sent.size}`;
          sent.add(functionName);
          const request = encodeTestRequest([
            {
              resource: { 'service.name': 'killed' },
              period: PERIOD_NANOS,
              timeUnixNanos: BigInt(Date.now()) * 1_000_000n,
              samples: [{ stack: [functionName], value: 1 }],
            },
          ]);
          try {
            await client.send(request);
            acknowledged.add(functionName);
          } catch {
            return; // The server died under this request: it was not acknowledged.
          }
        }
      });
      await sleep(200 + Math.random() * 600);
      command.process.kill('SIGKILL');
      assert.equal(await command.exit, 'SIGKILL');
      killed = true;
      await Promise.all(senders);
      client.close();
    }
    assert.ok(acknowledged.size > CYCLES * IN_FLIGHT, `only ${acknowledged.size} requests were acknowledged`);

    const { command, baseUrl } = await startServer(directory);
    const nodes = await flameGraph(baseUrl, '{service_name="killed"}', { maxNodes: 1_000_000 });
    await command.stop();
    const stored = new Map(nodes.filter(({ depth }) => depth === 1).map(({ name, total }) => [name, total]));
    for (const name of acknowledged) assert.equal(stored.get(name), PERIOD_NANOS, `${name} was acknowledged`);
    for (const [name, total] of stored) {
      assert.ok(sent.has(name), `${name} was never sent`);
      assert.equal(total, PERIOD_NANOS, `${name} is stored ${total / PERIOD_NANOS} times`);
    }
  });
});
