// SPDX-License-Identifier: Apache-2.0
//
// The data directory: made, checked and locked. The lock is a POSIX record lock that SQLite holds on the empty file
// `lock`: the kernel drops it when the process ends, however it ends, so no pid file can go stale.
//
// Such a lock belongs to the process, and closing any descriptor of the file, anywhere in the process, drops it too.
// Nothing else may open `lock`.

import { randomUUID } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lchownSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { makeDirectory } from './make-directory.ts';

const LOCK_NAME = 'lock';
const WRITER_ID_NAME = 'writer-id';
const WRITER_ID = /^[0-9a-f-]{36}$/;
const LOCK_MODE = 0o640;
const SQLITE_BUSY = 5;

export class DataDir {
  readonly path: string;
  readonly #lock: DatabaseSync;

  private constructor(path: string, lock: DatabaseSync) {
    this.path = path;
    this.#lock = lock;
  }

  /** Locks the directory, which is made when it is not there. What root makes in somebody's directory becomes theirs, so
   * that they can use it without root the next time.
   * @throws HearthscopeError failed_precondition when it cannot be written, or another process uses it */
  static open(path: string): DataDir {
    try {
      makeDirectory(path);
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
      createLockFile(path);
    } catch (error) {
      throw unusable(path, error);
    }
    return new DataDir(path, lock(path));
  }

  /** Whether a living process has locked the directory, as far as the caller may know. Must not be asked by a process that
   * has locked it. */
  static isInUse(path: string): boolean {
    if (!existsSync(join(path, LOCK_NAME))) return false;
    try {
      lock(path).close();
      return false;
    } catch {
      return true;
    }
  }

  /** Makes a directory in it.
   * @returns its path
   * @throws HearthscopeError failed_precondition when that is not possible */
  subdirectory(name: string): string {
    const path = join(this.path, name);
    try {
      makeDirectory(path);
      giveToOwner(path, this.path);
      if (!lstatSync(path).isDirectory()) throw new Error(`${path} is a link`);
      return path;
    } catch (error) {
      throw unusable(this.path, error);
    }
  }

  /** Names this directory among others that write to one object store; made at the first call.
   * @throws HearthscopeError failed_precondition when it cannot be read or made */
  writerId(): string {
    const path = join(this.path, WRITER_ID_NAME);
    try {
      if (!existsSync(path)) {
        const temporary = `${path}.new`;
        writeFileSync(temporary, `${randomUUID()}\n`, { mode: LOCK_MODE, flush: true });
        giveToOwner(temporary, this.path);
        renameSync(temporary, path);
      }
      const id = readFileSync(path, 'utf8').trim();
      if (!WRITER_ID.test(id)) throw new Error(`${path} holds no writer id`);
      return id;
    } catch (error) {
      throw unusable(this.path, error);
    }
  }

  close(): void {
    this.#lock.close();
  }
}

/** One that exists is not opened: this process may hold its lock, and closing it would drop that. */
function createLockFile(directory: string): void {
  const path = join(directory, LOCK_NAME);
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, LOCK_MODE));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  giveToOwner(path, directory);
  if (!lstatSync(path).isFile()) throw new Error(`${path} is not a file`);
}

/** What root makes belongs to whom the directory belongs to. */
function giveToOwner(path: string, directory: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(directory);
  lchownSync(path, uid, gid);
}

function lock(directory: string): DatabaseSync {
  const path = join(directory, LOCK_NAME);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    const busy = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
    throw new HearthscopeError(
      'failed_precondition',
      busy
        ? `the data directory ${directory} is in use by another process; stop that process, or give another directory`
        : `the data directory ${directory} cannot be locked: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function unusable(path: string, error: unknown): HearthscopeError {
  return new HearthscopeError(
    'failed_precondition',
    `the data directory ${path} cannot be used: ${messageOf(error)}; give another one, or make it writable`,
    { cause: error },
  );
}
