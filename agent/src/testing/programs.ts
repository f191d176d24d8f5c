// SPDX-License-Identifier: Apache-2.0
//
// For tests alone: programs whose behaviour is known, compiled with frame pointers, and whether they can be sampled here.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadError } from '@hearthscope/native';

export interface CompiledProgram {
  readonly path: string;
  remove(): Promise<void>;
}

const execFileAsync = promisify(execFile);

/** Why the kernel cannot be sampled here, for `skip`; false when it can. */
export function samplingUnavailable(): string | false {
  if (process.getuid?.() !== 0) return 'SKIPPED: sampling needs root';
  if (!existsSync('/sys/kernel/btf/vmlinux')) return 'SKIPPED: the kernel has no BTF';
  const error = loadError();
  return error === null ? false : `SKIPPED: ${error}`;
}

/** Compiles `programs/NAME.c` with gcc into a folder of its own. */
export async function compileProgram(
  name: 'known-split' | 'late-library' | 'library',
  flags: readonly string[] = [],
): Promise<CompiledProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'hearthscope-program-'));
  const path = join(folder, name);
  const source = new URL(`./programs/${name}.c`, import.meta.url).pathname;
  await execFileAsync('gcc', ['-O1', '-g', '-fno-omit-frame-pointer', ...flags, '-o', path, source, '-ldl']);
  return { path, remove: () => rm(folder, { recursive: true }) };
}
