// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { bytesFetch } from './connect.ts';

const signal = new AbortController().signal;
let refuses = false;
/** Answers with what it was asked. */
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, url, headers } = request;
  const text = [method, url, headers['content-type'] ?? '', Buffer.concat(chunks).toString('hex')].join(' ');
  if (refuses) response.writeHead(400).end(JSON.stringify({ code: 'invalid_argument', message: text }));
  else response.end(text);
});
before(() => new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening)));
after(() => server.close());
const fetchBytes = () => bytesFetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/proxy/`);

test('bytes are asked for below the address of the page, by POST with a body', async () => {
  const text = async (bytes: Promise<ArrayBuffer>) => Buffer.from(await bytes).toString();
  assert.equal(await text(fetchBytes()('a?b=c', signal)), 'GET /proxy/a?b=c  ');
  const body = { contentType: 'application/proto', bytes: Uint8Array.of(0, 255) };
  assert.equal(await text(fetchBytes()('a', signal, body)), 'POST /proxy/a application/proto 00ff');
});

test('a refusal comes with its code and message', async () => {
  refuses = true;
  await assert.rejects(fetchBytes()('a', signal), { code: 'invalid_argument', message: /^GET \/proxy\/a/ });
});
