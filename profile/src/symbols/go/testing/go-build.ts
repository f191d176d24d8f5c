// SPDX-License-Identifier: Apache-2.0
//
// Builds Go programs for tests, offline and into a folder of their own. Only the standard library is used.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How a program is built. */
export interface GoBuild {
  readonly program: 'addresses' | 'busy' | 'cgo';
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The go command of another release. */
  readonly go?: string;
}

/** The reason why no Go program can be built here, or false. */
export function goIsMissing(): string | false {
  return spawnSync('go', ['version']).status === 0 ? false : 'the go command is missing: Go is not tested';
}

/** A folder that is gone when the test file is done, and programs in it. */
export class GoPrograms {
  readonly #folder = mkdtempSync(join(tmpdir(), 'hearthscope-go-'));
  #count = 0;

  /** Path of the program. Throws with the compiler's message. */
  build({ program, arguments: options = [], environment = {}, go = 'go' }: GoBuild): string {
    const path = join(this.#folder, `${program}-${this.#count++}`);
    execFileSync(go, ['build', ...options, '-o', path, '.'], {
      cwd: fileURLToPath(new URL(`./${program}`, import.meta.url)),
      env: {
        ...process.env,
        GOENV: 'off',
        GOFLAGS: '',
        GOPROXY: 'off',
        GOTOOLCHAIN: 'local',
        CGO_ENABLED: '0',
        ...environment,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return path;
  }

  /** A path in the folder. */
  file(name: string): string {
    return join(this.#folder, name);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** Go commands of other releases that are in the module cache, for tests that run on demand. */
export function otherGoCommands(
  releases: readonly string[],
): { release: string; go: string; root: string }[] {
  const cache = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
  return releases.map((release) => {
    const root = join(cache, 'golang.org', `toolchain@v0.0.1-go${release}.linux-amd64`);
    return { release, go: join(root, 'bin', 'go'), root };
  });
}
