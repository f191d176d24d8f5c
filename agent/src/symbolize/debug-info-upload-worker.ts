// SPDX-License-Identifier: Apache-2.0
//
// The worker thread that sends one binary's debug information to the server: reading files of other processes blocks,
// and the server may be far away. What is sent is the smallest file that says what there is to say: the separate debug
// file where there is one, else the binary itself.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { FormatError, messageOf } from '@hearthscope/profile/errors';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';
import { DebugFiles } from './debug-files.ts';
import type {
  UploadJob,
  UploadOutcome,
  UploadReport,
  UploadWorkerConfig,
} from './debug-info-upload-protocol.ts';
import { OpenedFile, openMappedFile } from './mapped-file.ts';
import { SymbolCounters } from './symbol-counters.ts';

const SERVICE_PATH = '/debuginfo.v1alpha1.DebuginfoService/';
const CHUNK_BYTES = 256 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024;
const REQUEST_TIMEOUT_MILLIS = 30_000;

const port = parentPort!;
const config = workerData as UploadWorkerConfig;

/** An answer of the server that ends the job. */
class Ended extends Error {
  readonly outcome: UploadOutcome;

  constructor(outcome: UploadOutcome, message: string) {
    super(message);
    this.outcome = outcome;
  }
}

port.on('message', (job: UploadJob) => {
  void run(job).then((report) => port.postMessage(report));
});

async function run({ buildId, ref }: UploadJob): Promise<UploadReport> {
  let sentBytes = 0;
  try {
    using opened = new DisposableStack();
    const { file, isDebugFile } = chooseFile(buildId, ref, opened);
    if (file.byteLength > config.maxFileBytes) {
      throw new Ended('too_large', `${file.byteLength} bytes are more than ${config.maxFileBytes}`);
    }
    const name = ref.path.slice(ref.path.lastIndexOf('/') + 1);
    const type = isDebugFile ? 'TYPE_EXECUTABLE_NO_TEXT' : 'TYPE_EXECUTABLE_FULL';
    const asked = await call('ShouldInitiateUpload', { file: { gnuBuildId: buildId, name, type } });
    if (asked.shouldInitiateUpload !== true) throw new Ended('not_wanted', String(asked.reason ?? ''));
    await post(
      `Upload/${buildId}`,
      { 'content-type': 'application/octet-stream', 'content-length': String(file.byteLength) },
      chunksOf(file, (bytes) => {
        sentBytes += bytes;
      }),
    );
    await call('UploadFinished', { gnuBuildId: buildId });
    return { outcome: 'uploaded', message: '', sentBytes };
  } catch (error) {
    const outcome =
      error instanceof Ended ? error.outcome : error instanceof FormatError ? 'gone' : 'unavailable';
    return { outcome, message: messageOf(error), sentBytes };
  }
}

/** @throws Ended when there is nothing of this build id any more */
function chooseFile(
  buildId: string,
  ref: UploadJob['ref'],
  opened: DisposableStack,
): { file: RandomAccess; isDebugFile: boolean } {
  const binary = openMappedFile(ref);
  if (!(binary instanceof OpenedFile)) throw new Ended('gone', `the binary cannot be opened: ${binary}`);
  opened.use(binary);
  const elf = new ElfFile(binary);
  if (elf.buildId !== buildId) throw new Ended('gone', `the build id of the file is ${elf.buildId} now`);
  const found = new DebugFiles({ counters: new SymbolCounters() }).find(elf, binary.identity, ref);
  opened.defer(() => {
    for (const file of found.opened) file.close();
  });
  const debug = found.files.debug;
  // A debug file found by its checksum alone has no build id, and the server could not tell what it belongs to.
  return debug?.buildId === buildId
    ? { file: debug.access, isDebugFile: true }
    : { file: binary, isDebugFile: false };
}

/** The bytes of a file, no faster than is allowed. */
async function* chunksOf(file: RandomAccess, onSent: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const startedAt = performance.now();
  for (let at = 0; at < file.byteLength; ) {
    const chunk = file.read(at, Math.min(CHUNK_BYTES, file.byteLength - at));
    if (chunk.byteLength === 0) throw new Ended('gone', 'the file was cut while it was sent');
    yield chunk;
    at += chunk.byteLength;
    onSent(chunk.byteLength);
    const due = startedAt + (at / config.maxBytesPerSecond) * 1000;
    if (due > performance.now()) await sleep(due - performance.now());
  }
}

async function call(method: string, message: object): Promise<Record<string, unknown>> {
  const body = Buffer.from(JSON.stringify(message));
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  const answer: unknown = JSON.parse(await post(method, headers, [body]));
  return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
}

/** @returns the body of a good answer
 * @throws Ended for any other answer, and the errors of the network */
async function post(
  method: string,
  headers: Readonly<Record<string, string>>,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<string> {
  const url = new URL(config.serverUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${SERVICE_PATH}${method}`;
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = send(url, {
    method: 'POST',
    headers: { ...config.headers, ...headers },
    ...(config.authorities === '' ? {} : { ca: config.authorities }),
    // Of silence on the connection, not of the whole.
    timeout: REQUEST_TIMEOUT_MILLIS,
  });
  request.on('timeout', () => request.destroy(new Error('the server does not answer')));
  const answered = new Promise<string>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
        else response.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const status = response.statusCode ?? 0;
        if (status === 200) resolve(text);
        else reject(new Ended(outcomeOf(status), `${method}: ${status} ${text.slice(0, 300)}`));
        // An early answer: the rest of the body is not wanted.
        request.destroy();
      });
    });
  });
  const sent = pipeline(Readable.from(body), request);
  // What the server says is worth more than that it stopped reading.
  sent.catch(() => undefined);
  return answered;
}

function outcomeOf(status: number): UploadOutcome {
  if (status === 404 || status === 405 || status === 501) return 'unsupported';
  const isTemporary = status === 408 || status === 412 || status === 429 || status >= 500;
  return isTemporary ? 'unavailable' : 'refused';
}
