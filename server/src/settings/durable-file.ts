// SPDX-License-Identifier: Apache-2.0
//
// Files that are there as a whole or not at all, and stay when the machine loses power: written under another name, made
// durable, then renamed into their place.

import { constants, existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

const FOLDER_MODE = 0o750;
const FILE_MODE = 0o640;

/** Replaces a file, whose folder is made when it is not there.
 * @param stagingPath on the same file system; what an earlier attempt left there is overwritten. Two writes at a time must
 * not share it */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  stagingPath = `${path}.tmp`,
): Promise<void> {
  await makeDurableFolder(dirname(stagingPath));
  await makeDurableFolder(dirname(path));
  const handle = await open(stagingPath, 'w', FILE_MODE);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(stagingPath, path);
  await syncFolder(dirname(path));
}

/** Makes a folder and those above it. A name is durable when the folder that it is in is. */
export async function makeDurableFolder(path: string): Promise<void> {
  if (existsSync(path)) return;
  await makeDurableFolder(dirname(path));
  await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  await syncFolder(dirname(path));
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
