// SPDX-License-Identifier: Apache-2.0
//
// Judges one sampled stack of a test program: does it reach the thread's start, and does it lead from there to its leaf
// along calls that the program makes?

import { basename } from 'node:path';
import { demangle } from '@hearthscope/profile/symbols/demangle/demangle';
import type { BuiltProgram } from '../harness/program-builder.ts';
import { type KnownProgram, LIBRARY } from '../testprogs/catalog.ts';
import { hasOwnLibraries } from '../testprogs/variants.ts';

export interface NamedFrame {
  /** As in the symbol table; a mangled one is taken apart here. */
  readonly name: string;
  /** Path of the file that the code is in. */
  readonly file: string;
}

export type Verdict =
  | {
      readonly kind: 'right' /** The program's own functions and {@link LIBRARY}, outermost first, repeats as one. */;
      readonly chain: readonly string[];
    }
  | { readonly kind: 'incomplete' | 'wrong'; readonly problem: string };

/** Where threads begin: the functions that nobody called. */
const THREAD_STARTS =
  /^(_start|_dl_start_user|_start_c|__clone3?|clone3?|__GI___clone3?|start|runtime\.(goexit|mstart|rt0_go|mcall|systemstack|systemstack_switch|morestack|gogo|asmcgocall|_rt0_amd64|vgetrandom1)|_rt0_amd64_linux|runtime\.goexit\.abi0)(\.abi0)?$/;

/** The dynamic linker's `_start` has a symbol without a size; libc's clone3 only has one in the separate debug file. */
const NAMELESS_START = /^(libc\.so\.6|ld-linux-x86-64\.so\.2)\+0x[0-9a-f]+$/;

export class StackJudge {
  readonly #built: BuiltProgram;
  readonly #callees = new Map<string, Set<string>>();
  readonly #own = new Set<string>();

  constructor(built: BuiltProgram) {
    this.#built = built;
    for (const [caller, callees] of Object.entries(built.program.calls)) {
      const list = callees.split(' ').filter((name) => name !== '');
      this.#callees.set(caller, new Set(list));
      for (const name of [caller, ...list]) if (name !== LIBRARY && name !== '*') this.#own.add(name);
    }
  }

  /**
   * @param frames of user space, leaf first, inlined ones left out
   * @param reachedEnd the unwinder says that nothing called the last one
   */
  judge(frames: readonly NamedFrame[], reachedEnd: boolean): Verdict {
    const outermost = frames.at(-1);
    if (outermost === undefined) return { kind: 'incomplete', problem: 'no frame at all' };
    const start = plainName(outermost.name);
    if (!reachedEnd) return { kind: 'incomplete', problem: `ends in ${start} (${basename(outermost.file)})` };
    if (!THREAD_STARTS.test(start) && !NAMELESS_START.test(start)) {
      return { kind: 'wrong', problem: `a thread's start at ${start} (${basename(outermost.file)})` };
    }
    const chain: string[] = [];
    const { exactly } = this.#built.program;
    let repeats = 0;
    let isBelow = false;
    let caller = LIBRARY;
    for (let i = frames.length - 1; i >= 0; i--) {
      const name = plainName(frames[i]!.name);
      const node = this.#node(frames[i]!, name, i === frames.length - 1);
      if (node === undefined)
        return { kind: 'wrong', problem: `${name} (${basename(frames[i]!.file)}) is not known` };
      if (!this.#mayCall(caller, node)) return { kind: 'wrong', problem: `${caller} does not call ${node}` };
      if (name === exactly?.name) repeats++;
      if (name === exactly?.below) isBelow = true;
      if (node !== chain.at(-1)) chain.push(node);
      caller = node;
    }
    if (isBelow && repeats !== exactly?.count) {
      return { kind: 'wrong', problem: `${exactly?.name} ${repeats} times and not ${exactly?.count}` };
    }
    return { kind: 'right', chain };
  }

  #mayCall(caller: string, callee: string): boolean {
    if (caller === LIBRARY && callee === LIBRARY) return true;
    return this.#callees.get(caller)?.has(callee) === true || this.#callees.get('*')?.has(callee) === true;
  }

  #node({ file }: NamedFrame, name: string, outermost: boolean): string | undefined {
    if (this.#own.has(name)) return name;
    if (outermost || file !== this.#built.path || hasOwnLibraries(this.#built.variant)) return LIBRARY;
    // The way into a library; and what the linker and the C runtime put into each program.
    if (name.endsWith('@plt') || NAMELESS.test(name) || C_RUNTIME.has(name)) return LIBRARY;
    return undefined;
  }
}

/** No symbol covers it, as those of the programs cover all of their own code. */
const NAMELESS = /\+0x[0-9a-f]+$/;

const C_RUNTIME = new Set([
  '_init',
  '_fini',
  'frame_dummy',
  'register_tm_clones',
  'deregister_tm_clones',
  '__do_global_dtors_aux',
  '__libc_csu_init',
  '_start_c',
  '.plt',
  '.plt.sec',
  '.plt.got',
]);

/** Chains of the program that none of the chains seen begins with or holds. */
export function missingChains(program: KnownProgram, seen: Iterable<readonly string[]>): string[] {
  const texts = [...seen].map((chain) => ` ${chain.join(' ')} `);
  return program.chains.filter((chain) => !texts.some((text) => text.includes(` ${chain} `)));
}

/**
 * The function as its source calls it: without template arguments, parameters, the trait of a Rust method, and what
 * compilers append to the names of parts and copies of a function.
 *
 * @param systemName as it is in the file
 */
export function plainName(systemName: string): string {
  const symbol = systemName
    .replace(/(\.(cold|part|isra|constprop|lto_priv|llvm)(\.\d+)*)+$/, '')
    .replace(/@@?[A-Z][A-Za-z]*_[0-9.]+$/, '')
    .replace(/\.abi(0|Internal)$/, '');
  if (/^(main|runtime)\./.test(symbol)) return symbol.replace(/\[[^\]]*\]/g, '');
  return demangle(symbol, 'simplified').replace(/^<(\S+) as \S+>::/, '<$1>::');
}
