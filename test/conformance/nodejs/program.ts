// SPDX-License-Identifier: Apache-2.0
//
// A program that is profiled by @pyroscope/nodejs until it is killed: FOLDER PACKAGE SERVER APPLICATION. Nearly all of its time
// goes into one function, under labels and the id of a span.

import { createRequire } from 'node:module';

interface PyroscopeModule {
  init(config: object): void;
  start(): void;
  wrapWithLabels(labels: Record<string, string | number>, run: () => void): void;
}

const [folder, packageName, serverAddress, appName] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const pyroscope = createRequire(folder)(packageName) as PyroscopeModule;

pyroscope.init({
  appName,
  serverAddress,
  tags: { region: 'eu-north' },
  flushIntervalMs: 2000,
  wall: { samplingDurationMs: 2000, samplingIntervalMicros: 10_000, collectCpuTime: true },
  heap: { samplingIntervalBytes: 1024, stackDepth: 32 },
});
pyroscope.start();

const kept: Float64Array[] = [];

function spendTimeHere(millis: number): number {
  let sum = 0;
  for (const end = performance.now() + millis; performance.now() < end; ) sum += Math.sqrt(sum + 1);
  return sum;
}

function allocateHere(): void {
  kept.push(new Float64Array(10_000));
  if (kept.length > 200) kept.shift();
}

setInterval(() => {
  pyroscope.wrapWithLabels({ controller: 'checkout', span_id: 'abcdef0123456789' }, () => {
    spendTimeHere(40);
    allocateHere();
  });
}, 50);
