// SPDX-License-Identifier: Apache-2.0
//
// A real program with a known call, built by the C compiler for tests of naming.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { memoryAccess } from '@hearthscope/profile/symbols/random-access';

const SOURCE = fileURLToPath(new URL('./captured-call.c', import.meta.url));

export interface TestBinary {
  readonly buildId: string;
  /** The whole program, with debug information. */
  readonly path: string;
  readonly bytes: Buffer;
  /** The program without symbols. */
  readonly stripped: Buffer;
  /** Its separate debug file. */
  readonly debug: Buffer;
  /** Virtual address of a call in `inner`, which is inlined into `middle`. */
  readonly callAddress: bigint;
  /** The same as an offset in the file. */
  readonly callOffset: bigint;
}

export const CAPTURED_CALL_FRAMES: readonly string[] = ['inner', 'middle'];

/** Builds the program in a folder. Its addresses are not its offsets, and each name has a build id of its own. */
export function buildTestBinary(folder: string, name = 'captured-call'): TestBinary {
  const path = join(folder, name);
  const flags = ['-O2', '-g', '-no-pie', '-Wl,--build-id=sha1', `-DPROGRAM_NAME="${name}"`];
  execFileSync('gcc', [...flags, '-o', path, SOURCE]);
  execFileSync('objcopy', ['--only-keep-debug', path, `${path}.debug`]);
  execFileSync('objcopy', ['--strip-all', path, `${path}.stripped`]);
  const [address, start] = execFileSync(path, { encoding: 'utf8' }).trim().split(' ');
  const callAddress = BigInt(`0x${address}`);
  const bytes = readFileSync(path);
  return {
    buildId: new ElfFile(memoryAccess(bytes)).buildId,
    path,
    bytes,
    stripped: readFileSync(`${path}.stripped`),
    debug: readFileSync(`${path}.debug`),
    callAddress,
    // The linker puts the file's first bytes at the start of the executable, and keeps distances in it.
    callOffset: callAddress - BigInt(`0x${start}`),
  };
}
