// SPDX-License-Identifier: Apache-2.0
//
// The steps of a walk, one by one, on made-up threads of both architectures. The BPF programs are compiled from the same
// code (bpf/include/unwind_step.h).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadError } from './index.ts';
import {
  arm64,
  cfaKind,
  command,
  fpKind,
  type Rule,
  raKind,
  ruleBytes,
  type SimulatedThread,
  simulateWalk,
  tableOf,
  x86,
} from './testing/simulated-walk.ts';

const skip = loadError() !== null && `NOT TESTED: ${loadError()}`;

/** Where the file with the table is mapped, and the stack. */
const CODE = 0x55_0000;
const STACK = 0x7f_0000;

/** At a function's first instruction: the return address is on top of the stack. */
const atEntry: Rule = { cfaRegister: x86.rsp, cfaOffset: 8, raOffset: -8 };
const pushedFp: Rule = {
  cfaRegister: x86.rbp,
  cfaOffset: 16,
  fpKind: fpKind.atCfa,
  fpOffset: -16,
  raOffset: -8,
};

function x86Thread(
  entries: readonly [number, Rule | number][],
  thread: Partial<SimulatedThread>,
): SimulatedThread {
  return {
    machine: 'x86-64',
    pc: CODE,
    registers: { [x86.rsp]: STACK },
    memory: {},
    tables: [tableOf('x86-64', 4, entries)],
    mappings: [{ start: CODE, pages: 4, table: 0 }],
    ...thread,
  };
}

test('a rule is laid out as bpf/include/unwind_table.h says', () => {
  const rule: Rule = {
    cfaKind: 3,
    cfaRegister: 7,
    fpKind: 1,
    raKind: 1,
    cfaOffset: -2,
    cfaAdd: 0x0809,
    fpOffset: -16,
    raOffset: -8,
    fpRegister: 6,
    raRegister: 5,
  };
  assert.equal(Buffer.from(ruleBytes([rule])).toString('hex'), '03070101feffffff0908f0fff8ff0605');
});

test('frames follow the stack pointer, and the frame pointer where it was saved', { skip }, () => {
  const thread = x86Thread(
    [
      [0x100, atEntry],
      [0x200, { ...atEntry, cfaOffset: 0x20 }],
      [0x300, pushedFp],
      [0x400, command.end],
    ],
    {
      pc: CODE + 0x100,
      registers: { [x86.rsp]: STACK, [x86.rbp]: STACK + 0x100 },
      memory: {
        [STACK]: CODE + 0x210,
        [STACK + 0x20]: CODE + 0x310,
        [STACK + 0x100]: 0xbeef,
        [STACK + 0x108]: CODE + 0x410,
      },
    },
  );
  // The second frame's CFA is its stack pointer, 8 above the leaf's, plus 0x20: its return address lies 8 below that.
  assert.deepEqual(simulateWalk(thread), {
    frames: [CODE + 0x100, CODE + 0x20f, CODE + 0x30f, CODE + 0x40f],
    stop: 'end_of_stack',
  });
});

test('a caller is looked up within its call, where the next rule may hold behind it', { skip }, () => {
  const thread = x86Thread(
    [
      [0x100, atEntry],
      [0x200, command.end],
      [0x210, command.unsupported],
    ],
    { pc: CODE + 0x100, memory: { [STACK]: CODE + 0x210 } },
  );
  assert.deepEqual(simulateWalk(thread), { frames: [CODE + 0x100, CODE + 0x20f], stop: 'end_of_stack' });
  // The leaf itself stands on its instruction, unless that is behind a system call.
  assert.equal(simulateWalk({ ...thread, pc: CODE + 0x210 }).stop, 'unsupported_rule');
  const inSyscall = simulateWalk({ ...thread, pc: CODE + 0x210, inSyscall: true });
  assert.deepEqual(inSyscall, { frames: [CODE + 0x210], stop: 'end_of_stack' });
});

test('a PLT stub has pushed a word from its threshold on', { skip }, () => {
  const plt: Rule = { cfaKind: cfaKind.plt, cfaOffset: 11, raOffset: -8 };
  const entries: [number, Rule | number][] = [
    [0x100, plt],
    [0x200, command.end],
  ];
  const before = x86Thread(entries, { pc: CODE + 0x10a, memory: { [STACK]: CODE + 0x201 } });
  assert.equal(simulateWalk(before).stop, 'end_of_stack');
  const behind = x86Thread(entries, { pc: CODE + 0x10b, memory: { [STACK]: 0, [STACK + 8]: CODE + 0x201 } });
  assert.deepEqual(simulateWalk(behind), { frames: [CODE + 0x10b, CODE + 0x200], stop: 'end_of_stack' });
});

test('the CFA is read from memory, also at an index', { skip }, () => {
  const memory = { [STACK + 0x40]: STACK + 0x80, [STACK + 0x80]: CODE + 0x201 };
  const end: [number, number] = [0x200, command.end];
  const deref: Rule = {
    cfaKind: cfaKind.deref,
    cfaRegister: x86.rsp,
    cfaOffset: 0x40,
    cfaAdd: 8,
    raOffset: -8,
  };
  const byDeref = x86Thread([[0, deref], end], { memory });
  assert.deepEqual(simulateWalk(byDeref), { frames: [CODE, CODE + 0x200], stop: 'end_of_stack' });
  const indexed: Rule = { ...deref, cfaKind: cfaKind.indexed, cfaOffset: 0x10, cfaAdd: x86.r9 | (8 << 8) };
  const byIndex = x86Thread([[0, indexed], end], { memory, registers: { [x86.rsp]: STACK, [x86.r9]: 6 } });
  assert.deepEqual(simulateWalk(byIndex), { frames: [CODE, CODE + 0x200], stop: 'end_of_stack' });
});

test('other registers are known in the leaf alone', { skip }, () => {
  const byR10: Rule = { cfaRegister: x86.r10, cfaOffset: 8, raOffset: -8 };
  const vfork: Rule = {
    cfaRegister: x86.rsp,
    cfaOffset: 8,
    raKind: raKind.inRegister,
    raRegister: x86.rdi,
    fpKind: fpKind.inRegister,
    fpRegister: x86.rbx,
  };
  const thread = x86Thread(
    [
      [0x100, byR10],
      [0x200, vfork],
      [0x300, pushedFp],
      [0x400, command.end],
    ],
    {
      pc: CODE + 0x100,
      registers: {
        [x86.rsp]: STACK,
        [x86.r10]: STACK + 0x40,
        [x86.rdi]: CODE + 0x301,
        [x86.rbx]: STACK + 0x80,
      },
      memory: { [STACK + 0x40]: CODE + 0x101, [STACK + 0x80]: 0, [STACK + 0x88]: CODE + 0x401 },
    },
  );
  assert.deepEqual(simulateWalk(thread), { frames: [CODE + 0x100, CODE + 0x100], stop: 'unsupported_rule' });
  const inVfork = simulateWalk({ ...thread, pc: CODE + 0x200 });
  assert.deepEqual(inVfork, { frames: [CODE + 0x200, CODE + 0x300, CODE + 0x400], stop: 'end_of_stack' });
});

test('a frame pointer that is not known is not used', { skip }, () => {
  const lost: Rule = { ...atEntry, fpKind: fpKind.unknown };
  const thread = x86Thread(
    [
      [0x100, lost],
      [0x200, pushedFp],
    ],
    {
      pc: CODE + 0x100,
      registers: { [x86.rsp]: STACK, [x86.rbp]: STACK + 0x10 },
      memory: { [STACK]: CODE + 0x201, [STACK + 0x10]: 0, [STACK + 0x18]: CODE + 0x101 },
    },
  );
  assert.deepEqual(simulateWalk(thread), { frames: [CODE + 0x100, CODE + 0x200], stop: 'unsupported_rule' });
});

test('rbx is found where a callee has saved it, for the frame whose CFA needs it', { skip }, () => {
  const byRbx: Rule = { cfaRegister: x86.rbx, cfaOffset: 8, raOffset: -8 };
  /** A slot of a rule, relative to the CFA in words: see LOST_RBX_SLOT in bpf/include/unwind_table.h. */
  const walk = (slot: number) =>
    simulateWalk(
      x86Thread(
        [
          [0x100, { ...atEntry, cfaOffset: 16, fpRegister: slot & 0xff }],
          [0x200, byRbx],
          [0x300, command.end],
        ],
        {
          pc: CODE + 0x100,
          registers: { [x86.rsp]: STACK, [x86.rbx]: STACK + 0x60 },
          memory: {
            [STACK]: STACK + 0x40,
            [STACK + 8]: CODE + 0x201,
            [STACK + 0x40]: CODE + 0x301,
            [STACK + 0x60]: CODE + 0x311,
          },
        },
      ),
    );
  const above = [CODE + 0x100, CODE + 0x200];
  assert.deepEqual(walk(-2), { frames: [...above, CODE + 0x300], stop: 'end_of_stack' }, 'saved');
  assert.deepEqual(walk(0), { frames: [...above, CODE + 0x310], stop: 'end_of_stack' }, 'unchanged');
  assert.deepEqual(walk(-128), { frames: above, stop: 'unsupported_rule' }, 'lost');
});

test('a return address may lie where a register points', { skip }, () => {
  const rule: Rule = {
    cfaRegister: x86.rsp,
    cfaOffset: 8,
    raKind: raKind.atRegister,
    raRegister: x86.r10,
    raOffset: 0x10,
  };
  const thread = x86Thread(
    [
      [0x100, rule],
      [0x200, command.end],
    ],
    {
      pc: CODE + 0x100,
      registers: { [x86.rsp]: STACK, [x86.r10]: STACK + 0x40 },
      memory: { [STACK + 0x50]: CODE + 0x201 },
    },
  );
  assert.deepEqual(simulateWalk(thread), { frames: [CODE + 0x100, CODE + 0x200], stop: 'end_of_stack' });
});

/** A ucontext from r8 on, as the kernel lays it on the stack. */
function x86SignalFrame(
  at: number,
  pc: number,
  rsp: number,
  rbp: number,
  r10: number,
): Record<number, number> {
  const words = new Array<number>(17).fill(0);
  words[2] = r10;
  words[10] = rbp;
  words[15] = rsp;
  words[16] = pc;
  return Object.fromEntries(words.map((word, index) => [at + 40 + index * 8, word]));
}

test('a signal frame gives back all registers, and the exact address', { skip }, () => {
  const old = STACK + 0x1000;
  const thread = x86Thread(
    [
      [0x100, atEntry],
      [0x1ff, command.signal],
      [0x300, { cfaRegister: x86.r10, cfaOffset: 8, raOffset: -8 }],
      [0x400, command.end],
    ],
    {
      pc: CODE + 0x100,
      memory: {
        [STACK]: CODE + 0x200,
        ...x86SignalFrame(STACK + 8, CODE + 0x300, old, 0, old + 0x10),
        [old + 0x10]: CODE + 0x401,
      },
    },
  );
  assert.deepEqual(simulateWalk(thread), {
    frames: [CODE + 0x100, CODE + 0x200, CODE + 0x300, CODE + 0x400],
    stop: 'end_of_stack',
  });
});

test("Go's switch to the system stack leads back to the goroutine's", { skip }, () => {
  const goroutine = 0x66_0000;
  const entries: [number, Rule | number][] = [
    [0x100, command.goAsmcgocall],
    [0x200, command.framePointer],
    [0x300, command.end],
  ];
  const g = 0x77_0000;
  const registers = { [x86.rsp]: STACK, [x86.rbp]: STACK + 0x100 };
  const frames = {
    [goroutine]: goroutine + 0x20,
    [goroutine + 8]: CODE + 0x201,
    [goroutine + 0x20]: 0,
    [goroutine + 0x28]: CODE + 0x301,
  };
  const expected = { frames: [CODE + 0x100, CODE + 0x200, CODE + 0x300], stop: 'end_of_stack' };
  const switched = x86Thread(entries, {
    pc: CODE + 0x100,
    registers,
    memory: { [STACK]: 0x2000, [STACK + 8]: g, [g + 8]: goroutine + 0x2000, ...frames },
  });
  assert.deepEqual(simulateWalk(switched), expected);
  const withoutG = x86Thread(entries, {
    pc: CODE + 0x100,
    registers,
    memory: { [STACK]: goroutine, [STACK + 8]: 0, ...frames },
  });
  assert.deepEqual(simulateWalk(withoutG), expected);
});

test('code without a file is walked by frame pointers that make sense', { skip }, () => {
  const jit = 0x44_0000;
  const walk = (fp: number, memory: Record<number, number>) =>
    simulateWalk(
      x86Thread([[0, command.end]], {
        pc: jit + 0x10,
        registers: { [x86.rsp]: STACK, [x86.rbp]: fp },
        memory,
        mappings: [
          { start: jit, pages: 1, table: -1 },
          { start: CODE, pages: 4, table: 0 },
        ],
      }),
    );
  const leaf = [jit + 0x10];
  const frame = (fp: number, pc: number) => ({ [fp]: 0, [fp + 8]: pc });
  assert.deepEqual(walk(STACK + 8, frame(STACK + 8, CODE + 1)), {
    frames: [...leaf, CODE],
    stop: 'end_of_stack',
  });
  assert.deepEqual(walk(0, {}), { frames: leaf, stop: 'end_of_stack' });
  assert.deepEqual(walk(STACK + 8, frame(STACK + 8, 0)), { frames: leaf, stop: 'end_of_stack' });
  for (const bad of [STACK - 8, STACK + 4, STACK + 512 * 1024]) {
    assert.deepEqual(walk(bad, frame(bad, CODE + 1)), { frames: leaf, stop: 'frame_pointer_invalid' });
  }
  const farthest = STACK + 512 * 1024 - 8;
  assert.equal(walk(farthest, frame(farthest, CODE + 1)).stop, 'end_of_stack');
  // Data, not code: the address is not shown.
  assert.deepEqual(walk(STACK + 8, frame(STACK + 8, STACK)), {
    frames: leaf,
    stop: 'return_address_invalid',
  });
});

test('each other end has its reason', { skip }, () => {
  const stopIn = (entries: [number, Rule | number][], thread: Partial<SimulatedThread> = {}) =>
    simulateWalk(x86Thread(entries, thread)).stop;
  assert.equal(stopIn([[0, command.unsupported]]), 'unsupported_rule');
  assert.equal(stopIn([], { registers: { [x86.rsp]: STACK, [x86.rbp]: 8 } }), 'no_unwind_info');
  assert.equal(stopIn([[0, atEntry]]), 'stack_not_captured');
  assert.equal(stopIn([[0, atEntry]], { memory: { [STACK]: 0 } }), 'end_of_stack');
  assert.equal(stopIn([[0, atEntry]], { memory: { [STACK]: 2n ** 63n } }), 'return_address_invalid');
  const elsewhere = simulateWalk(x86Thread([[0, atEntry]], { memory: { [STACK]: 0x1234_5678 } }));
  assert.deepEqual(elsewhere, { frames: [CODE, 0x1234_5677], stop: 'no_mapping' });
  const mappings = (table: number) => ({ mappings: [{ start: CODE, pages: 4, table }] });
  assert.equal(stopIn([], mappings(-2)), 'table_pending');
  assert.equal(
    stopIn([], { ...mappings(-3), registers: { [x86.rsp]: STACK, [x86.rbp]: 8 } }),
    'no_unwind_info',
  );
  assert.equal(stopIn([], { ...mappings(7) }), 'table_pending', 'a table that is gone');
});

test('512 frames are the most', { skip }, () => {
  const recursion = (depth: number) =>
    simulateWalk(
      x86Thread(
        [
          [0x100, atEntry],
          [0x200, command.end],
        ],
        {
          pc: CODE + 0x100,
          memory: Object.fromEntries(
            Array.from({ length: depth }, (_, i) => [
              STACK + i * 8,
              CODE + (i === depth - 1 ? 0x201 : 0x110),
            ]),
          ),
        },
      ),
    );
  assert.equal(recursion(511).stop, 'end_of_stack');
  assert.equal(recursion(511).frames.length, 512);
  const cut = recursion(512);
  assert.equal(cut.stop, 'truncated_max_frames');
  assert.equal(cut.frames.length, 512);
});

test('pages of a mapping that its table does not have count as unknown', { skip }, () => {
  const at = (page: number, firstPage: number) =>
    simulateWalk(
      x86Thread([[0, command.end]], {
        pc: CODE + page * 4096,
        registers: { [x86.rsp]: STACK, [x86.rbp]: 8 },
        mappings: [{ start: CODE, pages: 8, table: 0, firstPage }],
      }),
    ).stop;
  assert.equal(at(1, -2), 'no_unwind_info');
  assert.equal(at(2, -2), 'end_of_stack');
  assert.equal(at(5, -2), 'end_of_stack');
  assert.equal(at(6, -2), 'no_unwind_info');
  assert.equal(at(2, 2), 'no_unwind_info');
  assert.equal(at(0, 3), 'end_of_stack');
  assert.equal(at(0, 100), 'no_unwind_info');
  assert.equal(at(7, -100), 'no_unwind_info');
});

test('the right row is found among any rows', { skip }, () => {
  const offsets = fc.uniqueArray(fc.integer({ min: 0, max: 2 * 4096 - 1 }), { minLength: 1, maxLength: 400 });
  fc.assert(
    fc.property(offsets, fc.integer({ min: 0, max: 2 * 4096 - 1 }), (unsorted, address) => {
      const starts = unsorted.toSorted((a, b) => a - b);
      // Each row's rule reads the return address, which tells it, at a place of its own.
      const entries = starts.map((start, i): [number, Rule] => [start, { ...atEntry, cfaOffset: 8 + i * 8 }]);
      const memory = Object.fromEntries(starts.map((_, i) => [STACK + i * 8, 0x10_0000 + i * 16]));
      const thread = x86Thread(entries, { pc: CODE + address, memory });
      const expected = starts.findLastIndex((start) => start <= address);
      const { frames } = simulateWalk({
        ...thread,
        registers: { [x86.rsp]: STACK, [x86.rbp]: 8 },
      });
      assert.deepEqual(
        frames,
        expected < 0 ? [CODE + address] : [CODE + address, 0x10_0000 + expected * 16 - 1],
      );
    }),
    { numRuns: 60 },
  );
});

test('a page may have a row at each of its bytes', { skip }, () => {
  const entries = Array.from({ length: 8192 }, (_, i): [number, Rule | number] => [
    i,
    i % 2 === 0 ? command.end : command.unsupported,
  ]);
  for (const address of [0, 1, 4094, 4095, 4096, 8191]) {
    const { stop } = simulateWalk(x86Thread(entries, { pc: CODE + address }));
    assert.equal(stop, address % 2 === 0 ? 'end_of_stack' : 'unsupported_rule');
  }
});

test('the right mapping is found among 4,096', { skip }, () => {
  const mappings = Array.from({ length: 4096 }, (_, i) => ({
    start: CODE + i * 3 * 4096,
    pages: 2,
    table: i % 2 === 0 ? 0 : -2,
  }));
  const thread = x86Thread([[0, command.end]], { mappings, registers: { [x86.rsp]: STACK, [x86.rbp]: 8 } });
  for (const index of [0, 1, 2, 1023, 2048, 4094, 4095]) {
    const inside = simulateWalk({ ...thread, pc: CODE + index * 3 * 4096 + 4097 });
    assert.equal(inside.stop, index % 2 === 0 ? 'end_of_stack' : 'table_pending', `mapping ${index}`);
    const behind = simulateWalk({ ...thread, pc: CODE + index * 3 * 4096 + 8192 });
    assert.equal(behind.stop, 'no_mapping');
  }
});

test('the vsyscall page above user space does not lead the search astray', { skip }, () => {
  const vsyscall = { start: 2 ** 64 - 10 * 1024 * 1024, pages: 1, table: -1 };
  for (let count = 1; count < 20; count++) {
    const below = Array.from({ length: count }, (_, i) => ({ start: CODE + i * 8192, pages: 1, table: 0 }));
    const thread = x86Thread([[0, command.end]], { mappings: [...below, vsyscall] });
    for (const { start } of below) assert.equal(simulateWalk({ ...thread, pc: start }).stop, 'end_of_stack');
  }
});

function arm64Thread(
  entries: readonly [number, Rule | number][],
  thread: Partial<SimulatedThread>,
): SimulatedThread {
  return {
    machine: 'arm64',
    pc: CODE,
    registers: { [arm64.sp]: STACK },
    memory: {},
    tables: [tableOf('arm64', 4, entries)],
    mappings: [{ start: CODE, pages: 4, table: 0 }],
    ...thread,
  };
}

/** Before the frame record is stored: the return address is in lr. */
const arm64Leaf: Rule = { cfaRegister: arm64.sp, raKind: raKind.inRegister, raRegister: arm64.lr };
const arm64Frame: Rule = {
  cfaRegister: arm64.sp,
  cfaOffset: 0x20,
  fpKind: fpKind.atCfa,
  fpOffset: -0x20,
  raOffset: -0x18,
};

test('arm64: lr is used in the leaf only, frame records elsewhere', { skip }, () => {
  const signed = 0x2aab_0000_0000_0000n;
  const thread = arm64Thread(
    [
      [0x100, arm64Leaf],
      [0x200, arm64Frame],
      [0x300, { ...arm64Frame, cfaRegister: arm64.fp }],
      [0x400, command.end],
    ],
    {
      pc: CODE + 0x100,
      registers: { [arm64.sp]: STACK, [arm64.lr]: CODE + 0x204 },
      memory: {
        [STACK]: STACK + 0x40,
        [STACK + 8]: signed + BigInt(CODE + 0x304),
        [STACK + 0x40]: 0,
        [STACK + 0x48]: CODE + 0x404,
      },
    },
  );
  assert.deepEqual(simulateWalk(thread), {
    frames: [CODE + 0x100, CODE + 0x203, CODE + 0x303, CODE + 0x403],
    stop: 'end_of_stack',
  });
  const again = simulateWalk({ ...thread, registers: { [arm64.sp]: STACK, [arm64.lr]: CODE + 0x104 } });
  assert.deepEqual(again, { frames: [CODE + 0x100, CODE + 0x103], stop: 'unsupported_rule' });
});

test('arm64: a signal frame gives back all registers, lr too', { skip }, () => {
  const old = STACK + 0x1000;
  const words = new Array<number>(33).fill(0);
  words[arm64.lr] = CODE + 0x304;
  words[31] = old;
  words[32] = CODE + 0x100;
  const thread = arm64Thread(
    [
      [0x100, arm64Leaf],
      [0x1ff, command.signal],
      [0x300, command.end],
    ],
    {
      pc: CODE + 0x200,
      memory: Object.fromEntries(words.map((word, i) => [STACK + 312 + i * 8, word])),
    },
  );
  assert.deepEqual(simulateWalk(thread), {
    frames: [CODE + 0x200, CODE + 0x100, CODE + 0x303],
    stop: 'end_of_stack',
  });
});

test("arm64: Go's switch to the system stack leads back to the goroutine's", { skip }, () => {
  const goroutine = 0x66_0000;
  const g = 0x77_0000;
  const thread = arm64Thread(
    [
      [0x100, command.goAsmcgocall],
      [0x200, command.framePointer],
      [0x300, command.end],
    ],
    {
      pc: CODE + 0x100,
      memory: {
        [STACK]: g,
        [STACK + 8]: 0x2000,
        [g + 8]: goroutine + 0x2000,
        [goroutine - 8]: goroutine + 0x20,
        [goroutine]: CODE + 0x204,
        [goroutine + 0x20]: 0,
        [goroutine + 0x28]: CODE + 0x304,
      },
    },
  );
  assert.deepEqual(simulateWalk(thread), {
    frames: [CODE + 0x100, CODE + 0x203, CODE + 0x303],
    stop: 'end_of_stack',
  });
});

test('tables and mappings out of order are refused', { skip }, () => {
  const good = tableOf('x86-64', 1, [
    [0x10, atEntry],
    [0x20, command.end],
  ]);
  const walk = (table: object) => () => simulateWalk(x86Thread([], { tables: [{ ...good, ...table }] }));
  const message = { message: /^malformed unwind table/ };
  assert.throws(walk({ rowOffset: Uint16Array.of(0x20, 0x10) }), message);
  assert.throws(walk({ rowOffset: Uint16Array.of(0x10, 4096) }), message);
  assert.throws(walk({ rowRule: Uint16Array.of(0, 1) }), message);
  assert.throws(walk({ rowRule: Uint16Array.of(0, 0x8006) }), message);
  assert.throws(walk({ pageRule: Uint16Array.of(9) }), message);
  assert.throws(walk({ pageFirstRow: Uint32Array.of(0, 3) }), message);
  assert.throws(walk({ pageFirstRow: Uint32Array.of(1, 2) }), message);
  assert.throws(walk({ rules: new Uint8Array(15) }), message);
  const overlapping = [
    { start: CODE, pages: 2, table: -1 },
    { start: CODE + 4096, pages: 1, table: -1 },
  ];
  assert.throws(() => simulateWalk(x86Thread([], { mappings: overlapping })), /mapping 1/);
});
