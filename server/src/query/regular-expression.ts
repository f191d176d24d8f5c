// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions of selectors: RE2's syntax, fully anchored, `.` also matching a line break, as in Prometheus. They
// come from anyone who may query, and the built-in ones can take exponential time; these are simulated as an automaton
// and take time proportional to the size of the expression times the length of the value, both of which are limited.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type Node, parseExpression } from './regular-expression-syntax.ts';

/** Instructions of a compiled expression. */
export const MAX_PROGRAM_SIZE = 4096;

type Instruction =
  | { readonly kind: 'character'; readonly matches: (codePoint: number) => boolean; readonly next: number }
  | { readonly kind: 'split'; readonly next: number; readonly other: number }
  | { readonly kind: 'assert'; readonly holds: AssertionTest; readonly next: number }
  | { readonly kind: 'accept' };

/** @param before code point before the position, -1 at the start @param after code point after it, -1 at the end */
type AssertionTest = (before: number, after: number) => boolean;

/** Compiles an expression to a predicate that says whether all of a value matches.
 * @throws HearthscopeError invalid_argument, with the position in the expression */
export function compileRegularExpression(source: string): (value: string) => boolean {
  const literals = literalAlternatives(source);
  if (literals !== undefined) return (value) => literals.has(value);
  const program = new Compiler(source).compile(parseExpression(source));
  return (value) => run(program, value);
}

/** `a|b|c` is what dashboards send most. */
function literalAlternatives(source: string): Set<string> | undefined {
  return /[\\.+*?()[\]{}^$]/.test(source) ? undefined : new Set(source.split('|'));
}

interface Program {
  readonly instructions: readonly Instruction[];
  readonly start: number;
}

class Compiler {
  readonly #source: string;
  readonly #instructions: Instruction[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  compile(node: Node): Program {
    const accept = this.#emit({ kind: 'accept' });
    return { start: this.#compile(node, accept), instructions: this.#instructions };
  }

  /** Back to front: `next` is where to go after the node. @returns where the node begins */
  #compile(node: Node, next: number): number {
    switch (node.kind) {
      case 'character':
        return this.#emit({ kind: 'character', matches: node.matches, next });
      case 'assertion':
        return this.#emit({ kind: 'assert', holds: node.holds, next });
      case 'sequence':
        return node.items.reduceRight((after, item) => this.#compile(item, after), next);
      case 'alternatives':
        return node.items
          .map((item) => this.#compile(item, next))
          .reduceRight((other, start) => this.#emit({ kind: 'split', next: start, other }));
      case 'repeat':
        return this.#compileRepeat(node.item, node.min, node.max, next);
    }
  }

  #compileRepeat(item: Node, min: number, max: number, next: number): number {
    let start = next;
    if (max === Number.POSITIVE_INFINITY) {
      // The loop's split is placed before its body is known, and completed after.
      const loop = this.#emit({ kind: 'accept' });
      const body = this.#compile(item, loop);
      this.#instructions[loop] = { kind: 'split', next: body, other: next };
      start = loop;
    } else {
      for (let i = min; i < max; i++) {
        start = this.#emit({ kind: 'split', next: this.#compile(item, start), other: next });
      }
    }
    for (let i = 0; i < min; i++) {
      const after = start;
      start = this.#compile(item, start);
      // Repeating what is empty compiles to nothing, and would take for ever to do so.
      if (start === after) break;
    }
    return start;
  }

  #emit(instruction: Instruction): number {
    if (this.#instructions.length === MAX_PROGRAM_SIZE) {
      throw new HearthscopeError(
        'invalid_argument',
        `regular expression ${JSON.stringify(this.#source)} is too large: it compiles to more than ${MAX_PROGRAM_SIZE} steps`,
      );
    }
    return this.#instructions.push(instruction) - 1;
  }
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
      else if (instruction.holds(before, after)) pending.push(instruction.next);
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
