// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import fc from 'fast-check';
import { MAX_PARTS, type MultipartForm, readMultipartForm } from './multipart-form.ts';

const CONTENT_TYPE = 'multipart/form-data; boundary="edge"';

function bytesOf(parts: readonly (readonly [headers: string, content: Uint8Array])[]): Uint8Array {
  return Buffer.concat([
    ...parts.flatMap(([headers, content]) => [
      Buffer.from(`--edge\r\n${headers}\r\n\r\n`, 'latin1'),
      content,
      Buffer.from('\r\n'),
    ]),
    Buffer.from('--edge--\r\n'),
  ]);
}

const disposition = (name: string, filename?: string) =>
  `Content-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}`;
const read = (parts: Parameters<typeof bytesOf>[0]) => readMultipartForm(bytesOf(parts), CONTENT_TYPE);
const text = (form: MultipartForm, name: string) => Buffer.from(form.get(name) ?? []).toString('latin1');

test('property: any bytes come through, in parts with and without file names', async () => {
  const content = fc.uint8Array({ maxLength: 200 }).filter((bytes) => !Buffer.from(bytes).includes('--edge'));
  await fc.assert(
    fc.asyncProperty(content, content, async (file, field) => {
      const form = await read([
        [disposition('profile', 'a.pprof'), file],
        [disposition('labels'), field],
      ]);
      assert.deepEqual([...(form.get('profile') ?? [])], [...file]);
      assert.deepEqual([...(form.get('labels') ?? [])], [...field]);
    }),
    { numRuns: 50 },
  );
});

test('the first of equal names counts, and parts without name are left out', async () => {
  const form = await read([
    [disposition('a', 'x'), Buffer.from('1')],
    [disposition('a', 'x'), Buffer.from('2')],
    ['Content-Type: text/plain', Buffer.from('3')],
  ]);
  assert.deepEqual([text(form, 'a'), form.size], ['1', 1]);
});

test('as many parts as are allowed, and one more', async () => {
  const parts = (count: number) =>
    Array.from({ length: count }, (_, i) => [disposition(`p${i}`, 'x'), Buffer.from('x')] as const);
  assert.equal((await read(parts(MAX_PARTS))).size, MAX_PARTS);
  await assert.rejects(read(parts(MAX_PARTS + 1)), /more than 16 parts/);
});

test('headers are bounded', async () => {
  const headers = `${disposition('a', 'x')}\r\nX-Long: ${'y'.repeat(20_000)}`;
  await assert.rejects(read([[headers, Buffer.from('1')]]), /multipart form: /);
});

test('fuzz: damaged forms are read or refused, and nothing hangs', async () => {
  const whole = bytesOf([
    [disposition('profile', 'a.pprof'), Buffer.from('0123456789')],
    [disposition('sample_type_config', 'b.json'), Buffer.from('{}')],
  ]);
  const damage = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255), end: fc.nat(whole.length) });
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
      const bytes = Uint8Array.from(whole);
      for (const { at, byte } of damages) bytes[at] = byte;
      try {
        await readMultipartForm(bytes.subarray(0, damages[0]!.end), CONTENT_TYPE);
      } catch (error) {
        assert.ok(error instanceof HearthscopeError && error.code === 'invalid_argument', String(error));
      }
    }),
    { numRuns: 500 },
  );
});
