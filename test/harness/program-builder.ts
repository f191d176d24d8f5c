// SPDX-License-Identifier: Apache-2.0
//
// Builds the programs of test/testprogs, each variant once per run, into a temporary folder of its own. Several builds
// run side by side, as many as there are CPUs.

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { KnownProgram } from '../testprogs/catalog.ts';
import type { Variant } from '../testprogs/variants.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const execFileAsync = promisify(execFile);
const sources = fileURLToPath(new URL('../testprogs', import.meta.url));

export interface BuiltProgram {
  readonly program: KnownProgram;
  readonly variant: Variant;
  readonly path: string;
  /** Behind the seconds. */
  readonly arguments: readonly string[];
}

export class ProgramBuilder {
  readonly #directory = temporaryDirectory('programs');
  readonly #built = new Map<string, Promise<BuiltProgram>>();
  readonly #missing = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #free = availableParallelism();

  /** The compiler is on this machine. */
  hasCompiler(compiler: string): boolean {
    if (this.#missing.has(compiler)) return false;
    try {
      execFileSync(compiler, [compiler === 'go' ? 'version' : '--version'], { stdio: 'ignore' });
      return true;
    } catch {
      this.#missing.add(compiler);
      return false;
    }
  }

  build(program: KnownProgram, variant: Variant): Promise<BuiltProgram> {
    const key = `${program.name}, ${variant.name}`;
    let built = this.#built.get(key);
    if (built === undefined) {
      built = this.#inTurn(() => this.#build(program, variant));
      this.#built.set(key, built);
    }
    return built;
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#free++;
    }
  }

  async #build(program: KnownProgram, variant: Variant): Promise<BuiltProgram> {
    const directory = join(
      this.#directory,
      `${program.name}.${variant.name.replaceAll(/[^a-zA-Z0-9]+/g, '_')}`,
    );
    mkdirSync(directory);
    const path = join(directory, program.name);
    const source = join(sources, program.source);
    if (program.language === 'go') {
      await execFileAsync('go', ['build', ...variant.flags, '-o', path, '.'], {
        cwd: source,
        env: { ...process.env, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' },
      });
      return { program, variant, path, arguments: program.arguments ?? [] };
    }
    if (program.language === 'rust') {
      const crate = basename(source, '.rs');
      await execFileAsync(variant.compiler, [...variant.flags, '--crate-name', crate, '-o', path, source]);
      return { program, variant, path, arguments: program.arguments ?? [] };
    }
    const libraries = (program.libraries ?? []).map((library) => ({
      ...library,
      path: join(directory, library.file),
    }));
    const notForLibraries = new Set(['-no-pie']);
    for (const library of libraries) {
      await execFileAsync(variant.compiler, [
        ...variant.flags.filter((flag) => !notForLibraries.has(flag)),
        ...library.flags,
        '-fPIC',
        '-shared',
        '-o',
        library.path,
        join(sources, library.source),
      ]);
    }
    const linked = program.linked === true ? libraries.map((library) => library.path) : [];
    await execFileAsync(variant.compiler, [
      ...(program.language === 'cpp' ? ['-std=c++17'] : []),
      ...variant.flags,
      '-o',
      path,
      source,
      ...linked,
      ...(linked.length > 0 ? [`-Wl,-rpath,${dirname(path)}`] : []),
      '-pthread',
    ]);
    const opened = program.linked === true ? [] : libraries.map((library) => library.path);
    return { program, variant, path, arguments: [...opened, ...(program.arguments ?? [])] };
  }
}
