// SPDX-License-Identifier: Apache-2.0
//
// Other kernels than the one this runs on: each must accept every BPF program, as the agent loads them, and give samples
// whose stacks are whole. Takes minutes, so it is part of `npm run test:full` alone.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadError } from '@hearthscope/native';
import { type BuiltProgram, ProgramBuilder } from '../harness/program-builder.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';
import { KNOWN_PROGRAMS } from '../testprogs/catalog.ts';
import { VARIANTS } from '../testprogs/variants.ts';
import { DebianKernels, KERNEL_SERIES } from './debian-kernels.ts';
import { busyboxMissing, writeGuestImage } from './guest-image.ts';
import { GUEST_RESULT_MARK, type GuestResult } from './guest-result.ts';
import { boot, QEMU } from './virtual-machine.ts';

/** Emulated, and beside other tests. */
const BOOT_TIMEOUT_MILLIS = 400_000;
const GUEST_MEMORY_MEGABYTES = 3072;
/** A program may need so many times the instructions that are written down before somebody has to look. */
const TOLERATED_GROWTH = 1.25;
/** Of the stacks that did not have to wait for the tables. */
const COMPLETE_SHARE = 0.95;
/** Of all: an emulated processor takes seconds to build the tables, and so many first stacks are not kept. */
const COMPLETE_SHARE_OF_ALL = 0.4;

const PROGRAMS: readonly (readonly [program: string, variant: string])[] = [
  ['recursion_300', 'gcc -O2'],
  ['signals', 'gcc static-pie'],
  ['threads', 'clang-19 -O3'],
];

/** By kernel series and BPF program, what the verifier walked through when it was last looked at. */
const writtenDown = JSON.parse(
  readFileSync(new URL('./instructions.json', import.meta.url), 'utf8'),
) as Record<string, Record<string, number>>;

function unavailable(): string | false {
  if (process.env.HEARTHSCOPE_TEST_FULL !== '1')
    return 'SKIPPED: only with HEARTHSCOPE_TEST_FULL=1 (npm run test:full)';
  if (process.arch !== 'x64') return 'SKIPPED: the kernels are those of x86-64';
  if (busyboxMissing()) return 'SKIPPED: no busybox (apt-get install busybox-static)';
  const onPath = (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, QEMU)));
  if (!onPath) return `SKIPPED: no ${QEMU} (apt-get install qemu-system-x86)`;
  const error = loadError();
  return error === null ? false : `SKIPPED: ${error}`;
}

describe('kernels in QEMU', { skip: unavailable(), timeout: 1_800_000 }, () => {
  const directory = temporaryDirectory('kernels');
  const image = join(directory, 'initramfs.cpio');
  const builder = new ProgramBuilder();
  const kernels = new DebianKernels(directory);
  before(async () => {
    const built: BuiltProgram[] = [];
    for (const [name, variantName] of PROGRAMS) {
      const program = KNOWN_PROGRAMS.find((known) => known.name === name)!;
      const variant = VARIANTS.find((known) => known.name === variantName)!;
      if (builder.hasCompiler(variant.compiler)) built.push(await builder.build(program, variant));
    }
    writeGuestImage(image, built);
  });
  after(() => {
    builder.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const series of KERNEL_SERIES) {
    it(`Linux ${series.name}`, async (test) => {
      let kernel: { version: string; path: string };
      try {
        kernel = await kernels.fetch(series);
      } catch (error) {
        test.skip(
          `SKIPPED: no kernel ${series.name} to be had: ${error instanceof Error ? error.message : error}`,
        );
        return;
      }
      const { output, timedOut } = await boot({
        kernel: kernel.path,
        initramfs: image,
        memoryMegabytes: GUEST_MEMORY_MEGABYTES,
        timeoutMillis: BOOT_TIMEOUT_MILLIS,
      });
      const line = output.split('\n').find((text) => text.includes(GUEST_RESULT_MARK));
      assert(line !== undefined, `${timedOut ? 'it took too long' : 'no result'}:\n${output.slice(-4000)}`);
      const result = JSON.parse(
        line.slice(line.indexOf(GUEST_RESULT_MARK) + GUEST_RESULT_MARK.length),
      ) as GuestResult;
      test.diagnostic(`${kernel.version}: ${JSON.stringify(result.instructions)}`);
      for (const program of result.programs) {
        test.diagnostic(
          `${program.name}: ${program.samples} samples, ${program.complete} complete, ${program.right} right${program.problems.map((problem) => `; ${problem}`).join('')}`,
        );
      }
      assert.equal(result.error, undefined);
      assert(Object.keys(result.instructions).length > 0, 'no BPF program is loaded');
      for (const { name, samples, complete, early, failure } of result.programs) {
        assert.equal(failure, undefined, name);
        assert(samples > 0, `${name}: no sample`);
        const figures = `${name}: ${complete} of ${samples} stacks are complete, ${early} came before the tables`;
        assert(complete >= (samples - early) * COMPLETE_SHARE, figures);
        assert(complete >= samples * COMPLETE_SHARE_OF_ALL, figures);
      }
      for (const [name, instructions] of Object.entries(result.instructions)) {
        const known = writtenDown[series.name]?.[name];
        if (instructions === 0) continue; // The kernel does not say.
        assert(
          known !== undefined,
          `${name} is not in instructions.json; it has ${instructions} instructions`,
        );
        assert(
          instructions <= known * TOLERATED_GROWTH,
          `${name} has grown from ${known} to ${instructions} verified instructions (test/kernel-matrix/instructions.json)`,
        );
      }
    });
  }
});
