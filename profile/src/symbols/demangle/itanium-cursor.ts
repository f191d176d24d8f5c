// SPDX-License-Identifier: Apache-2.0
//
// Where the reader of an Itanium C++ name is, and what it has to remember: earlier components (substitutions) and
// template arguments. The grammar itself is in the files beside it. The reader never goes back, so its time is linear
// in the length of the name.

import { FormatError } from '../../errors.ts';
import { demangleLimits } from './demangle-limits.ts';
import type { ForwardNode, ItaniumNode } from './itanium-tree.ts';

export class ItaniumCursor {
  readonly text: string;
  position: number;
  /** Components that `S_`, `S0_`, … refer to. */
  readonly substitutions: ItaniumNode[] = [];
  /** Template arguments that `T_`, `T0_`, … refer to, by level; a level that a generic lambda's `auto` opened is undefined. */
  templateLevels: (ItaniumNode[] | undefined)[] = [];
  /** Level 0, which outlives the levels of a template argument. */
  outerTemplateArguments: ItaniumNode[] = [];
  /** Level at which a lambda's own template parameters are numbered while its parameters are read; undefined elsewhere. */
  lambdaLevel: number | undefined;
  /** False while the type of a conversion operator is read: `I` then begins the operator's own arguments. */
  typesTakeArguments = true;
  /** True while template arguments may be referred to before they come. */
  allowForward = false;
  readonly forwards: ForwardNode[] = [];
  /** True while a constraint is read, whose template parameters may belong to any enclosing template. */
  inConstraint = false;
  /** How many template parameters of each kind have been given a made-up name. */
  readonly inventedNames = { $T: 0, $N: 0, $TT: 0 };
  #depth = 0;

  constructor(text: string, position: number) {
    this.text = text;
    this.position = position;
  }

  /** The next character, or one further on; undefined at the end. */
  peek(distance = 0): string | undefined {
    return this.text[this.position + distance];
  }

  get atEnd(): boolean {
    return this.position >= this.text.length;
  }

  /** Whether the next characters are `token`. */
  sees(token: string): boolean {
    for (let i = 0; i < token.length; i++) {
      if (this.text[this.position + i] !== token[i]) return false;
    }
    return true;
  }

  /** Steps over `token` when it is next. */
  eat(token: string): boolean {
    if (!this.sees(token)) return false;
    this.position += token.length;
    return true;
  }

  /** Steps over `token`. @throws FormatError when something else comes. */
  expect(token: string): void {
    if (!this.eat(token)) this.fail(`'${token}' expected`);
  }

  /** @throws FormatError always: the name is damaged here. */
  fail(what: string): never {
    throw new FormatError('mangled name', this.position, what);
  }

  /** Counts one level of nesting; each needs its `leave`. @throws FormatError when there are too many. */
  enter(): void {
    if (++this.#depth > demangleLimits.maxDepth) this.fail('too deeply nested');
  }

  leave(): void {
    this.#depth--;
  }

  get nextIsDigit(): boolean {
    const code = this.text.charCodeAt(this.position);
    return code >= 0x30 && code <= 0x39;
  }

  /** The digits that come next, possibly none, with a leading `n` for negative numbers where those are allowed. */
  number(signed = false): string {
    const start = this.position;
    if (signed && this.text[start] === 'n') this.position++;
    while (this.nextIsDigit) this.position++;
    return this.text.slice(start, this.position);
  }

  /** A number that must be there, as index or length. @throws FormatError when there is none or it is out of bounds. */
  index(): number {
    if (!this.nextIsDigit) this.fail('number expected');
    let value = 0;
    while (this.nextIsDigit) {
      value = value * 10 + this.text.charCodeAt(this.position++) - 0x30;
      if (value > demangleLimits.maxInputLength) this.fail('number out of bounds');
    }
    return value;
  }

  /** `<positive length number> <identifier>`. */
  sourceText(): string {
    const length = this.index();
    const end = this.position + length;
    if (length === 0 || end > this.text.length) this.fail('identifier out of bounds');
    const identifier = this.text.slice(this.position, end);
    this.position = end;
    return identifier;
  }

  /** `<seq-id>`: a number to the base 36. */
  sequence(): number {
    let value = 0;
    const start = this.position;
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code >= 0x30 && code <= 0x39) value = value * 36 + code - 0x30;
      else if (code >= 0x41 && code <= 0x5a) value = value * 36 + code - 0x37;
      else break;
      if (value > demangleLimits.maxInputLength) this.fail('sequence number out of bounds');
      this.position++;
    }
    if (this.position === start) this.fail('sequence number expected');
    return value;
  }

  /** Makes the node available to later substitutions. */
  remember<T extends ItaniumNode>(node: T): T {
    this.substitutions.push(node);
    return node;
  }

  /** Reads items up to and including `end`. */
  list<T>(read: (cursor: ItaniumCursor) => T, end = 'E'): T[] {
    const items: T[] = [];
    while (!this.eat(end)) items.push(read(this));
    return items;
  }
}
