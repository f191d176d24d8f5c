// SPDX-License-Identifier: Apache-2.0
//
// Who owns the data directory. A server that starts as root creates files as root and goes on as another user, who must
// be able to write them. Root must never be talked into giving away a file that is not ours, so nothing is followed by
// name: everything is opened without following links, and the entries of a folder through the open folder.

import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { UnprivilegedUser } from './privileges.ts';
import { makeDirectory } from './storage/make-directory.ts';

const ROOT = 0;
/** Linux: a descriptor that only stands for the file. Opening it blocks on no pipe, and closing it drops no lock that
 * the process holds on the file, as closing an ordinary descriptor would. Node has no name for it. */
const O_PATH = 0o10000000;
const OPEN_ENTRY = O_PATH | constants.O_NOFOLLOW;
const OPEN_FOLDER = OPEN_ENTRY | constants.O_DIRECTORY;

/** Makes the directory and, when this process is root, gives it to the user it will become.
 * @param user whom this process, which is root, will become; null when it stays who it is
 * @returns the directory's path without links
 * @throws HearthscopeError failed_precondition when the directory cannot be used, or is somebody else's with files in it */
export function claimDataDirectory(path: string, user: UnprivilegedUser | null): string {
  try {
    makeDirectory(path);
    const realPath = realpathSync(path);
    if (user === null) {
      accessSync(realPath, constants.R_OK | constants.W_OK | constants.X_OK);
    } else {
      giveDirectory(realPath, user);
      requireWritableBy(user, realPath);
    }
    return realPath;
  } catch (error) {
    if (error instanceof HearthscopeError) throw error;
    throw unusable(path, messageOf(error), error);
  }
}

function giveDirectory(path: string, { uid, gid }: UnprivilegedUser): void {
  const folder = openSync(path, OPEN_FOLDER);
  try {
    const owner = fstatSync(folder).uid;
    if (owner === uid) return;
    if (readdirSync(procPath(folder)).length > 0) {
      throw unusable(
        path,
        `it has files in it and belongs to uid ${owner}, while the server runs as uid ${uid}`,
      );
    }
    chownSync(procPath(folder), uid, gid);
  } finally {
    closeSync(folder);
  }
}

/** Gives the user everything in the directory that root owns: what this process has just made. Links to files, further
 * names of a file, and what is neither file nor folder are left alone.
 * @returns the paths left alone */
export function giveContents(path: string, user: UnprivilegedUser): string[] {
  const leftAlone: string[] = [];
  const folder = openSync(path, OPEN_FOLDER);
  try {
    giveEntries(folder, path, user, leftAlone);
  } finally {
    closeSync(folder);
  }
  return leftAlone;
}

function giveEntries(folder: number, path: string, user: UnprivilegedUser, leftAlone: string[]): void {
  for (const name of readdirSync(procPath(folder))) {
    const entryPath = `${path}/${name}`;
    const entry = openSync(`${procPath(folder)}/${name}`, OPEN_ENTRY);
    try {
      const stats = fstatSync(entry);
      if (stats.isDirectory()) giveEntries(entry, entryPath, user, leftAlone);
      if (!isGivable(stats)) leftAlone.push(entryPath);
      else if (stats.uid === ROOT) chownSync(procPath(entry), user.uid, user.gid);
    } finally {
      closeSync(entry);
    }
  }
}

function isGivable(stats: Stats): boolean {
  return stats.isDirectory() || (stats.isFile() && stats.nlink === 1);
}

/** Tries, as the user, what the server will have to do after it became that user. */
function requireWritableBy(user: UnprivilegedUser, path: string): void {
  const groups = process.getgroups!();
  process.setgroups!([]);
  process.setegid!(user.gid);
  process.seteuid!(user.uid);
  try {
    rmdirSync(mkdtempSync(join(path, 'check-')));
  } catch (error) {
    throw unusable(path, `uid ${user.uid} cannot reach or write it (${messageOf(error)})`, error);
  } finally {
    process.seteuid!(ROOT);
    process.setegid!(ROOT);
    process.setgroups!(groups);
  }
}

function procPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

function unusable(path: string, why: string, cause?: unknown): HearthscopeError {
  return new HearthscopeError(
    'failed_precondition',
    `data directory ${path} cannot be used: ${why}; change its owner or choose another with --data-dir`,
    { cause },
  );
}
