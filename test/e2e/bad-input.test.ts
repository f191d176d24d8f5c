// SPDX-License-Identifier: Apache-2.0
//
// Bad input at each door of the real server: it gets an error that says what is wrong, the server's memory stays bounded,
// and a good request beside it is stored.

import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { createGzip, gzipSync } from 'node:zlib';
import type { ServiceError } from '@grpc/grpc-js';
import { encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import { foreignOtlpClient } from '../harness/foreign-otlp-client.ts';
import { flameGraph, totalOf } from '../harness/querier.ts';
import { type RunningTestServer, startServer } from '../harness/server.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';

const OTLP_PATH = '/v1development/profiles';
const PROTOBUF = 'application/x-protobuf';
const MEBIBYTE = 1024 * 1024;
const MAX_BODY = 8 * MEBIBYTE;
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;

function goodRequest(functionName: string): Uint8Array<ArrayBuffer> {
  const bytes = encodeTestRequest([
    {
      resource: { 'service.name': 'survivor' },
      period: 1000,
      timeUnixNanos: BigInt(Date.now()) * 1_000_000n,
      samples: [{ stack: ['main', functionName], value: 5 }],
    },
  ]);
  return new Uint8Array(bytes);
}

describe('bad input', () => {
  const directory = temporaryDirectory('bad-input');
  let server: RunningTestServer;

  before(async () => {
    server = await startServer(directory, [`--max-body-bytes=${MAX_BODY}`]);
  });

  after(async () => {
    await server?.command.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  function post(body: Uint8Array<ArrayBuffer>, headers: Record<string, string>, baseUrl = server.baseUrl) {
    return fetch(`${baseUrl}${OTLP_PATH}`, { method: 'POST', body, headers });
  }

  async function expectStored(functionName: string): Promise<void> {
    const nodes = await flameGraph(server.baseUrl, '{service_name="survivor"}');
    assert.equal(totalOf(nodes, functionName), 5 * 1000, functionName);
  }

  for (const [door, baseUrl] of [
    ['the main port', () => server.baseUrl],
    ['the OTLP HTTP port', () => server.otlpHttpUrl],
  ] as const) {
    it(`over HTTP at ${door}: refused with a reason, and the next request is stored`, async () => {
      const good = goodRequest(`after_${door.replaceAll(' ', '_')}`);
      const gzip = new Uint8Array(gzipSync(good));
      const cases: [
        what: string,
        body: Uint8Array<ArrayBuffer>,
        headers: Record<string, string>,
        status: number,
      ][] = [
        ['truncated gzip', gzip.slice(0, -9), { 'content-type': PROTOBUF, 'content-encoding': 'gzip' }, 400],
        ['no gzip at all', good, { 'content-type': PROTOBUF, 'content-encoding': 'gzip' }, 400],
        ['truncated protobuf', good.slice(0, -3), { 'content-type': PROTOBUF }, 400],
        ['noise', new Uint8Array(64).fill(0xff), { 'content-type': PROTOBUF }, 400],
        ['unknown content type', good, { 'content-type': 'text/plain' }, 415],
        ['unknown encoding', good, { 'content-type': PROTOBUF, 'content-encoding': 'br' }, 415],
        ['too large', new Uint8Array(MAX_BODY + 1), { 'content-type': PROTOBUF }, 413],
      ];
      for (const [what, body, headers, status] of cases) {
        const response = await post(body, headers, baseUrl());
        const text = await response.text();
        assert.equal(response.status, status, `${what}: ${text}`);
        assert.ok(text.length > 0, `${what}: an empty body says nothing`);
      }
      assert.equal(
        (await post(gzip, { 'content-type': PROTOBUF, 'content-encoding': 'gzip' }, baseUrl())).status,
        200,
      );
      await expectStored(`after_${door.replaceAll(' ', '_')}`);
    });
  }

  for (const [door, address] of [
    ['the main port', () => server.address],
    ['the OTLP gRPC port', () => server.otlpGrpcAddress],
  ] as const) {
    it(`over gRPC at ${door}: refused with a status, and the next request is stored`, async () => {
      const client = foreignOtlpClient(address());
      const functionName = `after_grpc_${door.replaceAll(' ', '_')}`;
      const refusal = async (body: Uint8Array) => {
        const error = await client.send(body).then(
          () => assert.fail('it was accepted'),
          (thrown: ServiceError) => thrown,
        );
        assert.ok(error.details.length > 0);
        return error.code as number;
      };
      assert.equal(await refusal(goodRequest('x').slice(0, -3)), INVALID_ARGUMENT);
      assert.equal(await refusal(new Uint8Array(64).fill(0xff)), INVALID_ARGUMENT);
      assert.equal(await refusal(new Uint8Array(MAX_BODY + 1)), RESOURCE_EXHAUSTED);
      await client.send(goodRequest(functionName));
      client.close();
      await expectStored(functionName);
    });
  }

  it('a gzip bomb of 1 GiB costs neither memory nor the server', async () => {
    const resident = () =>
      Number(readFileSync(`/proc/${server.command.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)?.[1]) * 1024;
    const before = resident();
    const url = new URL(OTLP_PATH, server.baseUrl);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(url, {
        method: 'POST',
        headers: { 'content-type': PROTOBUF, 'content-encoding': 'gzip' },
      });
      request.on('response', (response) => {
        resolve(response.statusCode);
        response.resume();
        request.destroy();
      });
      request.on('error', reject);
      const gzip = createGzip();
      gzip.pipe(request);
      const zeros = Buffer.alloc(MEBIBYTE);
      let written = 0;
      const write = (): void => {
        while (written++ < 1024) {
          if (!gzip.write(zeros)) {
            gzip.once('drain', write);
            return;
          }
        }
        gzip.end();
      };
      write();
    });
    assert.equal(status, 413);
    const grown = resident() - before;
    assert.ok(grown < 100 * MEBIBYTE, `the server grew by ${(grown / MEBIBYTE).toFixed(0)} MiB`);
    assert.equal((await fetch(`${server.baseUrl}/ready`)).status, 200);
  });

  it('wrong field numbers: a profile in the old numbering is read, a contradiction is refused', async () => {
    // Sample: stack_index 1 = 1 (varint), field 2 packed [7], field 4 varint: what 1.9 wrote and 1.10 cannot mean.
    const old = Uint8Array.from([0x08, 1, 0x12, 1, 7, 0x20, 0]);
    const contradictory = Uint8Array.from([...old, 0x22, 1, 7]);
    const withSample = (sample: Uint8Array) => replaceSample(goodRequest('old_numbering'), sample);
    assert.equal((await post(withSample(old), { 'content-type': PROTOBUF })).status, 200);
    const nodes = await flameGraph(server.baseUrl, '{service_name="survivor"}');
    assert.equal(totalOf(nodes, 'old_numbering'), 7 * 1000);
    const refused = await post(withSample(contradictory), { 'content-type': PROTOBUF });
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /1\.9/);
  });

  it('unknown routes and methods are named as such', async () => {
    const unknown = await fetch(`${server.baseUrl}/no/such/route`);
    assert.equal(unknown.status, 404);
    assert.equal(((await unknown.json()) as { code: string }).code, 'not_found');
    const wrongMethod = await fetch(`${server.baseUrl}/querier.v1.QuerierService/ProfileTypes`, {
      method: 'PUT',
    });
    assert.equal(wrongMethod.status, 405);
    assert.match(wrongMethod.headers.get('allow') ?? '', /POST/);
  });
});

/** The request with its only sample's bytes replaced; every enclosing length is written anew. */
function replaceSample(request: Uint8Array, sample: Uint8Array): Uint8Array<ArrayBuffer> {
  // request.resource_profiles(1).scope_profiles(2).profiles(2).samples(2)
  return new Uint8Array(replaceField(request, [1, 2, 2, 2], sample));
}

function replaceField(message: Uint8Array, path: readonly number[], replacement: Uint8Array): Uint8Array {
  if (path.length === 0) return replacement;
  const [wanted, ...rest] = path;
  const out: number[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    const wireType = tag & 7;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 2) {
      const length = varint();
      const content = message.subarray(at, at + length);
      at += length;
      if (tag >>> 3 === wanted) {
        const inner = replaceField(content, rest, replacement);
        out.push(...varintBytes(tag), ...varintBytes(inner.length), ...inner);
        continue;
      }
    }
    out.push(...message.subarray(start, at));
  }
  return Uint8Array.from(out);
}

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}
