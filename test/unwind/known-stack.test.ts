// SPDX-License-Identifier: Apache-2.0
//
// The judge itself: it must find what an unwinder can get wrong.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KNOWN_PROGRAMS, LIBRARY } from '../testprogs/catalog.ts';
import { VARIANTS } from '../testprogs/variants.ts';
import { missingChains, plainName, StackJudge, type Verdict } from './known-stack.ts';

const LIBC = '/lib/libc.so.6';

/** @param names outermost first; `libc:` before those of libc */
function judge(program: string, names: string, reachedEnd = true): Verdict {
  const built = {
    program: KNOWN_PROGRAMS.find(({ name }) => name === program)!,
    variant: VARIANTS.find(({ name }) => name === 'gcc -O2')!,
    path: `/programs/${program}`,
    arguments: [],
  };
  const frames = names.split(' ').map((name) => {
    const isLibc = name.startsWith('libc:');
    return { name: isLibc ? name.slice('libc:'.length) : name, file: isLibc ? LIBC : built.path };
  });
  return new StackJudge(built).judge(frames.reverse(), reachedEnd);
}

const START = '_start libc:__libc_start_main libc:__libc_start_call_main main';

describe('the judge of stacks', () => {
  it('takes what the program does', () => {
    assert.deepEqual(
      judge('callbacks', `${START} sort_numbers libc:qsort_r libc:msort compare_numbers burn`),
      {
        kind: 'right',
        chain: [LIBRARY, 'main', 'sort_numbers', LIBRARY, 'compare_numbers', 'burn'],
      },
    );
  });

  it('finds a missing function', () => {
    const verdict = judge('callbacks', `${START} libc:qsort_r burn`);
    assert.deepEqual(verdict, { kind: 'wrong', problem: `${LIBRARY} does not call burn` });
  });

  it('finds a function that does not belong there', () => {
    const verdict = judge('callbacks', `${START} sort_numbers something burn`);
    assert.deepEqual(verdict, { kind: 'wrong', problem: 'something (callbacks) is not known' });
  });

  it('counts a recursion', () => {
    const descend = (count: number) => Array(count).fill('descend').join(' ');
    assert.equal(judge('recursion_9', `${START} ${descend(9)} bottom burn`).kind, 'right');
    assert.deepEqual(judge('recursion_9', `${START} ${descend(8)} bottom burn`), {
      kind: 'wrong',
      problem: 'descend 8 times and not 9',
    });
  });

  it('finds a stack that ends too early, and one that says it does not', () => {
    assert.deepEqual(judge('callbacks', 'main format_text libc:snprintf', false), {
      kind: 'incomplete',
      problem: 'ends in main (callbacks)',
    });
    assert.deepEqual(judge('callbacks', 'main format_text libc:snprintf'), {
      kind: 'wrong',
      problem: "a thread's start at main (callbacks)",
    });
  });

  it('takes names apart', () => {
    assert.equal(plainName('_ZNK5known5OrderclEii'), 'known::Order::operator()');
    assert.equal(plainName('_ZN5known7catcherEv.cold'), 'known::catcher');
    assert.equal(
      plainName('_ZN54_$LT$known..Guard$u20$as$u20$core..ops..drop..Drop$GT$4drop17h25b711ade6093772E'),
      '<known::Guard>::drop',
    );
    assert.equal(plainName('main.generic[...]'), 'main.generic');
    assert.equal(plainName('runtime.mcall.abi0'), 'runtime.mcall');
    assert.equal(plainName('clock_gettime@@GLIBC_2.17'), 'clock_gettime');
  });

  it('tells which chains were not seen', () => {
    const program = KNOWN_PROGRAMS.find(({ name }) => name === 'faults')!;
    assert.deepEqual(missingChains(program, [[LIBRARY, 'main', 'map_and_touch', 'touch_pages']]), [
      `main ask_the_time ${LIBRARY}`,
    ]);
  });
});
