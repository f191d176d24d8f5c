// SPDX-License-Identifier: Apache-2.0
//
// Constants among the generic arguments of Rust v0 names: numbers, characters, strings, and values made of them.

import type { RustCursor } from './rust-v0-cursor.ts';

/** What constants need of the reader of paths and types. */
export interface PathReader {
  path(inValue: boolean): void;
  type(): void;
}

/** `<const>`; `inValue` where an expression stands anyway, so that no braces are needed around one. */
export function readConstant(cursor: RustCursor, reader: PathReader, inValue: boolean): void {
  cursor.enter();
  const tag = cursor.next();
  switch (tag) {
    case 'p':
      cursor.print('_');
      break;
    // Unsigned, then signed integers.
    case 'h':
    case 't':
    case 'm':
    case 'y':
    case 'o':
    case 'j':
      printInteger(cursor);
      break;
    case 'a':
    case 's':
    case 'l':
    case 'x':
    case 'n':
    case 'i':
      if (cursor.eat('n')) cursor.print('-');
      printInteger(cursor);
      break;
    case 'b':
      printBoolean(cursor);
      break;
    case 'c':
      printCharacter(cursor);
      break;
    case 'B':
      cursor.backReference(() => readConstant(cursor, reader, inValue));
      break;
    default:
      if (!inValue) cursor.print('{');
      readExpression(cursor, reader, tag);
      if (!inValue) cursor.print('}');
  }
  cursor.leave();
}

/** Strings, references, arrays, tuples and values of structures. */
function readExpression(cursor: RustCursor, reader: PathReader, tag: string): void {
  const value = () => readConstant(cursor, reader, true);
  switch (tag) {
    case 'e':
      // A string itself, of which only a reference can be written.
      cursor.print('*');
      printString(cursor);
      break;
    case 'R':
    case 'Q':
      if (tag === 'R' && cursor.eat('e')) {
        printString(cursor);
        break;
      }
      cursor.print(tag === 'R' ? '&' : '&mut ');
      value();
      break;
    case 'A':
      cursor.print('[');
      cursor.list(value);
      cursor.print(']');
      break;
    case 'T': {
      cursor.print('(');
      const count = cursor.list(value);
      cursor.print(count === 1 ? ',)' : ')');
      break;
    }
    case 'V':
      readStructure(cursor, reader, value);
      break;
    default:
      cursor.fail('unknown constant');
  }
}

/** `<path> (U | T <const>* E | S (<identifier> <const>)* E)`. */
function readStructure(cursor: RustCursor, reader: PathReader, value: () => void): void {
  reader.path(true);
  const form = cursor.next();
  if (form === 'T') {
    cursor.print('(');
    cursor.list(value);
    cursor.print(')');
  } else if (form === 'S') {
    cursor.print(' { ');
    cursor.list(() => {
      cursor.optionalBase62('s');
      cursor.print(`${cursor.identifier()}: `);
      value();
    });
    cursor.print(' }');
  } else if (form !== 'U') {
    cursor.fail('unknown structure');
  }
}

/** In decimal, or as it is when it does not fit 64 bits. */
function printInteger(cursor: RustCursor): void {
  const digits = cursor.hexadecimal().replace(/^0+(?=.)/, '');
  if (digits === '') cursor.fail('number expected');
  cursor.print(digits.length > 16 ? `0x${digits}` : BigInt(`0x${digits}`).toString());
}

function printBoolean(cursor: RustCursor): void {
  const digits = cursor.hexadecimal();
  if (digits !== '0' && digits !== '1') cursor.fail('boolean expected');
  cursor.print(digits === '1' ? 'true' : 'false');
}

function printCharacter(cursor: RustCursor): void {
  const codePoint = Number.parseInt(cursor.hexadecimal(), 16);
  const surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (!(codePoint <= 0x10ffff) || surrogate) cursor.fail('character expected');
  cursor.print(quoted(String.fromCodePoint(codePoint), "'"));
}

function printString(cursor: RustCursor): void {
  const digits = cursor.hexadecimal();
  if (digits.length % 2 !== 0) cursor.fail('string expected');
  const bytes = Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
  cursor.print(quoted(decodeUtf8(bytes) ?? cursor.fail('string is not UTF-8'), '"'));
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const namedEscapes = new Map([
  ['\0', '\\0'],
  ['\t', '\\t'],
  ['\r', '\\r'],
  ['\n', '\\n'],
  ['\\', '\\\\'],
]);

/** As Rust would write the literal. */
function quoted(content: string, quote: string): string {
  let shown = quote;
  for (const letter of content) {
    const escaped = letter === quote ? `\\${quote}` : namedEscapes.get(letter);
    if (escaped !== undefined) shown += escaped;
    else if (/[\p{C}\p{Zl}\p{Zp}]/u.test(letter)) shown += `\\u{${letter.codePointAt(0)!.toString(16)}}`;
    else shown += letter;
  }
  return shown + quote;
}
