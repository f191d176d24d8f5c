// SPDX-License-Identifier: Apache-2.0
//
// A file system so small that it can be filled: a tmpfs, which needs the right to mount.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Why there are no small disks here; undefined where there are. */
export const NO_SMALL_DISK: string | undefined = reason();

/** @returns a folder on a file system of its own, which is gone after the test */
export function smallDisk(t: TestContext, mebibytes: number): string {
  const path = mkdtempSync(join(tmpdir(), 'hearthscope-disk-'));
  mount(path, mebibytes);
  t.after(() => unmount(path));
  return path;
}

/** Takes space until it is removed. @returns the file */
export function ballast(disk: string, mebibytes: number): string {
  const path = join(disk, `ballast-${mebibytes}`);
  writeFileSync(path, Buffer.alloc(mebibytes * 1024 * 1024));
  return path;
}

function reason(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to mount a small file system';
  const path = mkdtempSync(join(tmpdir(), 'hearthscope-disk-'));
  try {
    mount(path, 1);
  } catch (error) {
    rmSync(path, { recursive: true });
    return `cannot mount a tmpfs here: ${(error as Error).message}`;
  }
  unmount(path);
  return undefined;
}

function mount(path: string, mebibytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path], { stdio: 'pipe' });
}

function unmount(path: string): void {
  execFileSync('umount', ['-l', path], { stdio: 'pipe' });
  rmSync(path, { recursive: true });
}
