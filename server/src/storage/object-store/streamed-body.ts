// SPDX-License-Identifier: Apache-2.0
//
// The body of an answer as the SDKs that give Node's streams have it.

import type { Readable } from 'node:stream';
import type { BucketBody } from './bucket-client.ts';
import { objectBytesOf } from './content-range.ts';

export interface StreamedAnswer {
  readonly stream: Readable;
  readonly contentLength: number | undefined;
  readonly contentRange: string | undefined;
}

/** @param rangeStart where the part was asked to begin; undefined for the whole object
 * @throws HearthscopeError failed_precondition when something else came than was asked for */
export function streamedBody(
  { stream, contentLength = 0, contentRange }: StreamedAnswer,
  rangeStart: number | undefined,
  signal: AbortSignal,
): BucketBody {
  // Whoever reads gets the error as well; when nobody does, it ends here.
  stream.on('error', () => undefined);
  signal.addEventListener('abort', () => stream.destroy());
  return {
    promisedBytes: contentLength,
    objectBytes: rangeStart === undefined ? contentLength : objectBytesOf(contentRange, rangeStart),
    stream,
  };
}
