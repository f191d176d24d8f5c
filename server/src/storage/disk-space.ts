// SPDX-License-Identifier: Apache-2.0
//
// Whether there is room for more. Storing stops before the disk is full, not when it is: what the head holds must still
// become blocks, and upkeep must be able to write the manifest that lets old blocks go.

import { statfs } from 'node:fs/promises';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Log } from './log.ts';

export interface DiskSpaceOptions {
  readonly directory: string;
  /** Below it nothing more is stored. 0 means no limit. */
  readonly minFreeBytes: number;
  /** Called when storing begins to be refused, with the reason, and with undefined when it is not any more. */
  readonly onStateChange: (failure: string | undefined) => void;
  readonly log: Log;
}

export class DiskSpace {
  readonly #options: DiskSpaceOptions;
  #failure: HearthscopeError | undefined;
  #freeBytes = Number.POSITIVE_INFINITY;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
  }

  /** As of the last look. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  get isRefusing(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws HearthscopeError unavailable when nothing more is stored */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async look(): Promise<void> {
    const { directory, minFreeBytes, onStateChange, log } = this.#options;
    try {
      const { bavail, bsize } = await statfs(directory);
      this.#freeBytes = bavail * bsize;
    } catch (error) {
      log.warn({ directory, error: messageOf(error) }, 'the free space of the disk cannot be read');
      return;
    }
    const isShort = this.#freeBytes < minFreeBytes;
    if (isShort === this.isRefusing) return;
    this.#failure = isShort
      ? new HearthscopeError(
          'unavailable',
          `the disk of ${directory} is nearly full: ${this.#freeBytes} bytes are free, ${minFreeBytes} are needed; free some space on it`,
        )
      : undefined;
    if (isShort)
      log.error(
        { directory, freeBytes: this.#freeBytes, minFreeBytes },
        'profiles are refused until the disk has space',
      );
    else log.info({ directory, freeBytes: this.#freeBytes }, 'the disk has space again; profiles are stored');
    onStateChange(this.#failure?.message);
  }
}
