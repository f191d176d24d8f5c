// SPDX-License-Identifier: Apache-2.0
//
// The guest's root file system: a shell, the pinned Node, this repository's sources with what they need at run time, the
// addon, and test programs.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../harness/hearthscope.ts';
import type { BuiltProgram } from '../harness/program-builder.ts';
import { Initramfs } from './initramfs.ts';

const ROOM = '/hearthscope';
const BUSYBOX = '/bin/busybox';
const SOURCES = /\.(ts|js|json)$/;

const INIT = `#!/bin/sh
export PATH=/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox mount -t tracefs tracefs /sys/kernel/tracing
cd ${ROOM}/test/kernel-matrix
node --conditions=source --disable-warning=ExperimentalWarning guest.ts
busybox poweroff -f
`;

export function busyboxMissing(): boolean {
  return !existsSync(BUSYBOX);
}

/** Writes the image; its programs lie where they lie here. */
export function writeGuestImage(path: string, programs: readonly BuiltProgram[]): void {
  const image = new Initramfs(path);
  for (const folder of ['/proc', '/sys', '/dev', '/tmp', '/root']) image.directory(folder);
  image.file('/init', INIT);
  image.program(BUSYBOX, '/bin/busybox');
  image.link('/bin/sh', 'busybox');
  image.file('/etc/passwd', 'root:x:0:0::/root:/bin/sh\n');
  image.program(process.execPath, '/bin/node');

  for (const workspace of ['profile', 'native', 'agent']) copyWorkspace(image, workspace);
  image.tree(join(repositoryRoot, 'test'), `${ROOM}/test`, isSource);
  image.file(`${ROOM}/package.json`, readFileSync(join(repositoryRoot, 'package.json')));
  const addon = 'native/build/Release/hearthscope.node';
  image.program(join(repositoryRoot, addon), `${ROOM}/${addon}`);

  for (const program of programs) image.program(program.path);
  image.file('/programs.json', JSON.stringify(programs));
  image.close();
}

function isSource(relative: string): boolean {
  if (/^(node_modules|dist|build)$/.test(relative)) return false;
  return SOURCES.test(relative) || !/\.[^/]*$/.test(relative);
}

function copyWorkspace(image: Initramfs, workspace: string): void {
  const source = join(repositoryRoot, workspace);
  image.tree(source, `${ROOM}/${workspace}`, isSource);
  image.link(`${ROOM}/node_modules/@hearthscope/${workspace}`, `../../${workspace}`);
  copyDependencies(image, source, new Set());
}

/** What the package asks for at run time, all the way down. */
function copyDependencies(image: Initramfs, folder: string, seen: Set<string>): void {
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    const source = join(repositoryRoot, 'node_modules', name);
    if (name.startsWith('@hearthscope/') || seen.has(name) || !existsSync(source)) continue;
    seen.add(name);
    image.tree(source, `${ROOM}/node_modules/${name}`, (relative) => !relative.includes('/test'));
    copyDependencies(image, source, seen);
  }
}
