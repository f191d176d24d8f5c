// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { loadStaticFiles, MAX_STATIC_FILES } from './static-files.ts';

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'hearthscope-ui-'));
});

afterEach(() => fs.rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  fs.mkdirSync(join(folder, name, '..'), { recursive: true });
  fs.writeFileSync(join(folder, name), text);
}

test('files are found by their paths, with types and caching that fit', async () => {
  write('index.html', '<p>');
  write('assets/index-Ab3_x-9z.js', 'x'.repeat(5000));
  write('assets/flame-graph.js', '1');
  write('icons/fire.svg', '<svg/>');
  write('data.bin', '1');
  const files = await loadStaticFiles(folder);
  assert.deepEqual([...files.keys()].sort(), [
    '/',
    '/assets/flame-graph.js',
    '/assets/index-Ab3_x-9z.js',
    '/data.bin',
    '/icons/fire.svg',
    '/index.html',
  ]);
  assert.equal(files.get('/')!.contentType, 'text/html; charset=utf-8');
  assert.equal(files.get('/')!.cacheControl, 'no-cache');
  assert.equal(files.get('/icons/fire.svg')!.contentType, 'image/svg+xml');
  assert.equal(files.get('/data.bin')!.contentType, 'application/octet-stream');
  const script = files.get('/assets/index-Ab3_x-9z.js')!;
  assert.match(script.cacheControl, /immutable/);
  assert.equal(gunzipSync(script.gzipped!).toString(), 'x'.repeat(5000));
  assert.equal(files.get('/assets/flame-graph.js')!.cacheControl, 'no-cache');
  assert.equal(files.get('/assets/flame-graph.js')!.gzipped, undefined);
});

test('the tag follows the content', async () => {
  write('a.txt', 'one');
  const first = (await loadStaticFiles(folder)).get('/a.txt')!.etag;
  assert.equal((await loadStaticFiles(folder)).get('/a.txt')!.etag, first);
  write('a.txt', 'two');
  assert.notEqual((await loadStaticFiles(folder)).get('/a.txt')!.etag, first);
});

test('links are not followed', async () => {
  write('index.html', '<p>');
  fs.symlinkSync('/etc/passwd', join(folder, 'passwd'));
  fs.symlinkSync('/etc', join(folder, 'etc'));
  assert.deepEqual([...(await loadStaticFiles(folder)).keys()].sort(), ['/', '/index.html']);
});

test('a folder that is not there and one that is no UI are errors', async () => {
  await assert.rejects(loadStaticFiles(join(folder, 'none')), { code: 'not_found' });
  for (let i = 0; i < MAX_STATIC_FILES; i++) write(`${i}.txt`, '');
  assert.equal((await loadStaticFiles(folder)).size, MAX_STATIC_FILES);
  write('one-more.txt', '');
  await assert.rejects(loadStaticFiles(folder), { code: 'resource_exhausted' });
});
