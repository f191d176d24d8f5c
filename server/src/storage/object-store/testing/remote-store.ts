// SPDX-License-Identifier: Apache-2.0
//
// A folder that seems to be remote: its objects have no local paths, what is read is counted, and a test may interfere.

import { FileObjectStore } from '../file-object-store.ts';
import type { ObjectStore, RequestOptions } from '../object-store.ts';

export interface RangeRead {
  readonly key: string;
  readonly start: number;
  readonly length: number;
}

/** May wait, throw, or change what was read. */
export type Interference = (read: RangeRead, bytes: Uint8Array, signal?: AbortSignal) => Promise<Uint8Array>;

export class RemoteStore implements ObjectStore {
  readonly location = 'test:remote';
  readonly reads: RangeRead[] = [];
  interfere: Interference = async (_, bytes) => bytes;
  readonly #files: FileObjectStore;

  private constructor(files: FileObjectStore) {
    this.#files = files;
  }

  static async open(directory: string): Promise<RemoteStore> {
    return new RemoteStore(await FileObjectStore.open(directory));
  }

  /** Of ranges, since the beginning. @param keyEnd of the keys that count */
  readBytes(keyEnd = ''): number {
    return this.reads.filter(({ key }) => key.endsWith(keyEnd)).reduce((sum, { length }) => sum + length, 0);
  }

  async getRange(
    key: string,
    start: number,
    length: number,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    const read = { key, start, length };
    this.reads.push(read);
    return this.interfere(read, await this.#files.getRange(key, start, length, options), options.signal);
  }

  get: ObjectStore['get'] = (...parameters) => this.#files.get(...parameters);
  head: ObjectStore['head'] = (...parameters) => this.#files.head(...parameters);
  put: ObjectStore['put'] = (...parameters) => this.#files.put(...parameters);
  putFile: ObjectStore['putFile'] = (...parameters) => this.#files.putFile(...parameters);
  putIfAbsent: ObjectStore['putIfAbsent'] = (...parameters) => this.#files.putIfAbsent(...parameters);
  list: ObjectStore['list'] = (...parameters) => this.#files.list(...parameters);
  folders: ObjectStore['folders'] = (...parameters) => this.#files.folders(...parameters);
  delete: ObjectStore['delete'] = (...parameters) => this.#files.delete(...parameters);
  close: ObjectStore['close'] = () => this.#files.close();

  localPath(): undefined {
    return undefined;
  }
}
