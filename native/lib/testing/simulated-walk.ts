// SPDX-License-Identifier: Apache-2.0
//
// For tests: a made-up thread, walked by the code that walks real stacks. Its own door into the addon, as nobody else needs it.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { STOP_REASONS, type UnwindTable } from '../index.ts';

export type Machine = UnwindTable['machine'];

/** DWARF numbers. */
export const x86 = { rax: 0, rbx: 3, rdi: 5, rbp: 6, rsp: 7, r9: 9, r10: 10 } as const;
export const arm64 = { x0: 0, x19: 19, fp: 29, lr: 30, sp: 31 } as const;

export const cfaKind = { register: 0, deref: 1, plt: 2, indexed: 3 } as const;
export const fpKind = { same: 0, atCfa: 1, atRegister: 2, inRegister: 3, unknown: 4 } as const;
export const raKind = { atCfa: 0, inRegister: 1, atRegister: 2 } as const;
export const command = {
  unknown: 0x8000,
  end: 0x8001,
  signal: 0x8002,
  framePointer: 0x8003,
  goAsmcgocall: 0x8004,
  unsupported: 0x8005,
} as const;

/** What is left out is 0. */
export interface Rule {
  cfaKind?: number;
  cfaRegister?: number;
  fpKind?: number;
  raKind?: number;
  cfaOffset?: number;
  cfaAdd?: number;
  fpOffset?: number;
  raOffset?: number;
  fpRegister?: number;
  raRegister?: number;
}

export function ruleBytes(rules: readonly Rule[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(rules.length * 16));
  rules.forEach((rule, index) => {
    const at = index * 16;
    view.setUint8(at, rule.cfaKind ?? 0);
    view.setUint8(at + 1, rule.cfaRegister ?? 0);
    view.setUint8(at + 2, rule.fpKind ?? 0);
    view.setUint8(at + 3, rule.raKind ?? 0);
    view.setInt32(at + 4, rule.cfaOffset ?? 0, true);
    view.setInt16(at + 8, rule.cfaAdd ?? 0, true);
    view.setInt16(at + 10, rule.fpOffset ?? 0, true);
    view.setInt16(at + 12, rule.raOffset ?? 0, true);
    view.setUint8(at + 14, rule.fpRegister ?? 0);
    view.setUint8(at + 15, rule.raRegister ?? 0);
  });
  return new Uint8Array(view.buffer);
}

const PAGE_BYTES = 4096;

/** A table for addresses from 0 on; each entry says what holds from its address on. Ascending. */
export function tableOf(
  machine: Machine,
  pages: number,
  entries: readonly [number, Rule | number][],
): UnwindTable {
  const rules = entries.map(([, rule]) => rule).filter((rule) => typeof rule === 'object');
  const pageFirstRow = [0];
  const pageRule: number[] = [];
  const rowOffset: number[] = [];
  const rowRule: number[] = [];
  let inEffect: number = command.unknown;
  let next = 0;
  for (let page = 0; page < pages; page++) {
    pageRule.push(inEffect);
    for (; next < entries.length && entries[next]![0] < (page + 1) * PAGE_BYTES; next++) {
      const [address, rule] = entries[next]!;
      inEffect = typeof rule === 'number' ? rule : rules.indexOf(rule);
      if (address === page * PAGE_BYTES) {
        pageRule[page] = inEffect;
        continue;
      }
      rowOffset.push(address % PAGE_BYTES);
      rowRule.push(inEffect);
    }
    pageFirstRow.push(rowOffset.length);
  }
  return {
    machine,
    pageFirstRow: Uint32Array.from(pageFirstRow),
    pageRule: Uint16Array.from(pageRule),
    rowOffset: Uint16Array.from(rowOffset),
    rowRule: Uint16Array.from(rowRule),
    rules: ruleBytes(rules),
  };
}

export interface SimulatedMapping {
  start: number;
  pages: number;
  /** Index into `tables`, or -1, -2, -3. */
  table: number;
  firstPage?: number;
}

export interface SimulatedThread {
  machine: Machine;
  pc: number;
  /** By DWARF number. */
  registers: Readonly<Record<number, number>>;
  /** 8-byte words of memory by address. */
  memory: Readonly<Record<number, number | bigint>>;
  tables: readonly UnwindTable[];
  mappings: readonly SimulatedMapping[];
  inSyscall?: boolean;
}

export interface SimulatedStack {
  frames: number[];
  stop: string;
}

interface TestingAddon {
  simulateWalk(
    machine: Machine,
    stack: object,
    tables: readonly UnwindTable[],
    mappings: object,
  ): { frames: BigUint64Array; stop: number };
}

function addon(): TestingAddon {
  const path = fileURLToPath(new URL('../../build/Release/hearthscope.node', import.meta.url));
  return createRequire(import.meta.url)(path) as TestingAddon;
}

function wordBytes(value: number | bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, BigInt(value))).buffer);
}

/** Neighbouring words become one piece of memory, as a read of two must succeed. */
function piecesOf(memory: SimulatedThread['memory']): { address: bigint; bytes: Uint8Array }[] {
  const pieces: { address: number; words: Uint8Array[] }[] = [];
  for (const address of Object.keys(memory)
    .map(Number)
    .toSorted((a, b) => a - b)) {
    const last = pieces.at(-1);
    if (last !== undefined && last.address + last.words.length * 8 === address)
      last.words.push(wordBytes(memory[address]!));
    else pieces.push({ address, words: [wordBytes(memory[address]!)] });
  }
  return pieces.map(({ address, words }) => ({
    address: BigInt(address),
    bytes: new Uint8Array(Buffer.concat(words)),
  }));
}

export function simulateWalk(thread: SimulatedThread): SimulatedStack {
  const registers = new BigUint64Array(32);
  for (const [number, value] of Object.entries(thread.registers)) registers[Number(number)] = BigInt(value);
  const { mappings } = thread;
  const { frames, stop } = addon().simulateWalk(
    thread.machine,
    {
      pc: BigInt(thread.pc),
      registers,
      inSyscall: thread.inSyscall ?? false,
      memory: piecesOf(thread.memory),
    },
    thread.tables,
    {
      starts: BigUint64Array.from(mappings, ({ start }) => BigInt(start)),
      pageCounts: Uint32Array.from(mappings, ({ pages }) => pages),
      tables: Int32Array.from(mappings, ({ table }) => table),
      firstPages: Int32Array.from(mappings, ({ firstPage }) => firstPage ?? 0),
    },
  );
  return { frames: Array.from(frames, Number), stop: STOP_REASONS[stop]! };
}
