// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions of selectors: RE2's syntax, fully anchored, `.` also matching a line break, as in Prometheus. They
// come from anyone who may query, and the built-in ones can take exponential time; these are simulated as an automaton
// and take time proportional to the size of the expression times the length of the value, both of which are limited.

import { compileProgram, type Program } from './program.ts';

/** Compiles an expression to a predicate that says whether all of a value matches.
 * @throws HearthscopeError invalid_argument, with the position in the expression */
export function compileRegularExpression(source: string): (value: string) => boolean {
  const literals = literalAlternatives(source);
  if (literals !== undefined) return (value) => literals.has(value);
  const program = compileProgram(source, false);
  return (value) => run(program, value);
}

/** `a|b|c` is what dashboards send most. */
function literalAlternatives(source: string): Set<string> | undefined {
  return /[\\.+*?()[\]{}^$]/.test(source) ? undefined : new Set(source.split('|'));
}

/** A set of instructions that is emptied in no time. */
class ThreadList {
  readonly items: Uint32Array;
  length = 0;
  readonly #generationOf: Uint32Array;
  #generation = 1;

  constructor(size: number) {
    this.items = new Uint32Array(size);
    this.#generationOf = new Uint32Array(size);
  }

  /** @returns false when it was there already */
  visit(instruction: number): boolean {
    if (this.#generationOf[instruction] === this.#generation) return false;
    this.#generationOf[instruction] = this.#generation;
    return true;
  }

  push(instruction: number): void {
    this.items[this.length++] = instruction;
  }

  clear(): void {
    this.length = 0;
    this.#generation++;
  }
}

function run({ instructions, start }: Program, value: string): boolean {
  const codePoints = Array.from(value, (character) => character.codePointAt(0)!);
  let current = new ThreadList(instructions.length);
  let following = new ThreadList(instructions.length);
  const pending: number[] = [];
  /** Follows all steps that consume nothing. @returns true when it reaches the end of the expression */
  const addThread = (list: ThreadList, first: number, before: number, after: number): boolean => {
    let accepted = false;
    pending.push(first);
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (!list.visit(at)) continue;
      const instruction = instructions[at]!;
      if (instruction.kind === 'character') list.push(at);
      else if (instruction.kind === 'accept') accepted = true;
      else if (instruction.kind === 'split') pending.push(instruction.next, instruction.other);
      else if (instruction.kind === 'save' || instruction.holds(before, after))
        pending.push(instruction.next);
    }
    return accepted;
  };
  let accepted = addThread(current, start, -1, codePoints[0] ?? -1);
  for (let i = 0; i < codePoints.length; i++) {
    const codePoint = codePoints[i]!;
    accepted = false;
    for (let thread = 0; thread < current.length; thread++) {
      const instruction = instructions[current.items[thread]!]!;
      if (instruction.kind !== 'character' || !instruction.matches(codePoint)) continue;
      if (addThread(following, instruction.next, codePoint, codePoints[i + 1] ?? -1)) accepted = true;
    }
    if (following.length === 0 && !accepted) return false;
    [current, following] = [following, current];
    following.clear();
  }
  return accepted;
}
