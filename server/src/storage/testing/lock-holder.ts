// SPDX-License-Identifier: Apache-2.0
//
// Locks a data directory and holds it until it is killed: DIR [UID GID].

import { DataDir } from '../data-dir.ts';

const [path, uid, gid] = process.argv.slice(2);
if (uid !== undefined && gid !== undefined) {
  process.setgroups!([]);
  process.setgid!(Number(gid));
  process.setuid!(Number(uid));
}
try {
  const directory = DataDir.open(path!);
  process.stdout.write('locked\n');
  // Also keeps the directory from being collected, which would unlock it.
  setInterval(() => directory.path, 1000);
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
}
