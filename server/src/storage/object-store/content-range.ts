// SPDX-License-Identifier: Apache-2.0
//
// The header by which a storage says which part of an object it sends: `bytes 0-99/1234`.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** Of an empty object some send `bytes 0--1/0`. */
const CONTENT_RANGE = /^bytes (\d+)-(-?\d+)\/(\d+)$/;

/** The length of the whole object. @param start where the part was asked to begin
 * @throws HearthscopeError failed_precondition when something else came than was asked for */
export function objectBytesOf(contentRange: string | undefined, start: number): number {
  const match = CONTENT_RANGE.exec(contentRange ?? '');
  if (match === null || Number(match[1]) !== start) {
    throw new HearthscopeError(
      'failed_precondition',
      `a part from byte ${start} on was asked for, the storage sent ${JSON.stringify(contentRange ?? 'the whole')}`,
    );
  }
  return Number(match[3]);
}
