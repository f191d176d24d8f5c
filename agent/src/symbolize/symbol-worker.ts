// SPDX-License-Identifier: Apache-2.0
//
// The worker thread that opens and parses what other processes have mapped. It holds nothing that could not be lost:
// when it dies or hangs, the main thread starts another.

import { parentPort, workerData } from 'node:worker_threads';
import { BinarySymbolizer, debugInfoIdleMillis } from './binary-symbolizer.ts';
import { KernelSymbolizer } from './kernel-symbolizer.ts';
import { RuntimeCodeSymbolizer } from './runtime-code-symbolizer.ts';
import { SymbolCounters } from './symbol-counters.ts';
import type {
  WorkerMessage,
  WorkerOptions,
  WorkerRequest,
  WorkerTask,
  WorkerTasks,
} from './symbol-request.ts';

const port = parentPort!;
const options = workerData as WorkerOptions;
const post = (message: WorkerMessage): void => port.postMessage(message);

const counters = new SymbolCounters();
const onReading = (binary: string): void => post({ kind: 'reading', binary });
const quarantined = new Set(options.quarantined);
const binaries = new BinarySymbolizer({ ...options, counters, onReading, quarantined });
const kernel = new KernelSymbolizer({ counters });
const runtimeCode = new RuntimeCodeSymbolizer({ counters, onReading, quarantined });

/** How each kind of work is done. */
const tasks: {
  [Task in WorkerTask]: (request: WorkerTasks[Task]['request']) => WorkerTasks[Task]['response'];
} = {
  symbols: (request) => {
    // First what only a living process has: reading a large binary may take longer than a process lives.
    const runtimeCodeAnswers = runtimeCode.symbolize(request.runtimeCode ?? []);
    return {
      binaries: binaries.symbolize(request.binaries),
      kernel: kernel.symbolize(request.kernelAddresses),
      runtimeCode: runtimeCodeAnswers,
    };
  },
  forget: (buildIds) => {
    binaries.forget(buildIds);
    return null;
  },
};

function perform<Task extends WorkerTask>(
  task: Task,
  request: WorkerTasks[Task]['request'],
): WorkerTasks[Task]['response'] {
  return tasks[task](request);
}

setInterval(() => binaries.releaseIdle(), debugInfoIdleMillis).unref();
port.on('message', ({ id, task, request }: WorkerRequest) => {
  const response = perform(task, request);
  const cache = { ...binaries.cache, kernelBytes: kernel.bytes, runtimeCodeBytes: runtimeCode.bytes };
  post({ kind: 'answer', id, response, counts: counters.take(), cache });
});
post({ kind: 'ready' });
