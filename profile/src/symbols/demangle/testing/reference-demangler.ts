// SPDX-License-Identifier: Apache-2.0
//
// What our demangler is compared with: LLVM's `llvm-cxxfilt`, and GNU's `c++filt` where the two may differ. And where
// the names come from: symbol tables of installed libraries and of sources that are compiled for the comparison.

import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';

const maxOutputBytes = 1 << 30;

/** The path of the first of these programs that is installed. */
export function findTool(...names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(':');
  for (const name of names) {
    for (const folder of folders) {
      const path = `${folder}/${name}`;
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // The next folder may have it.
      }
    }
  }
  return undefined;
}

/** `llvm-cxxfilt` of the version that names are compared with. */
export const llvmCxxfilt = findTool('llvm-cxxfilt-19', 'llvm-cxxfilt');

/** The demangled names, in order. @throws Error when the tool fails. */
export function filterNames(tool: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const input = `${names.join('\n')}\n`;
  const output = execFileSync(tool, { input, encoding: 'utf8', maxBuffer: maxOutputBytes });
  const lines = output.split('\n').slice(0, -1);
  if (lines.length !== names.length)
    throw new Error(`${tool}: ${names.length} names gave ${lines.length} lines`);
  return lines;
}

const mangled = /^(?:_Z|___Z|_R)\S+$/;

/** The distinct mangled names of both symbol tables of a file. */
export function mangledNames(path: string): string[] {
  const names = new Set<string>();
  for (const table of [[], ['-D']]) {
    const output = execFileSync('nm', [...table, '-P', path], {
      encoding: 'utf8',
      maxBuffer: maxOutputBytes,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for (const line of output.split('\n')) {
      const name = line.slice(0, line.indexOf(' ')).replace(/@.*/, '');
      if (mangled.test(name)) names.add(name);
    }
  }
  return [...names];
}

/** Compiles a source of this folder. @throws Error when the compiler fails. */
export function compile(compiler: string, options: readonly string[], source: string, object: string): void {
  const path = new URL(source, import.meta.url).pathname;
  execFileSync(compiler, [...options, '-o', object, path], { stdio: ['ignore', 'ignore', 'inherit'] });
}
