// SPDX-License-Identifier: Apache-2.0
//
// Makes a directory and those above it. Node's own recursion never ends where the file system says that a directory is
// missing whose parent is there, as /proc does.

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const DATA_DIRECTORY_MODE = 0o750;
/** Folders above the data keep the usual mode: whoever uses the data must be able to pass through them. */
const PARENT_MODE = 0o755;

/** Does nothing when there is something of that name. */
export function makeDirectory(path: string): void {
  const absolute = resolve(path);
  if (existsSync(absolute)) return;
  makeParents(dirname(absolute));
  mkdirSync(absolute, { mode: DATA_DIRECTORY_MODE });
}

function makeParents(path: string): void {
  if (existsSync(path)) return;
  makeParents(dirname(path));
  mkdirSync(path, { mode: PARENT_MODE });
}
