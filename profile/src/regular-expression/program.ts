// SPDX-License-Identifier: Apache-2.0
//
// An expression as instructions of an automaton. Of the two ways out of a split the first is preferred, in the order that
// RE2 prefers them: it decides what groups capture, though not whether a value matches.

import { HearthscopeError } from '../errors.ts';
import { type Node, parseExpression } from './regular-expression-syntax.ts';

/** Instructions of a compiled expression. */
export const MAX_PROGRAM_SIZE = 4096;

export type Instruction =
  | { readonly kind: 'character'; readonly matches: (codePoint: number) => boolean; readonly next: number }
  | { readonly kind: 'split'; readonly next: number; readonly other: number }
  | { readonly kind: 'assert'; readonly holds: AssertionTest; readonly next: number }
  /** Keeps the position as the start (even) or the end (odd) of group `slot / 2`. */
  | { readonly kind: 'save'; readonly slot: number; readonly next: number }
  | { readonly kind: 'accept' };

/** @param before code point before the position, -1 at the start @param after code point after it, -1 at the end */
type AssertionTest = (before: number, after: number) => boolean;

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly start: number;
  /** Names of the groups, '' where there is none; the first stands for the whole match. */
  readonly groupNames: readonly string[];
}

/** @param captures whether the program says what its groups capture
 * @throws HearthscopeError invalid_argument, with the position in the expression */
export function compileProgram(source: string, captures: boolean): Program {
  const { root, groupNames } = parseExpression(source);
  return { ...new Compiler(source, captures).compile(root), groupNames };
}

class Compiler {
  readonly #source: string;
  readonly #captures: boolean;
  readonly #instructions: Instruction[] = [];

  constructor(source: string, captures: boolean) {
    this.#source = source;
    this.#captures = captures;
  }

  compile(root: Node): Pick<Program, 'instructions' | 'start'> {
    const accept = this.#emit({ kind: 'accept' });
    return { start: this.#compile(root, accept), instructions: this.#instructions };
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
      case 'group':
        return this.#compileGroup(node.item, node.index, next);
      case 'repeat':
        return this.#compileRepeat(node, next);
    }
  }

  #compileGroup(item: Node, index: number, next: number): number {
    if (!this.#captures) return this.#compile(item, next);
    const end = this.#emit({ kind: 'save', slot: 2 * index + 1, next });
    return this.#emit({ kind: 'save', slot: 2 * index, next: this.#compile(item, end) });
  }

  #compileRepeat(node: Node & { kind: 'repeat' }, next: number): number {
    const { item, min, max } = node;
    let start = next;
    let copies = min;
    if (max === Number.POSITIVE_INFINITY) {
      start = this.#compileLoop(node, next);
      if (min > 0) copies--;
    } else {
      for (let i = min; i < max; i++) {
        start = this.#split(node, this.#compile(item, start), next);
      }
    }
    for (let i = 0; i < copies; i++) {
      const after = start;
      start = this.#compile(item, start);
      // Repeating what is empty compiles to nothing, and would take for ever to do so.
      if (start === after) break;
    }
    return start;
  }

  /** `item+`, or `item*` for a repetition that need not occur. */
  #compileLoop(node: Node & { kind: 'repeat' }, next: number): number {
    // The loop's split is placed before its body is known, and completed after.
    const loop = this.#emit({ kind: 'accept' });
    const body = this.#compile(node.item, loop);
    this.#instructions[loop] = this.#splitOf(node, body, next);
    if (node.min > 0) return body;
    // What may be empty is entered once, so that its empty match comes before none in preference.
    return mayBeEmpty(node.item) ? this.#split(node, body, next) : loop;
  }

  #split(node: { readonly isGreedy: boolean }, body: number, after: number): number {
    return this.#emit(this.#splitOf(node, body, after));
  }

  #splitOf({ isGreedy }: { readonly isGreedy: boolean }, body: number, after: number): Instruction {
    return isGreedy
      ? { kind: 'split', next: body, other: after }
      : { kind: 'split', next: after, other: body };
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

function mayBeEmpty(node: Node): boolean {
  switch (node.kind) {
    case 'character':
      return false;
    case 'assertion':
      return true;
    case 'sequence':
      return node.items.every(mayBeEmpty);
    case 'alternatives':
      return node.items.some(mayBeEmpty);
    case 'group':
      return mayBeEmpty(node.item);
    case 'repeat':
      return node.min === 0 || mayBeEmpty(node.item);
  }
}
