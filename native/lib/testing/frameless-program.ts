// SPDX-License-Identifier: Apache-2.0
//
// For tests: a program without frame pointers and unwind information, and the table that a test writes for it by hand.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { UnwindTable } from '../index.ts';
import { arm64, command, fpKind, type Rule, raKind, tableOf, x86 } from './simulated-walk.ts';
import { RunningWorkload } from './workload.ts';

const PAGE_BYTES = 4096;
const machine = process.arch === 'arm64' ? 'arm64' : 'x86-64';

/** The return address is the last thing on a frame of this many bytes (x86-64), or its first (arm64). */
function frameOf(bytes: number): Rule {
  if (machine === 'x86-64') return { cfaRegister: x86.rsp, cfaOffset: bytes, raOffset: -8 };
  if (bytes === 0) return { cfaRegister: arm64.sp, raKind: raKind.inRegister, raRegister: arm64.lr };
  return { cfaRegister: arm64.sp, cfaOffset: bytes, raOffset: -16, fpKind: fpKind.same };
}

export class FramelessProgram {
  readonly path: string;
  /** Addresses of the labels. */
  readonly labels: ReadonlyMap<string, number>;
  readonly #folder: string;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'hearthscope-frameless-'));
    this.path = join(this.#folder, 'frameless');
    const source = fileURLToPath(new URL('../../test-programs/frameless.S', import.meta.url));
    execFileSync('cc', ['-static', '-nostdlib', '-no-pie', '-o', this.path, source]);
    const lines = execFileSync('nm', [this.path], { encoding: 'latin1' }).trim().split('\n');
    this.labels = new Map(
      lines.map((line) => {
        const [address, , name] = line.split(' ');
        return [name!, Number.parseInt(address!, 16)];
      }),
    );
  }

  address(label: string): number {
    return this.labels.get(label)!;
  }

  /** Page 0 of the table is page 0 of the address space: the program runs where it is linked. */
  table(): UnwindTable {
    const [unpushed, pushed, reserved] = machine === 'x86-64' ? [8, 16, 4112] : [0, 16, 4112];
    const entries: [string, Rule | number][] = [
      ['_start', command.end],
      ['outer', frameOf(unpushed!)],
      ['outer_pushed', frameOf(pushed!)],
      ['inner', frameOf(unpushed!)],
      ['inner_pushed', frameOf(pushed!)],
      ['inner_reserved', frameOf(reserved!)],
    ];
    const pages = Math.ceil((this.address('inner_reserved') + 1) / PAGE_BYTES);
    return tableOf(
      machine,
      pages,
      entries.map(([label, rule]) => [this.address(label), rule]),
    );
  }

  /** The function that an address is in. */
  functionOf(address: bigint): string | undefined {
    return ['inner', 'outer', '_start'].find((name) => address >= this.address(name));
  }

  run(): RunningWorkload {
    return new RunningWorkload(this.path, []);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
