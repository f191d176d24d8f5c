// SPDX-License-Identifier: Apache-2.0
//
// The text that is being printed, what of it is asked for, and the bounds on it.

import { HearthscopeError } from '../../errors.ts';
import { demangleLimits } from './demangle-limits.ts';

/** Which parts of a name are shown. */
export interface ShownParts {
  /** Parameter lists, return types and qualifiers of functions. */
  readonly signatures: boolean;
  readonly templateArguments: boolean;
}

/** Outside of all pack expansions. */
const noPack = -1;

export class ItaniumOutput {
  text = '';
  readonly shown: ShownParts;
  /** Element of the parameter packs that the enclosing expansion is at. */
  packIndex = 0;
  /** Elements of the first pack that was met in the enclosing expansion; `noPack` until one is. */
  packLength = noPack;
  /** Parentheses and brackets open since the last `<`; at 0 a `>` would end the template arguments. */
  enclosure = 1;
  #lastPiece = '';
  #depth = 0;
  #steps = 0;

  constructor(shown: ShownParts) {
    this.shown = shown;
  }

  write(piece: string): void {
    if (piece === '') return;
    this.text += piece;
    this.#lastPiece = piece;
    if (this.text.length > demangleLimits.maxOutputLength) throw exhausted('too long');
  }

  endsWith(character: string): boolean {
    return this.#lastPiece.endsWith(character);
  }

  /** Counts one node; each needs its `leave`. @throws HearthscopeError when there are too many, or too many within each other. */
  enter(): void {
    if (++this.#steps > demangleLimits.maxPrintSteps) throw exhausted('takes too long');
    if (++this.#depth > demangleLimits.maxDepth) throw exhausted('too deeply nested');
  }

  leave(): void {
    this.#depth--;
  }

  /** @throws HearthscopeError when a chain of nodes is followed further than they may be nested. */
  checkDepth(depth: number): void {
    if (depth > demangleLimits.maxDepth) throw exhausted('too deeply nested');
  }

  open(bracket = '('): void {
    this.enclosure++;
    this.write(bracket);
  }

  close(bracket = ')'): void {
    this.enclosure--;
    this.write(bracket);
  }

  /** Prints within `<` and `>`. */
  angled(print: () => void): void {
    const { enclosure } = this;
    this.enclosure = 0;
    this.write('<');
    print();
    this.write('>');
    this.enclosure = enclosure;
  }

  /** Prints the items with commas between those that print something: an empty pack leaves none. */
  list<T>(items: readonly T[], print: (item: T) => void): void {
    let first = true;
    for (const item of items) {
      const { text } = this;
      const lastPiece = this.#lastPiece;
      if (!first) this.write(', ');
      const { length } = this.text;
      print(item);
      if (this.text.length === length) {
        this.text = text;
        this.#lastPiece = lastPiece;
      } else {
        first = false;
      }
    }
  }

  /** Prints the pattern once for each element of the packs in it. */
  expand(print: () => void): void {
    const { packIndex, packLength, text } = this;
    const lastPiece = this.#lastPiece;
    this.packLength = noPack;
    print();
    const length = this.packLength;
    if (length === noPack) {
      this.write('...');
    } else if (length === 0) {
      this.text = text;
      this.#lastPiece = lastPiece;
    }
    for (let index = 1; index < length; index++) {
      this.write(', ');
      this.packIndex = index;
      print();
    }
    this.packIndex = packIndex;
    this.packLength = packLength;
  }

  /** A pack of `length` elements is met: the index of the one to print, or undefined when it has none there. */
  packElement(length: number): number | undefined {
    if (this.packLength === noPack) {
      this.packLength = length;
      this.packIndex = 0;
    }
    return this.packIndex < length ? this.packIndex : undefined;
  }
}

function exhausted(what: string): HearthscopeError {
  return new HearthscopeError('resource_exhausted', `demangled name ${what}`);
}
