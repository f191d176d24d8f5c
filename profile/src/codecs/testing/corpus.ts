// SPDX-License-Identifier: Apache-2.0
//
// Inputs that have been found by damaging others, one file each: `corpus/<format>/<name>.bin`, where the name is a hash of
// the content. The fuzz test starts from them; grow-corpus.ts adds to them.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const HASH_DIGITS = 12;

const folderOf = (format: string) => new URL(`./corpus/${format}/`, import.meta.url);

export function readCorpus(format: string): Uint8Array[] {
  const folder = folderOf(format);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.bin'))
    .sort()
    .map((name) => Uint8Array.from(readFileSync(new URL(name, folder))));
}

export function addToCorpus(format: string, bytes: Uint8Array): void {
  const folder = folderOf(format);
  mkdirSync(folder, { recursive: true });
  const name = createHash('sha256').update(bytes).digest('hex').slice(0, HASH_DIGITS);
  writeFileSync(new URL(`${name}.bin`, folder), bytes);
}
