// SPDX-License-Identifier: Apache-2.0
//
// Rust's v0 mangling (RFC 2603): `_R` <path> [<path of the instantiating crate>] [.<suffix>]. Printed without the hashes
// that tell crates of one name apart and without the types of integer constants.

import type { ShownParts } from './itanium-output.ts';
import { readConstant } from './rust-v0-constants.ts';
import { RustCursor } from './rust-v0-cursor.ts';

/** The readable form. @throws FormatError when it is damaged, HearthscopeError beyond the limits. */
export function demangleRustV0(name: string, shown: ShownParts): string {
  const start = name.indexOf('R') + 1;
  const dot = name.indexOf('.');
  const cursor = new RustCursor(name.slice(start, dot < 0 ? undefined : dot));
  if (!/^[A-Z]/.test(cursor.text)) cursor.fail('path expected');
  const reader = new RustReader(cursor, shown);
  reader.path(true);
  if (cursor.position < cursor.text.length) cursor.skip(() => reader.path(false));
  if (cursor.position < cursor.text.length) cursor.fail('end expected');
  return cursor.output + (dot < 0 ? '' : ` (${name.slice(dot)})`);
}

const basicTypes = new Map([
  ['a', 'i8'],
  ['b', 'bool'],
  ['c', 'char'],
  ['d', 'f64'],
  ['e', 'str'],
  ['f', 'f32'],
  ['h', 'u8'],
  ['i', 'isize'],
  ['j', 'usize'],
  ['l', 'i32'],
  ['m', 'u32'],
  ['n', 'i128'],
  ['o', 'u128'],
  ['p', '_'],
  ['s', 'i16'],
  ['t', 'u16'],
  ['u', '()'],
  ['v', '...'],
  ['x', 'i64'],
  ['y', 'u64'],
  ['z', '!'],
]);

class RustReader {
  readonly #cursor: RustCursor;
  readonly #shown: ShownParts;
  /** Lifetimes bound by the `for<…>` around. */
  #boundLifetimes = 0;

  constructor(cursor: RustCursor, shown: ShownParts) {
    this.#cursor = cursor;
    this.#shown = shown;
  }

  /** `<path>`; `inValue` when it names a value, whose generic arguments follow `::`. */
  path(inValue: boolean): void {
    const cursor = this.#cursor;
    cursor.enter();
    const tag = cursor.next();
    switch (tag) {
      case 'C':
        cursor.optionalBase62('s');
        cursor.print(cursor.identifier());
        break;
      case 'N':
        this.#nestedPath(inValue);
        break;
      case 'M':
      case 'X':
      case 'Y':
        // Where an implementation stands is not shown.
        if (tag !== 'Y') {
          cursor.optionalBase62('s');
          cursor.skip(() => this.path(false));
        }
        cursor.print('<');
        this.type();
        if (tag !== 'M') {
          cursor.print(' as ');
          this.path(false);
        }
        cursor.print('>');
        break;
      case 'I':
        this.path(inValue);
        this.#genericArguments(inValue ? '::' : '');
        break;
      case 'B':
        cursor.backReference(() => this.path(inValue));
        break;
      default:
        cursor.fail('unknown path');
    }
    cursor.leave();
  }

  #nestedPath(inValue: boolean): void {
    const cursor = this.#cursor;
    const namespace = cursor.next();
    if (!/[A-Za-z]/.test(namespace)) cursor.fail('namespace expected');
    this.path(inValue);
    const disambiguator = cursor.optionalBase62('s');
    const name = cursor.identifier();
    if (namespace >= 'a') {
      if (name !== '') cursor.print(`::${name}`);
      return;
    }
    const special = namespace === 'C' ? 'closure' : namespace === 'S' ? 'shim' : namespace;
    cursor.print(`::{${special}${name === '' ? '' : `:${name}`}#${disambiguator}}`);
  }

  #genericArguments(prefix: string): void {
    const cursor = this.#cursor;
    if (!this.#shown.templateArguments) {
      cursor.skip(() => cursor.list(() => this.#genericArgument()));
      return;
    }
    cursor.print(`${prefix}<`);
    cursor.list(() => this.#genericArgument());
    cursor.print('>');
  }

  #genericArgument(): void {
    const cursor = this.#cursor;
    if (cursor.eat('L')) this.#printLifetime(cursor.base62());
    else if (cursor.eat('K')) readConstant(cursor, this, false);
    else this.type();
  }

  /** Lifetimes count from the innermost binder; 0 is one that was erased. */
  #printLifetime(index: number): void {
    const cursor = this.#cursor;
    if (index === 0) {
      cursor.print("'_");
      return;
    }
    const depth = this.#boundLifetimes - index;
    if (depth < 0) cursor.fail('lifetime that is not bound');
    cursor.print(depth < 26 ? `'${String.fromCharCode(0x61 + depth)}` : `'_${depth}`);
  }

  /** `[G <number>]`: reads what the lifetimes are bound in. */
  #bound(read: () => void): void {
    const cursor = this.#cursor;
    const count = cursor.optionalBase62('G');
    const outer = this.#boundLifetimes;
    if (count > 0 && cursor.muted === 0) {
      cursor.print('for<');
      for (let i = 0; i < count; i++) {
        if (i > 0) cursor.print(', ');
        this.#boundLifetimes++;
        this.#printLifetime(1);
      }
      cursor.print('> ');
    }
    this.#boundLifetimes = outer + count;
    read();
    this.#boundLifetimes = outer;
  }

  /** `<type>`. */
  type(): void {
    const cursor = this.#cursor;
    cursor.enter();
    const basic = basicTypes.get(cursor.peek() ?? '');
    if (basic === undefined) {
      this.#compoundType();
    } else {
      cursor.position++;
      cursor.print(basic);
    }
    cursor.leave();
  }

  #compoundType(): void {
    const cursor = this.#cursor;
    const tag = cursor.next();
    switch (tag) {
      case 'R':
      case 'Q': {
        cursor.print('&');
        const lifetime = cursor.eat('L') ? cursor.base62() : 0;
        if (lifetime !== 0) {
          this.#printLifetime(lifetime);
          cursor.print(' ');
        }
        if (tag === 'Q') cursor.print('mut ');
        this.type();
        break;
      }
      case 'P':
      case 'O':
        cursor.print(tag === 'P' ? '*const ' : '*mut ');
        this.type();
        break;
      case 'A':
      case 'S':
        cursor.print('[');
        this.type();
        if (tag === 'A') {
          cursor.print('; ');
          readConstant(cursor, this, true);
        }
        cursor.print(']');
        break;
      case 'T': {
        cursor.print('(');
        const count = cursor.list(() => this.type());
        cursor.print(count === 1 ? ',)' : ')');
        break;
      }
      case 'F':
        this.#bound(() => this.#functionType());
        break;
      case 'D':
        this.#traitObject();
        break;
      case 'B':
        cursor.backReference(() => this.type());
        break;
      default:
        cursor.position--;
        this.path(false);
    }
  }

  /** `[U] [K <abi>] <type>* E <type>`. */
  #functionType(): void {
    const cursor = this.#cursor;
    if (cursor.eat('U')) cursor.print('unsafe ');
    if (cursor.eat('K')) {
      const abi = cursor.eat('C') ? 'C' : cursor.identifier().replaceAll('_', '-');
      cursor.print(`extern "${abi}" `);
    }
    cursor.print('fn(');
    cursor.list(() => this.type());
    cursor.print(')');
    if (cursor.eat('u')) return;
    cursor.print(' -> ');
    this.type();
  }

  /** `[<binder>] <trait>* E <lifetime>`. */
  #traitObject(): void {
    const cursor = this.#cursor;
    cursor.print('dyn ');
    this.#bound(() => cursor.list(() => this.#boundTrait(), ' + '));
    if (!cursor.eat('L')) cursor.fail('lifetime expected');
    const lifetime = cursor.base62();
    if (lifetime === 0) return;
    cursor.print(' + ');
    this.#printLifetime(lifetime);
  }

  /** `<path> (p <identifier> <type>)*`: the associated types are shown among the generic arguments. */
  #boundTrait(): void {
    const cursor = this.#cursor;
    let open = this.#traitPath();
    while (cursor.eat('p')) {
      const name = cursor.identifier();
      if (!this.#shown.templateArguments) {
        cursor.skip(() => this.type());
        continue;
      }
      cursor.print(open ? ', ' : '<');
      open = true;
      cursor.print(`${name} = `);
      this.type();
    }
    if (open) cursor.print('>');
  }

  /** A path whose generic arguments are left open for more; whether there are some. */
  #traitPath(): boolean {
    const cursor = this.#cursor;
    let open = false;
    cursor.enter();
    if (cursor.eat('B')) {
      cursor.backReference(() => {
        open = this.#traitPath();
      });
    } else if (this.#shown.templateArguments && cursor.eat('I')) {
      this.path(false);
      cursor.print('<');
      cursor.list(() => this.#genericArgument());
      open = true;
    } else {
      this.path(false);
    }
    cursor.leave();
    return open;
  }
}
