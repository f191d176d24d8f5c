// SPDX-License-Identifier: Apache-2.0
//
// Opening paths inside the root directory of another process, as root, without leaving it. Each name is looked up on
// its own below the descriptor of its directory, with O_PATH, which has no side effects: no device, FIFO or tape drive
// is touched. Two ways:
//   openBeneath   follows no symbolic link: for paths of /proc/PID/maps, which contain none
//   openInRoot    follows links as a process with that root would: `..` and absolute targets stay inside

import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';

/** Linux's O_PATH, which node:fs does not name; the same on x86-64 and arm64. */
export const openPath = 0o10000000;
const maxPathComponents = 256;
const maxLinks = 16;
const maxLinkBytes = 4096;

/** The root of a process, for {@link openBeneath} and {@link openInRoot}. */
export function processRoot(pid: number): string {
  return `/proc/${pid}/root`;
}

/** The host's root. The first process's root is the host's, also when the agent itself runs in a container. */
export const hostRoot = firstUsableRoot([processRoot(1), '/']);

/** An O_PATH descriptor of `path` below `root`. Throws the system's error; ENOTDIR also for a link on the way. */
export function openBeneath(root: string, path: string): number {
  const names = componentsOf(path);
  if (names.length > maxPathComponents || names.includes('..')) throw noSuchPath();
  let descriptor = openSync(root, openPath | constants.O_DIRECTORY);
  for (const [i, name] of names.entries()) {
    const kind = i < names.length - 1 ? constants.O_DIRECTORY : 0;
    const parent = descriptor;
    try {
      descriptor = openSync(`/proc/self/fd/${parent}/${name}`, openPath | constants.O_NOFOLLOW | kind);
    } finally {
      closeSync(parent);
    }
  }
  return descriptor;
}

/** As {@link openBeneath}, following up to 16 symbolic links inside of `root`. Throws the system's error, ELOOP for more. */
export function openInRoot(root: string, path: string): number {
  // The descriptors from the root to where the walk stands, so that `..` needs no look-up that could be tricked.
  const walked = [openSync(root, openPath | constants.O_DIRECTORY)];
  const names = componentsOf(path);
  let links = 0;
  let steps = 0;
  try {
    while (names.length > 0) {
      if (++steps > maxPathComponents) throw noSuchPath();
      const name = names.shift()!;
      if (name === '.') continue;
      if (name === '..') {
        if (walked.length > 1) closeSync(walked.pop()!);
        continue;
      }
      const at = `/proc/self/fd/${walked.at(-1)}/${name}`;
      const next = openSync(at, openPath | constants.O_NOFOLLOW);
      if (!fstatSync(next).isSymbolicLink()) {
        walked.push(next);
        continue;
      }
      closeSync(next);
      if (++links > maxLinks) throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
      const target = readlinkSync(at);
      if (target.length > maxLinkBytes) throw noSuchPath();
      if (target.startsWith('/')) for (const passed of walked.splice(1)) closeSync(passed);
      names.unshift(...target.split('/').filter((part) => part !== ''));
    }
    return walked.pop()!;
  } finally {
    for (const descriptor of walked) closeSync(descriptor);
  }
}

function componentsOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  if (!path.startsWith('/') || names.length === 0) throw noSuchPath();
  return names;
}

function noSuchPath(): Error {
  return Object.assign(new Error('not an absolute path'), { code: 'ENOENT' });
}

function firstUsableRoot(roots: readonly string[]): string {
  const isUsable = (root: string): boolean => {
    try {
      closeSync(openSync(root, openPath | constants.O_DIRECTORY));
      return true;
    } catch {
      return false;
    }
  };
  return roots.find(isUsable) ?? '/';
}
