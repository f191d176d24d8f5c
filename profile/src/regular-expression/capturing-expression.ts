// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions whose groups are asked for, as rules that rewrite labels do. Like those of selectors they are fully
// anchored, simulated, and take time proportional to the size of the expression times the length of the value. Of several
// ways to match, the one that RE2 prefers decides what the groups capture.

import { compileProgram, type Program } from './program.ts';

/** What the groups captured; the first is the whole value, undefined is a group that took no part. */
export type Captures = readonly (string | undefined)[];

export interface CapturingExpression {
  /** The names of the groups, '' where there is none; the first stands for the whole match. */
  readonly groupNames: readonly string[];
  /** @returns undefined when the value does not match from its start to its end */
  match(value: string): Captures | undefined;
}

/** @throws HearthscopeError invalid_argument, with the position in the expression */
export function compileCapturingExpression(source: string): CapturingExpression {
  const program = compileProgram(source, true);
  return { groupNames: program.groupNames, match: (value) => run(program, value) };
}

const REFERENCE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

/** Fills in a template as Go's `Regexp.Expand` does: `$1`, `${1}`, `$name` and `${name}` stand for what a group captured,
 * `$$` for a dollar. A group that took no part, or does not exist, is empty; of several with one name the first that took
 * part counts. A name is as long as it can be: `$1x` is the group `1x`. */
export function expandTemplate(
  template: string,
  { groupNames }: CapturingExpression,
  captures: Captures,
): string {
  return template.replace(REFERENCE, (reference, braced?: string, bare?: string) => {
    if (reference === '$$') return '$';
    const name = braced ?? bare!;
    if (/^\d+$/.test(name)) return captures[Number(name)] ?? '';
    return captures.find((capture, index) => groupNames[index] === name && capture !== undefined) ?? '';
  });
}

/** Whether a template depends on what was captured. */
export function hasReferences(template: string): boolean {
  return template.search(REFERENCE) >= 0;
}

/** Positions that a thread has kept, the newest first. Threads share what they have in common. */
interface Saved {
  readonly slot: number;
  readonly position: number;
  readonly before: Saved | undefined;
}

/** Threads in order of preference. */
class Threads {
  readonly instructions: number[] = [];
  readonly saved: (Saved | undefined)[] = [];
  readonly #visited = new Set<number>();

  visit(instruction: number): boolean {
    if (this.#visited.has(instruction)) return false;
    this.#visited.add(instruction);
    return true;
  }
}

function run(program: Program, value: string): Captures | undefined {
  const { instructions } = program;
  let threads = new Threads();
  let accepted = addThread(program, threads, program.start, undefined, value, 0);
  for (let at = 0; at < value.length; ) {
    const codePoint = value.codePointAt(at)!;
    const end = at + (codePoint > 0xffff ? 2 : 1);
    const following = new Threads();
    accepted = undefined;
    for (const [i, index] of threads.instructions.entries()) {
      const instruction = instructions[index]!;
      if (instruction.kind !== 'character' || !instruction.matches(codePoint)) continue;
      accepted = addThread(program, following, instruction.next, threads.saved[i], value, end);
      // Those that come after are less preferred than one that is at the end.
      if (accepted !== undefined) break;
    }
    if (following.instructions.length === 0 && accepted === undefined) return undefined;
    threads = following;
    at = end;
  }
  return accepted === undefined ? undefined : capturesOf(accepted.saved, program, value);
}

/** Follows all steps that consume nothing, the preferred ones first.
 * @returns what was kept on the way, when it reaches the end of the expression at the end of the value */
function addThread(
  { instructions }: Program,
  threads: Threads,
  first: number,
  kept: Saved | undefined,
  value: string,
  at: number,
): { readonly saved: Saved | undefined } | undefined {
  const before = at === 0 ? -1 : codePointBefore(value, at);
  const after = value.codePointAt(at) ?? -1;
  const pending = [{ index: first, saved: kept }];
  for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
    const { index, saved } = step;
    if (!threads.visit(index)) continue;
    const instruction = instructions[index]!;
    switch (instruction.kind) {
      case 'character':
        threads.instructions.push(index);
        threads.saved.push(saved);
        break;
      case 'accept':
        if (after === -1) return { saved };
        break;
      case 'split':
        pending.push({ index: instruction.other, saved }, { index: instruction.next, saved });
        break;
      case 'save':
        pending.push({
          index: instruction.next,
          saved: { slot: instruction.slot, position: at, before: saved },
        });
        break;
      case 'assert':
        if (instruction.holds(before, after)) pending.push({ index: instruction.next, saved });
    }
  }
  return undefined;
}

function codePointBefore(value: string, at: number): number {
  const pair = at >= 2 ? value.codePointAt(at - 2)! : 0;
  return pair > 0xffff ? pair : value.charCodeAt(at - 1);
}

function capturesOf(newest: Saved | undefined, { groupNames }: Program, value: string): Captures {
  const positions = new Map<number, number>([
    [0, 0],
    [1, value.length],
  ]);
  for (let saved = newest; saved !== undefined; saved = saved.before) {
    if (!positions.has(saved.slot)) positions.set(saved.slot, saved.position);
  }
  return groupNames.map((_, index) => {
    const end = positions.get(2 * index + 1);
    return end === undefined ? undefined : value.slice(positions.get(2 * index), end);
  });
}
