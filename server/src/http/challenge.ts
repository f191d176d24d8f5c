// SPDX-License-Identifier: Apache-2.0
//
// Answers 401 say how to authenticate, whoever gives them: the header is added when a response is about to be sent.

import type { HttpResponse } from '../listen.ts';

type WriteHead = (status: number, ...rest: unknown[]) => unknown;

const STATUS_UNAUTHORIZED = 401;

/** @param challenge the value of `WWW-Authenticate` */
export function addChallenge(response: HttpResponse, challenge: string): void {
  const writeHead = response.writeHead.bind(response) as WriteHead;
  const challenging: WriteHead = (status, ...rest) => {
    if (status === STATUS_UNAUTHORIZED) response.setHeader('WWW-Authenticate', challenge);
    return writeHead(status, ...rest);
  };
  response.writeHead = challenging as HttpResponse['writeHead'];
}
