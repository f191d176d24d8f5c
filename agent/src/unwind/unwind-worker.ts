// SPDX-License-Identifier: Apache-2.0
//
// The worker thread that reads unwind information of mapped files. It holds nothing that could not be lost: the main
// thread ends it when there is nothing to do, or when it hangs.

import { parentPort, workerData } from 'node:worker_threads';
import { TableCache } from './table-cache.ts';
import { TableReader } from './table-reader.ts';
import { tableBuffers, type UnwindQuestion } from './unwind-answer.ts';
import type { UnwindWorkerMessage, UnwindWorkerOptions } from './unwind-worker-handle.ts';

const port = parentPort!;
const { cacheDirectory, maxCacheBytes, quarantined } = workerData as UnwindWorkerOptions;

let counts: Record<string, number> = {};
const count = (event: string, value = 1): void => {
  counts[event] = (counts[event] ?? 0) + value;
};
const post = (message: UnwindWorkerMessage, transferred: ArrayBuffer[] = []): void =>
  port.postMessage(message, transferred);

const cache =
  cacheDirectory === ''
    ? undefined
    : TableCache.open(cacheDirectory, maxCacheBytes, (event) => count(`cache_${event}`));
if (cacheDirectory !== '' && cache === undefined) count('cache_unusable');
const reader = new TableReader({
  onReading: (binary) => post({ kind: 'reading', binary }),
  quarantined: new Set(quarantined),
  cache,
  onProblem: (reason, value) => count(`problem_${reason}`, value),
});

port.on('message', (question: UnwindQuestion) => {
  const answer = reader.read(question);
  post({ kind: 'answer', answer, counts }, answer.table === undefined ? [] : tableBuffers(answer.table));
  counts = {};
});
