// SPDX-License-Identifier: Apache-2.0
//
// Compiles the programs of test/testprogs, whose behaviour is known, and says why kernel tests cannot run where they cannot.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compiles `test/testprogs/<name>.c` into `directory` and gives the path of the binary. Tests run side by side and the
 * agent sees the whole host, so a test that looks for its program as a service gives it a name of its own. */
export function compileProgram(directory: string, name: string, binaryName = name): string {
  const source = fileURLToPath(new URL(`../testprogs/${name}.c`, import.meta.url));
  const binary = join(directory, binaryName);
  execFileSync('gcc', ['-O2', '-g', '-fno-omit-frame-pointer', '-Wall', '-o', binary, source]);
  return binary;
}

/** Why the agent cannot run here, or false: for the `skip` option of a test. */
export function agentCannotRun(): string | false {
  if (process.getuid?.() !== 0) return 'SKIPPED: sampling the kernel needs root';
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    return 'SKIPPED: this kernel has no BTF (/sys/kernel/btf/vmlinux)';
  return false;
}
