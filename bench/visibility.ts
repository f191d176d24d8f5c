// SPDX-License-Identifier: Apache-2.0
//
// From the acknowledgement of an OTLP export to the first query that shows it, over one connection each. The export itself
// is timed too, because an answer that is late is also a way of being visible at once.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import { foreignOtlpClient } from '../test/harness/foreign-otlp-client.ts';
import { eventually, freePort, startHearthscope } from '../test/harness/hearthscope.ts';
import { flameGraph, totalOf } from '../test/harness/querier.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { printTable, spread } from './harness/statistics.ts';

const exports = Number(process.env.HEARTHSCOPE_BENCH_EXPORTS ?? 100);
const periodNanos = 10_000_000;

const directory = temporaryDirectory('bench');
const port = await freePort();
const server = startHearthscope([
  'server',
  '--host=127.0.0.1',
  `--http-port=${port}`,
  `--data-dir=${join(directory, 'data')}`,
]);
const baseUrl = `http://127.0.0.1:${port}`;
const toAcknowledged: number[] = [];
const toVisible: number[] = [];
try {
  await eventually('ready', 30_000, async () => ((await fetch(`${baseUrl}/ready`)).ok ? true : undefined));
  const client = foreignOtlpClient(`127.0.0.1:${port}`);
  for (let number = 1; number <= exports; number++) {
    const request = encodeTestRequest([
      {
        resource: { 'service.name': 'visibility' },
        period: periodNanos,
        timeUnixNanos: BigInt(Date.now()) * 1_000_000n,
        samples: Array.from({ length: 200 }, (_, stack) => ({
          stack: ['main', `call_${stack}`, 'work'],
          value: 1,
        })),
      },
    ]);
    const sent = performance.now();
    await client.send(request);
    const acknowledged = performance.now();
    toAcknowledged.push(acknowledged - sent);
    const wanted = number * 200 * periodNanos;
    while (totalOf(await flameGraph(baseUrl, '{service_name="visibility"}'), 'main') < wanted) {
      if (performance.now() - acknowledged > 10_000)
        throw new Error(`export ${number} is not visible after 10 s`);
    }
    toVisible.push(performance.now() - acknowledged);
  }
  client.close();
} finally {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
printTable(
  `OTLP export over gRPC, 200 samples each, ${exports} exports, median (min to max), ms`,
  ['figure', 'value', 'target'],
  [
    ['sent to acknowledged (on disk)', spread(toAcknowledged, 1), ''],
    ['acknowledged to visible in a query, the query included', spread(toVisible, 1), '1000'],
  ],
);
