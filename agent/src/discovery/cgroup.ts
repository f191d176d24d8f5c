// SPDX-License-Identifier: Apache-2.0
//
// Reads /proc/PID/cgroup. Three layouts occur: v1 (one line per controller), v2 (one line `0::/path`) and hybrid
// (v1 controllers beside a v2 hierarchy that may hold every process in its root).

/** The paths of one process in the cgroup hierarchies, without those that say nothing ("/"). */
export interface CgroupPaths {
  /** Where systemd puts the process: the v2 path, else the v1 `name=systemd` path, else ''. */
  readonly systemd: string;
  /** Every distinct path, the most telling hierarchy first. */
  readonly all: readonly string[];
}

export const NO_CGROUP: CgroupPaths = { systemd: '', all: [] };

/** @param text the contents of /proc/PID/cgroup; lines that are not `id:controllers:path` are ignored. */
export function parseCgroups(text: string): CgroupPaths {
  let unified = '';
  let named = '';
  const controllers: string[] = [];
  for (const line of text.split('\n')) {
    const first = line.indexOf(':');
    const second = line.indexOf(':', first + 1);
    if (first < 1 || second < 0) continue;
    const path = normalizeCgroupPath(line.slice(second + 1));
    if (path === '') continue;
    const names = line.slice(first + 1, second);
    if (names === '' && line.startsWith('0:')) unified = path;
    else if (names === 'name=systemd') named = path;
    else controllers.push(path);
  }
  const all = [...new Set([unified, named, ...controllers])].filter((path) => path !== '');
  return { systemd: unified || named, all };
}

/**
 * Drops what a removed cgroup (` (deleted)`) and a cgroup namespace (`/../..`) add, so that the same rules match inside
 * and outside of a container. The root is ''.
 */
function normalizeCgroupPath(path: string): string {
  const parts = path
    .replace(/ \(deleted\)$/, '')
    .split('/')
    .filter((part) => part !== '' && part !== '..' && part !== '.');
  return parts.length === 0 ? '' : `/${parts.join('/')}`;
}
