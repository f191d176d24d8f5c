// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { FormatError } from '../errors.ts';
import { ElfFile } from '../symbols/elf.ts';
import { GoSymbols } from '../symbols/go/go-symbols.ts';
import { Pclntab } from '../symbols/go/pclntab.ts';
import { type GdbStack, stacksOfGdb } from '../symbols/go/testing/gdb-stacks.ts';
import { GoPrograms, goIsMissing, otherGoCommands } from '../symbols/go/testing/go-build.ts';
import { seededRandom } from '../symbols/go/testing/random.ts';
import { memoryAccess } from '../symbols/random-access.ts';
import { type GoUnwindRows, goUnwindRows } from './go-unwind-rows.ts';
import { cfaKind, fpKind, raKind } from './unwind-rule.ts';
import { lookUpUnwindRule, unwindCommand } from './unwind-table.ts';
import { UnwindTableBuilder } from './unwind-table-builder.ts';

const stripped = ['-ldflags=-s -w'];

function commandIsMissing(command: string): string | false {
  return spawnSync(command, ['--version']).status === 0 ? false : `${command} is missing`;
}

function openElf(path: string): ElfFile {
  return new ElfFile(memoryAccess(readFileSync(path)));
}

function rowsOf(elf: ElfFile): GoUnwindRows {
  const rows = goUnwindRows(elf);
  assert.ok(rows !== undefined, 'not seen as a Go binary');
  return rows;
}

/** The rule index or command at an address. */
function ruleAt({ addresses, rowRules }: GoUnwindRows, address: number): number {
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (addresses[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? unwindCommand.unknown : rowRules[low - 1]!;
}

/** What readelf prints for a rule: the cfa, and where the return address is. */
function inWords(rows: GoUnwindRows, rule: number): string {
  const unwindRule = rows.rules[rule];
  if (unwindRule === undefined) return `command ${rule - unwindCommand.unknown}`;
  const register = { 6: 'rbp', 7: 'rsp', 29: 'x29', 31: 'sp' }[unwindRule.cfaRegister];
  const ra = unwindRule.raKind === raKind.inRegister ? 'u' : `c${unwindRule.raOffset}`;
  return `${register}+${unwindRule.cfaOffset} ${ra}`;
}

interface Entry {
  readonly start: number;
  readonly end: number;
  readonly rows: { readonly address: number; readonly words: string }[];
}

/** The entries of .debug_frame, as readelf interprets them. */
function debugFrame(path: string): Entry[] {
  const text = execFileSync('readelf', ['-W', '--debug-dump=frames-interp', path], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const entries: Entry[] = [];
  let returnAddressColumn = 0;
  for (const line of text.split('\n')) {
    const head = / FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(line);
    if (head !== null) {
      entries.push({ start: Number.parseInt(head[1]!, 16), end: Number.parseInt(head[2]!, 16), rows: [] });
    } else if (/^\s+LOC/.test(line)) {
      returnAddressColumn = line.trim().split(/\s+/).indexOf('ra');
    } else if (entries.length > 0 && /^[0-9a-f]{16}\s/.test(line)) {
      const columns = line.trim().split(/\s+/);
      const ra = columns[returnAddressColumn] ?? 'u';
      entries.at(-1)!.rows.push({
        address: Number.parseInt(columns[0]!, 16),
        words: `${columns[1]} ${ra === 's' ? 'u' : ra}`,
      });
    }
  }
  return entries;
}

/** Compares rows with .debug_frame wherever either changes; gives the share of equal ones and the functions of the others. */
function compareWithDebugFrame(path: string): { compared: number; different: Map<string, string[]> } {
  const elf = openElf(path);
  const rows = rowsOf(elf);
  const symbols = GoSymbols.open(elf)!;
  const different = new Map<string, string[]>();
  let compared = 0;
  let next = 0;
  for (const { start, end, rows: truth } of debugFrame(path).sort((a, b) => a.start - b.start)) {
    if (start < rows.start || end > rows.limit) continue;
    const points = new Set(truth.map(({ address }) => address).filter((address) => address < end));
    while (rows.addresses[next]! < start) next++;
    for (; rows.addresses[next]! < end; next++) points.add(rows.addresses[next]!);
    for (const address of points) {
      compared++;
      const wanted = truth.findLast((row) => row.address <= address)!.words;
      const ours = inWords(rows, ruleAt(rows, address));
      if (ours === wanted) continue;
      const { frameStart, names } = symbols.lookUp(BigUint64Array.of(BigInt(start)));
      const name = names[frameStart[1]! - 1]!;
      const list = different.get(name) ?? [];
      list.push(`${address.toString(16)}: ${ours}, not ${wanted}`);
      different.set(name, list);
    }
  }
  return { compared, different };
}

/** Functions that .debug_frame is wrong about, or says what is no help: they switch stacks, or start one. */
const switchesStacks =
  /^(_rt0_|gogo$|main$|time\.now$|runtime\.(rt0_go|mstart|goexit|mcall|gogo|morestack|clone|switchToCrashStack0|systemstack|asmcgocall|nanotime1?|walltime1?|sigfwd|callCgo\w+|vgetrandom1|sigreturn|sigtramp))/;
/** Frames over 32 KiB on arm64, the vfork without a frame, and prologues that signal their own end. */
const cannotBeSaid =
  /^(runtime\.call\d+|debugCall\d+|syscall\.rawVforkSyscall|runtime\.(debugCallV\d|asyncPreempt|sigpanic0))$/;

describe('goUnwindRows', { skip: goIsMissing() }, () => {
  const programs = new GoPrograms();
  let busy = '';
  before(() => {
    busy = programs.build({ program: 'busy' });
  });
  after(() => programs.remove());

  for (const architecture of ['amd64', 'arm64']) {
    it(`says what .debug_frame says of ${architecture}`, { skip: commandIsMissing('readelf') }, () => {
      const path = programs.build({ program: 'busy', environment: { GOARCH: architecture } });
      const { compared, different } = compareWithDebugFrame(path);
      assert.ok(compared > 10_000, `only ${compared} compared`);
      const unexpected = [...different].filter(
        ([name]) => !switchesStacks.test(name) && !cannotBeSaid.test(name),
      );
      assert.deepEqual(unexpected, []);
    });
  }

  it('says the same of a stripped binary', () => {
    const plainRows = rowsOf(openElf(busy));
    const path = programs.build({ program: 'busy', arguments: stripped });
    assert.deepEqual(rowsOf(openElf(path)), plainRows);
  });

  it('ascends, fits a table, and ends with unknown', () => {
    const elf = openElf(busy);
    const rows = rowsOf(elf);
    const builder = new UnwindTableBuilder('x86-64');
    const indexes = rows.rules.map((rule) => builder.rule(rule));
    rows.addresses.forEach((address, i) => {
      const rule = rows.rowRules[i]!;
      builder.add(address, indexes[rule] ?? rule);
    });
    const table = builder.finish();
    assert.deepEqual(builder.problems, {});
    assert.equal(rows.rowRules.at(-1), unwindCommand.unknown);
    assert.ok(rows.addresses.at(-1)! <= rows.limit);
    assert.equal(lookUpUnwindRule(table, rows.limit), unwindCommand.unknown);
    for (let i = 0; i < rows.addresses.length; i += 97) {
      const rule = rows.rowRules[i]!;
      assert.equal(lookUpUnwindRule(table, rows.addresses[i]!), indexes[rule] ?? rule);
    }
  });

  it('knows the functions that start and switch stacks', () => {
    const elf = openElf(busy);
    const rows = rowsOf(elf);
    const entries = entriesByName(elf);
    const rulesOf = (name: string): string[] => {
      const { entry, end } = entries.get(name)!;
      const rules = new Set<string>();
      for (let address = entry; address < end; address++) rules.add(inWords(rows, ruleAt(rows, address)));
      return [...rules];
    };
    for (const name of ['runtime.goexit', 'runtime.mstart', 'runtime.rt0_go', '_rt0_amd64_linux']) {
      assert.deepEqual(rulesOf(name), ['command 1'], name);
    }
    for (const name of ['runtime.mcall', 'runtime.morestack', 'runtime.clone']) {
      assert.ok(rulesOf(name).includes('command 1') && rulesOf(name).includes('rsp+8 c-8'), name);
    }
    assert.ok(rulesOf('runtime.asmcgocall').includes('command 4'));
    assert.ok(rulesOf('runtime.systemstack').includes('rbp+16 c-8'));
    // The kernel returns to the first byte, and walks look up the byte before.
    assert.equal(ruleAt(rows, entries.get('runtime.sigreturn__sigaction')!.entry - 1), unwindCommand.signal);
  });

  it('walks the stacks that gdb sees, and to their starts across stack switches', {
    skip: commandIsMissing('gdb'),
  }, async () => {
    const walks = walkAll(busy, await stacksOfGdb(busy, 15, programs.file('busy')));
    assert.ok(walks.count > 40 && walks.frames > 150, `${walks.count} walks, ${walks.frames} frames`);
    assert.deepEqual(walks.different, []);
    // One was seen in about one run of twenty, in a caller of bytealg.MakeNoZero; why is not known yet. Frames are not affected:
    // they are all compared above.
    assert.ok(walks.wrongFramePointers.length <= walks.frames / 100, String(walks.wrongFramePointers));
    // What is missing is memory that was not kept, below deep stacks.
    assert.ok(
      walks.complete / walks.count > 0.9,
      `${walks.complete} of ${walks.count} walks reached a start`,
    );
  });

  it('walks from C code back to the goroutine that called it, and from Go code that C called', {
    skip: commandIsMissing('gdb') || commandIsMissing('cc'),
  }, async () => {
    const path = programs.build({ program: 'cgo', environment: { CGO_ENABLED: '1' } });
    const walks = walkAll(path, await stacksOfGdb(path, 12, programs.file('cgo')));
    assert.deepEqual(walks.different, []);
    assert.deepEqual(walks.wrongFramePointers, []);
    const fromC = walks.switches.get('runtime.asmcgocall') ?? 0;
    assert.ok(fromC > 3, `${fromC} walks from C code`);
    assert.ok(
      walks.complete / walks.count > 0.9,
      `${walks.complete} of ${walks.count} walks reached a start`,
    );
  });

  it('survives damage with bounded work and nothing but FormatError', () => {
    const original = readFileSync(programs.build({ program: 'busy', arguments: stripped }));
    const { header } = Pclntab.open(new ElfFile(memoryAccess(original)), {
      windowBytes: 65_536,
      windowCount: 16,
    })!;
    const random = seededRandom(7);
    for (let round = 0; round < 40; round++) {
      const bytes = new Uint8Array(original);
      const span = header.limit - header.offset - 72;
      for (let i = 0; i < 1 << (round % 12); i++) {
        bytes[header.offset + 72 + random(span)] = round % 3 === 0 ? 0xff : random(256);
      }
      try {
        const rows = rowsOf(new ElfFile(memoryAccess(bytes)));
        rows.addresses.forEach((address, i) => {
          assert.ok(i === 0 || address > rows.addresses[i - 1]!, 'rows ascend');
        });
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
      }
    }
  });

  describe('of other releases', {
    skip:
      process.env.HEARTHSCOPE_TEST_FULL === '1'
        ? false
        : 'HEARTHSCOPE_TEST_FULL=1 builds with older toolchains',
  }, () => {
    const releases = ['1.18.10', '1.20.14', '1.21.13', '1.22.12', '1.23.12', '1.24.9', '1.25.5'];
    for (const { release, go, root } of otherGoCommands(releases)) {
      const isMissing = spawnSync(go, ['version'], { env: { ...process.env, GOROOT: root } }).status !== 0;
      for (const architecture of ['amd64', 'arm64']) {
        const skip = isMissing ? `Go ${release} is not in the module cache` : false;
        it(`says what .debug_frame of Go ${release} says of ${architecture}`, { skip }, () => {
          const path = programs.build({
            program: 'busy',
            environment: { GOROOT: root, GOARCH: architecture },
            go,
          });
          const { different } = compareWithDebugFrame(path);
          const unexpected = [...different].filter(
            ([name]) => !switchesStacks.test(name) && !cannotBeSaid.test(name),
          );
          assert.deepEqual(unexpected, []);
        });
      }
    }
  });
});

function entriesByName(elf: ElfFile): Map<string, { entry: number; end: number }> {
  const pclntab = Pclntab.open(elf, { windowBytes: 65_536, windowCount: 16 })!;
  const entries = new Map<string, { entry: number; end: number }>();
  for (let i = 0; i < pclntab.functionCount; i++) {
    const fn = pclntab.function(i);
    const name = pclntab.name(fn.nameOffset);
    // Of assembly and the wrapper that Go code calls it through, the assembly.
    if (fn.flags !== 0 || !entries.has(name)) entries.set(name, fn);
  }
  return entries;
}

interface Registers {
  readonly sp: number;
  readonly fp: number;
}

type ReadWord = GdbStack['word'];

interface Walks {
  count: number;
  /** Walks that reached the start of a stack. */
  complete: number;
  /** Frames compared with gdb's: those up to the first switch of stacks, behind which gdb is lost. */
  frames: number;
  readonly different: string[];
  /** Frames of Go with a frame pointer that does not point to where Go puts it. */
  readonly wrongFramePointers: string[];
  /** Walks across a switch of stacks, by the function that switched. */
  readonly switches: Map<string, number>;
}

/** Walks each stack by our rows, from its innermost Go frame on, and compares with gdb's. */
function walkAll(path: string, stacks: readonly GdbStack[]): Walks {
  const rows = rowsOf(openElf(path));
  const symbols = GoSymbols.open(openElf(path))!;
  const walks: Walks = {
    count: 0,
    complete: 0,
    frames: 0,
    different: [],
    wrongFramePointers: [],
    switches: new Map(),
  };
  for (const { frames: truth, word } of stacks) {
    const first = truth.findIndex(({ pc }) => pc >= rows.start && pc < rows.limit);
    if (first < 0) continue;
    walks.count++;
    let at = truth[first]!;
    let hasSwitched = false;
    for (let i = first; i < 10_000; i++) {
      const lookup = i === 0 ? at.pc : at.pc - 1;
      const { names, frameStart } = symbols.lookUp(BigUint64Array.of(BigInt(lookup)));
      const name = names[frameStart[1]! - 1] ?? '';
      if (!hasSwitched) {
        walks.frames++;
        const seen = truth[i];
        if (seen?.pc !== at.pc || seen.sp !== at.sp) {
          walks.different.push(`${name} ${at.pc.toString(16)}, gdb ${seen?.pc.toString(16)}`);
        }
      }
      const rule = ruleAt(rows, lookup);
      const framePointer = rows.rules[rule];
      const isCaller = i > first && framePointer?.cfaRegister === 7 && framePointer.fpOffset === -16;
      if (isCaller && at.fp !== at.sp + framePointer.cfaOffset - 16) {
        walks.wrongFramePointers.push(`${name} ${at.pc.toString(16)}`);
      }
      const step = stepOf(rows, rule, at, word);
      if (step === 'end') walks.complete++;
      if (step === undefined || step === 'end') break;
      if (!hasSwitched && switchesStacks.test(name)) {
        hasSwitched = true;
        walks.switches.set(name, (walks.switches.get(name) ?? 0) + 1);
      }
      at = step;
    }
  }
  return walks;
}

/** One step of a walk on x86-64; undefined where memory is missing or there is no rule. */
function stepOf(
  rows: GoUnwindRows,
  rule: number,
  { sp, fp }: Registers,
  word: ReadWord,
): (Registers & { pc: number }) | 'end' | undefined {
  if (rule === unwindCommand.end) return 'end';
  if (rule === unwindCommand.signal) {
    // rt_sigreturn finds a ucontext at the stack pointer; the next address is no return address.
    const pc = word(sp + 168);
    return known(pc === undefined ? undefined : pc + 1, word(sp + 160), word(sp + 120));
  }
  if (rule === unwindCommand.goAsmcgocall) {
    const depth = word(sp);
    const g = word(sp + 8);
    const high = g === undefined || g === 0 ? g : word(g + 8);
    if (depth === undefined || high === undefined) return undefined;
    const callersSp = high === 0 ? depth : high - depth;
    return known(word(callersSp + 8), callersSp + 16, word(callersSp));
  }
  const unwindRule = rows.rules[rule];
  if (unwindRule === undefined) return undefined;
  assert.equal(unwindRule.cfaKind, cfaKind.register);
  const cfa = (unwindRule.cfaRegister === 7 ? sp : fp) + unwindRule.cfaOffset;
  const callersFp = unwindRule.fpKind === fpKind.atCfa ? word(cfa + unwindRule.fpOffset) : fp;
  return known(word(cfa + unwindRule.raOffset), cfa, callersFp);
}

function known(
  pc: number | undefined,
  sp: number | undefined,
  fp: number | undefined,
): (Registers & { pc: number }) | undefined {
  return pc === undefined || sp === undefined || fp === undefined ? undefined : { pc, sp, fp };
}
