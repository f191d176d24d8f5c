// SPDX-License-Identifier: Apache-2.0
//
// Stacks of a running program as gdb unwinds them, with the memory they lie in: the independent answer that walks by our
// rows are compared with. gdb reads Go's .debug_frame, which is not where our rows come from.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Registers of a frame. For callers `pc` is the return address. */
export interface GdbFrame {
  readonly pc: number;
  readonly sp: number;
  readonly fp: number;
}

/** One thread at one moment. */
export interface GdbStack {
  /** Innermost first; frames of inlined functions are left out. */
  readonly frames: readonly GdbFrame[];
  /** The 8 bytes at an address, or undefined where no memory was kept. */
  readonly word: (address: number) => number | undefined;
}

const gdbTimeoutMillis = 60_000;
const signalIntervalMillis = 40;

/** What gdb does at each stop: for each thread its frames, and memory at the stack and frame pointers. */
const script = `
import gdb, json
gdb.execute('set pagination off')
gdb.execute('handle SIGUSR2 stop print nopass')
gdb.execute('handle SIGURG nostop noprint pass')
out = open(OUTPUT, 'w')
inferior = gdb.selected_inferior()
mask = 2 ** 64 - 1
for _ in range(STOPS):
    gdb.execute('continue', to_string=True)
    for thread in inferior.threads():
        thread.switch()
        frames, memory = [], {}
        def word(address):
            return int.from_bytes(bytes(inferior.read_memory(address, 8)), 'little')
        def keep(address):
            address, size = address & ~7, 131072
            if any(start <= address < start + len(block) // 2 - 64 for start, block in memory.items()):
                return
            while size >= 512:
                try:
                    memory[address] = bytes(inferior.read_memory(address, size)).hex()
                    return
                except gdb.MemoryError:
                    size //= 2
        try:
            frame = gdb.newest_frame()
            while frame is not None and len(frames) < 3000:
                sp, fp = (int(frame.read_register(r)) & mask for r in ('rsp', 'rbp'))
                if len(frames) == 0:
                    keep(sp)
                    # gdb does not restore rbp; saved ones lead to the stack that a thread came from.
                    at = fp
                    for _ in range(1000):
                        keep(at)
                        at = word(at)
                        if at == 0:
                            break
                if 'asmcgocall' in (frame.name() or ''):
                    # Of the goroutine that called C: the structure that tells where its stack is, and the stack.
                    g = word(sp + 8)
                    if g != 0:
                        keep(g)
                        keep(word(g + 8) - word(sp))
                if frame.type() != gdb.INLINE_FRAME:
                    frames.append([hex(frame.pc()), hex(sp), hex(fp)])
                frame = frame.older()
        except gdb.error:
            pass
        out.write(json.dumps([frames, memory]) + '\\n')
out.close()
gdb.execute('kill')
`;

/** Stops a program that prints a line when it is ready `stops` times and gives the stacks of all its threads. */
export async function stacksOfGdb(program: string, stops: number, folder: string): Promise<GdbStack[]> {
  const output = `${folder}.stacks`;
  const scriptFile = `${folder}.py`;
  writeFileSync(scriptFile, `OUTPUT = ${JSON.stringify(output)}\nSTOPS = ${stops}\n${script}`);
  const running = spawn(program, { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(running.stdout, 'data');
    const gdb = promisify(execFile)(
      'gdb',
      ['-q', '-nx', '-batch', '-p', String(running.pid), '-x', scriptFile],
      {
        timeout: gdbTimeoutMillis,
      },
    );
    const isDone = gdb.then(
      () => true,
      () => true,
    );
    // A signal that comes while gdb looks at the last stop is the next stop. The first comes when gdb is attached, since
    // the program would die of it before.
    while (!(await Promise.race([isDone, sleep(signalIntervalMillis, false)]))) {
      if (isTraced(running.pid!)) running.kill('SIGUSR2');
    }
    await gdb;
  } finally {
    running.kill('SIGKILL');
  }
  return readFileSync(output, 'utf8')
    .trim()
    .split('\n')
    .map((line) => toStack(JSON.parse(line) as [string[][], Record<string, string>]));
}

function isTraced(pid: number): boolean {
  try {
    return !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function toStack([frames, memory]: [string[][], Record<string, string>]): GdbStack {
  const blocks = Object.entries(memory).map(([address, hex]) => ({
    start: Number(address),
    bytes: Buffer.from(hex, 'hex'),
  }));
  return {
    frames: frames.map(([pc, sp, fp]) => ({ pc: Number(pc), sp: Number(sp), fp: Number(fp) })),
    word: (address) => {
      const block = blocks.find(
        ({ start, bytes }) => address >= start && address + 8 <= start + bytes.byteLength,
      );
      return block === undefined ? undefined : Number(block.bytes.readBigUInt64LE(address - block.start));
    },
  };
}
