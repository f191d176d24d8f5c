// SPDX-License-Identifier: Apache-2.0
//
// The worker thread that opens and parses what clients have uploaded. It holds nothing that could not be lost: when it
// dies or hangs over a file, the main thread starts another and does not show it that file again.

import { parentPort, workerData } from 'node:worker_threads';
import { FormatError, HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { FileAccess } from './file-access.ts';
import { inspectFile } from './inspect-file.ts';
import { OpenBinaries } from './open-binaries.ts';
import type {
  Inspection,
  SymbolAnswer,
  SymbolWorkerConfig,
  WorkerCall,
  WorkerMessage,
  WorkerRequest,
} from './symbol-protocol.ts';

const port = parentPort!;
const binaries = new OpenBinaries(workerData as SymbolWorkerConfig);
const post = (message: WorkerMessage): void => port.postMessage(message);

function inspect(path: string): Inspection {
  using file = FileAccess.open(path);
  return inspectFile(file);
}

function lookUp({ buildId, files, addressKind, addresses }: WorkerCall & { kind: 'look_up' }): SymbolAnswer {
  const names = binaries.get(buildId, files);
  if (names === undefined) return { frames: undefined, failure: 'no_debug_info' };
  if (addressKind === 'file_offset' && !names.knowsOffsets) {
    return { frames: undefined, failure: 'needs_executable' };
  }
  const frames = names.lookUp(addressKind, addresses);
  binaries.trim();
  return { frames, failure: '', problems: names.takeProblems() };
}

port.on('message', (request: WorkerRequest) => {
  if ('forget' in request) {
    binaries.forget(request.forget);
    return;
  }
  const { id, call } = request;
  try {
    post({ kind: 'answer', id, answer: call.kind === 'inspect' ? inspect(call.path) : lookUp(call) });
  } catch (error) {
    const isDamage = error instanceof FormatError || error instanceof RangeError;
    const code = isDamage ? 'invalid_argument' : error instanceof HearthscopeError ? error.code : 'internal';
    post({ kind: 'refused', id, error: { code, message: messageOf(error) } });
  }
});
post({ kind: 'ready' });
