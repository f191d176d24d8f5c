// SPDX-License-Identifier: Apache-2.0
//
// Writes the root file system that a guest boots from: a cpio archive in the "newc" form, which the kernel unpacks into
// memory. Programs bring the shared libraries they are linked with.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const DIRECTORY_MODE = 0o040755;
const FILE_MODE = 0o100755;
const LINK_MODE = 0o120777;

export class Initramfs {
  readonly #descriptor: number;
  readonly #names = new Set<string>();
  #inode = 1;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'w');
  }

  /** @param path absolute, in the guest; folders above it are made */
  file(path: string, contents: Uint8Array | string): void {
    this.#entry(path, FILE_MODE, typeof contents === 'string' ? Buffer.from(contents) : contents);
  }

  directory(path: string): void {
    this.#entry(path, DIRECTORY_MODE, new Uint8Array());
  }

  link(path: string, target: string): void {
    this.#entry(path, LINK_MODE, Buffer.from(target));
  }

  /** A program of this machine and its shared libraries, at the paths where they are here (the program: at `path`). */
  program(source: string, path = source): void {
    this.file(path, readFileSync(realpathSync(source)));
    let libraries = '';
    try {
      libraries = execFileSync('ldd', [source], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      return; // It is linked statically.
    }
    for (const [library] of libraries.matchAll(/\/\S+\.so\S*/g)) {
      if (!this.#names.has(library)) this.file(library, readFileSync(realpathSync(library)));
    }
  }

  /** A folder of this machine with what is in it; `wanted` judges paths below it. */
  tree(
    source: string,
    path: string,
    wanted: (relative: string) => boolean = () => true,
    relative = '',
  ): void {
    for (const name of readdirSync(join(source, relative))) {
      const below = join(relative, name);
      if (!wanted(below)) continue;
      const status = lstatSync(join(source, below));
      if (status.isDirectory()) this.tree(source, path, wanted, below);
      else if (status.isSymbolicLink()) this.link(join(path, below), readlinkSync(join(source, below)));
      else if (status.isFile()) this.file(join(path, below), readFileSync(join(source, below)));
    }
  }

  close(): void {
    this.#write('TRAILER!!!', 0, new Uint8Array());
    closeSync(this.#descriptor);
  }

  #entry(path: string, mode: number, contents: Uint8Array): void {
    if (this.#names.has(path)) return;
    const above = dirname(path);
    if (above !== '/') this.#entry(above, DIRECTORY_MODE, new Uint8Array());
    this.#names.add(path);
    this.#write(path.slice(1), mode, contents);
  }

  /** Header of 110 hexadecimal digits, the name with its zero, the contents; both padded to four bytes. */
  #write(name: string, mode: number, contents: Uint8Array): void {
    const nameBytes = Buffer.from(`${name}\0`);
    const fields = [this.#inode++, mode, 0, 0, 1, 0, contents.length, 0, 0, 0, 0, nameBytes.length, 0];
    const header = Buffer.from(
      `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`,
    );
    writeSync(this.#descriptor, padded(Buffer.concat([header, nameBytes])));
    writeSync(this.#descriptor, padded(contents));
  }
}

function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - rest)]);
}
