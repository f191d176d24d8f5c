// SPDX-License-Identifier: Apache-2.0
//
// The worker thread that opens and parses what other processes have mapped. It holds nothing that could not be lost:
// when it dies or hangs, the main thread starts another.

import { parentPort, workerData } from 'node:worker_threads';
import { BinarySymbolizer } from './binary-symbolizer.ts';
import { KernelSymbolizer } from './kernel-symbolizer.ts';
import { SymbolCounters } from './symbol-counters.ts';
import type { WorkerMessage, WorkerOptions, WorkerRequest } from './symbol-request.ts';

const port = parentPort!;
const { maxCacheBytes, quarantined } = workerData as WorkerOptions;
const post = (message: WorkerMessage): void => port.postMessage(message);

const counters = new SymbolCounters();
const binaries = new BinarySymbolizer({
  maxCacheBytes,
  counters,
  onReading: (binary) => post({ kind: 'reading', binary }),
  quarantined: new Set(quarantined),
});
const kernel = new KernelSymbolizer({ counters });

port.on('message', ({ id, request }: WorkerRequest) => {
  const response = {
    binaries: binaries.symbolize(request.binaries),
    kernel: kernel.symbolize(request.kernelAddresses),
  };
  const cache = { ...binaries.cache, kernelBytes: kernel.bytes };
  post({ kind: 'answer', id, response, counts: counters.take(), cache });
});
post({ kind: 'ready' });
