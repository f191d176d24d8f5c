// SPDX-License-Identifier: Apache-2.0
//
// Where the reader of a Rust v0 name is, and the text that it prints as it reads. The two are one because the scheme
// refers back to positions of the name (`B<position>_`), whose text depends on where it is used.

import { FormatError, HearthscopeError } from '../../errors.ts';
import { demangleLimits } from './demangle-limits.ts';
import { decodePunycode } from './punycode.ts';

export class RustCursor {
  readonly text: string;
  position = 0;
  output = '';
  /** Above 0 nothing is printed, and what positions refer back to is not read again. */
  muted = 0;
  #depth = 0;
  #steps = 0;

  constructor(text: string) {
    this.text = text;
  }

  peek(): string | undefined {
    return this.text[this.position];
  }

  next(): string {
    return this.text[this.position++] ?? this.fail('unexpected end');
  }

  eat(letter: string): boolean {
    if (this.text[this.position] !== letter) return false;
    this.position++;
    return true;
  }

  /** @throws FormatError always: the name is damaged here. */
  fail(what: string): never {
    throw new FormatError('mangled name', this.position, what);
  }

  /** Counts one path, type or constant; each needs its `leave`. @throws HearthscopeError beyond the limits. */
  enter(): void {
    if (++this.#depth > demangleLimits.maxDepth) this.fail('too deeply nested');
    if (++this.#steps > demangleLimits.maxPrintSteps) throw exhausted('takes too long');
  }

  leave(): void {
    this.#depth--;
  }

  print(piece: string): void {
    if (this.muted > 0) return;
    this.output += piece;
    if (this.output.length > demangleLimits.maxOutputLength) throw exhausted('too long');
  }

  /** Reads without printing. */
  skip(read: () => void): void {
    this.muted++;
    read();
    this.muted--;
  }

  /** Reads items up to `E`, printed with the separator between them; how many there were. */
  list(read: () => void, separator = ', '): number {
    let count = 0;
    while (!this.eat('E')) {
      if (count++ > 0) this.print(separator);
      read();
    }
    return count;
  }

  /** Reads again what stands at an earlier position, whose `B` was just read. */
  backReference(read: () => void): void {
    const here = this.position - 1;
    const target = this.base62();
    if (target >= here) this.fail('reference to a later position');
    if (this.muted > 0) return;
    const { position } = this;
    this.position = target;
    read();
    this.position = position;
  }

  /** `<base-62 digit>* _`: 0 for `_` alone, else one more than the number. */
  base62(): number {
    let value = 0;
    for (let digits = 0; ; digits++) {
      const letter = this.next();
      if (letter === '_') return digits === 0 ? 0 : value + 1;
      // Crate hashes have 64 bits and are not shown, so that the rounding of large numbers is harmless.
      value = value * 62 + base62Digit(letter, this);
      if (value > 2 ** 64) this.fail('number out of bounds');
    }
  }

  /** An optional number after its letter: 0 when the letter is not there, else one more than the number. */
  optionalBase62(letter: string): number {
    return this.eat(letter) ? this.base62() + 1 : 0;
  }

  decimal(): number {
    const first = this.next();
    let value = first.charCodeAt(0) - 0x30;
    if (!(value >= 0 && value <= 9)) this.fail('number expected');
    if (value === 0) return 0;
    for (let code = this.text.charCodeAt(this.position); code >= 0x30 && code <= 0x39; ) {
      value = value * 10 + code - 0x30;
      if (value > demangleLimits.maxInputLength) this.fail('number out of bounds');
      code = this.text.charCodeAt(++this.position);
    }
    return value;
  }

  /** `[u] <length> [_] <bytes>`. */
  identifier(): string {
    const punycode = this.eat('u');
    const length = this.decimal();
    this.eat('_');
    const end = this.position + length;
    if (end > this.text.length) this.fail('identifier out of bounds');
    const bytes = this.text.slice(this.position, end);
    this.position = end;
    return punycode ? (decodePunycode(bytes) ?? this.fail('damaged Punycode')) : bytes;
  }

  /** `<hex digit>* _`, without leading zeros. */
  hexadecimal(): string {
    const start = this.position;
    while (/[0-9a-f]/.test(this.peek() ?? '')) this.position++;
    const digits = this.text.slice(start, this.position);
    if (!this.eat('_')) this.fail('hexadecimal number expected');
    return digits;
  }
}

function base62Digit(letter: string, cursor: RustCursor): number {
  const code = letter.charCodeAt(0);
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x7a) return code - 0x61 + 10;
  if (code >= 0x41 && code <= 0x5a) return code - 0x41 + 36;
  return cursor.fail('base-62 digit expected');
}

function exhausted(what: string): HearthscopeError {
  return new HearthscopeError('resource_exhausted', `demangled name ${what}`);
}
