// SPDX-License-Identifier: Apache-2.0
//
// Stored profiles as they lie on a disk, for tools that look at them beside a server that may be running: nothing is
// locked, made or removed. Blocks and manifests never change, so what is read of them is whole at any moment; the WAL's
// last segment is not while a server writes it.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { STORE_PREFIX } from '../blocks/manifest-store.ts';
import { DataDir } from '../data-dir.ts';
import { OBJECTS_DIRECTORY, WAL_DIRECTORY } from '../local-store.ts';
import { FileObjectStore } from '../object-store/file-object-store.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { SqlEngine } from '../sql/sql-engine.ts';
import { BLOCK_TOOL_MEMORY_BYTES } from './tool-limits.ts';

export interface StoredData {
  readonly store: ObjectStore;
  /** Undefined for a folder of objects alone. */
  readonly walDirectory: string | undefined;
  /** Whether a server is running on it. */
  readonly isServed: boolean;
}

/** @param path a data directory, or a folder of objects
 * @throws HearthscopeError failed_precondition when it is neither, or cannot be read */
export async function openStoredData(path: string): Promise<StoredData> {
  const objects = join(path, OBJECTS_DIRECTORY);
  const wal = join(path, WAL_DIRECTORY);
  if (existsSync(objects)) {
    return {
      store: await FileObjectStore.openForReading(resolve(objects)),
      walDirectory: existsSync(wal) ? wal : undefined,
      isServed: DataDir.isInUse(path),
    };
  }
  if (!existsSync(join(path, STORE_PREFIX))) {
    throw new HearthscopeError(
      'failed_precondition',
      `${path} is neither a data directory, with a folder ${OBJECTS_DIRECTORY}, nor a folder of objects, with a folder ${STORE_PREFIX}`,
    );
  }
  return {
    store: await FileObjectStore.openForReading(resolve(path)),
    walDirectory: undefined,
    isServed: false,
  };
}

/** SQL over the blocks, with a folder of its own for what does not fit into memory. */
export interface ToolEngine extends Disposable {
  readonly engine: SqlEngine;
  readonly temporaryDirectory: string;
}

/** @param directories what else may be read and written */
export async function openToolEngine(directories: readonly string[]): Promise<ToolEngine> {
  const temporaryDirectory = mkdtempSync(join(tmpdir(), 'hearthscope-tool-'));
  const remove = () => rmSync(temporaryDirectory, { recursive: true, force: true });
  try {
    const engine = await SqlEngine.open({
      memoryLimitBytes: BLOCK_TOOL_MEMORY_BYTES,
      threads: 2,
      temporaryDirectory,
      directories,
      maxSessions: 1,
    });
    return {
      engine,
      temporaryDirectory,
      [Symbol.dispose]: () => {
        engine.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
