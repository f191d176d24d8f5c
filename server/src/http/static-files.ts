// SPDX-License-Identifier: Apache-2.0
//
// The files of the web UI, read into memory once. A request is looked up in a map by its exact path, so no name that a
// client sends ever reaches the file system, and nothing has to be readable after privileges were dropped.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';

export interface StaticFile {
  readonly contentType: string;
  readonly cacheControl: string;
  /** Quoted, as in the header. */
  readonly etag: string;
  readonly body: Buffer;
  /** Absent when compression does not pay. */
  readonly gzipped: Buffer | undefined;
}

/** By URL path, e.g. `/assets/index-1a2b3c4d.js`; the index page is at `/`. */
export type StaticFiles = ReadonlyMap<string, StaticFile>;

export const MAX_STATIC_FILES = 500;
export const MAX_STATIC_BYTES = 64 * 1024 * 1024;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};
const ALREADY_COMPRESSED: readonly string[] = ['.png', '.woff2'];

/** Paths in which the bundler has put a hash of the content: such a file never changes. */
const HASHED_PATH = /^\/assets\/.*-[A-Za-z0-9_-]{8}\.[a-z0-9]+$/;
const IMMUTABLE = 'public, max-age=31536000, immutable';
const REVALIDATE = 'no-cache';

/** Smaller files fit into one packet anyway. */
const MIN_GZIP_BYTES = 1400;
const INDEX = '/index.html';

const gzipAsync = promisify(gzip);

/** Reads a folder with all its folders; links are not followed.
 * @throws HearthscopeError not_found when it cannot be read, resource_exhausted when it is larger than any UI */
export async function loadStaticFiles(folder: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  let bytes = 0;
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const body = await readFile(file);
      bytes += body.length;
      if (files.size === MAX_STATIC_FILES || bytes > MAX_STATIC_BYTES) {
        throw new HearthscopeError(
          'resource_exhausted',
          `${folder} is no web UI: it has more than ${MAX_STATIC_FILES} files or ${MAX_STATIC_BYTES} bytes`,
        );
      }
      const path = `/${relative(folder, file).split(sep).join('/')}`;
      files.set(path, await staticFile(path, body));
    }
  } catch (error) {
    if (error instanceof HearthscopeError) throw error;
    throw new HearthscopeError('not_found', `cannot read the web UI: ${messageOf(error)}`, { cause: error });
  }
  const index = files.get(INDEX);
  if (index !== undefined) files.set('/', index);
  return files;
}

async function staticFile(path: string, body: Buffer): Promise<StaticFile> {
  const extension = extname(path);
  const mayCompress = body.length >= MIN_GZIP_BYTES && !ALREADY_COMPRESSED.includes(extension);
  const gzipped = mayCompress ? await gzipAsync(body, { level: 9 }) : undefined;
  return {
    contentType: CONTENT_TYPES[extension] ?? 'application/octet-stream',
    cacheControl: HASHED_PATH.test(path) ? IMMUTABLE : REVALIDATE,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    body,
    gzipped: gzipped !== undefined && gzipped.length < body.length ? gzipped : undefined,
  };
}
