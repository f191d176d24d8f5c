// SPDX-License-Identifier: Apache-2.0
//
// Rust's first mangling: names in the form of nested C++ names, `_ZN` (<length> <element>)+ `17h<16 hex digits>E`, with
// characters that linkers do not take written as `$LT$`, `$u20$`, `..`. The hash is not shown.

import type { ShownParts } from './itanium-output.ts';

/** The last element, the end of the name, and the suffix that a compiler or linker added. */
const legacyEnd = /^17h[0-9a-f]{16}E(\.[\w.$]+)?$/;

const escapes = new Map([
  ['SP', '@'],
  ['BP', '*'],
  ['RF', '&'],
  ['LT', '<'],
  ['GT', '>'],
  ['LP', '('],
  ['RP', ')'],
  ['C', ','],
]);

/** The readable form, or undefined when it is no such name. */
export function demangleRustLegacy(name: string, shown: ShownParts): string | undefined {
  const hashStart = name.lastIndexOf('17h');
  if (hashStart < 0) return undefined;
  const end = legacyEnd.exec(name.slice(hashStart));
  const start = name.indexOf('ZN') + 2;
  if (end === null || start > 5) return undefined;
  const elements = splitElements(name.slice(start, hashStart));
  if (elements === undefined) return undefined;
  const path = elements
    .map(decodeElement)
    .map((element) => (shown.templateArguments ? element : withoutArguments(element)));
  const suffix = end[1] ?? '';
  // What the linker of LLVM adds to names of other modules says nothing.
  const shownSuffix = suffix.startsWith('.llvm.') ? '' : suffix;
  return path.join('::') + (shownSuffix === '' ? '' : ` (${shownSuffix})`);
}

function splitElements(coded: string): string[] | undefined {
  const elements: string[] = [];
  const length = /[1-9]\d{0,4}/y;
  for (let position = 0; position < coded.length; ) {
    length.lastIndex = position;
    const digits = length.exec(coded)?.[0];
    if (digits === undefined) return undefined;
    const start = position + digits.length;
    position = start + Number(digits);
    if (position > coded.length) return undefined;
    elements.push(coded.slice(start, position));
  }
  return elements.length === 0 ? undefined : elements;
}

const escapeSequence = /\.\.|\$(?:u([0-9a-f]{1,6})|([A-Z]{1,2}))\$/g;

function decodeElement(element: string): string {
  // An element that would begin with an escape is given an underscore.
  const coded = element.startsWith('_$') ? element.slice(1) : element;
  return coded.replace(escapeSequence, (whole, hex: string | undefined, code: string | undefined) => {
    if (hex !== undefined) return character(Number.parseInt(hex, 16)) ?? whole;
    if (code !== undefined) return escapes.get(code) ?? whole;
    return '::';
  });
}

function character(codePoint: number): string | undefined {
  const surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (codePoint > 0x10ffff || surrogate) return undefined;
  const decoded = String.fromCodePoint(codePoint);
  return /\p{Cc}/u.test(decoded) ? undefined : decoded;
}

/** The element without generic arguments, which follow a name: `Vec<T>`; `<T as Trait>` is no such list. */
function withoutArguments(element: string): string {
  let kept = '';
  let depth = 0;
  for (let i = 0; i < element.length; i++) {
    const letter = element[i]!;
    const arrow = letter === '>' && element[i - 1] === '-';
    if (letter === '<' && (depth > 0 || /\w$/.test(element[i - 1] ?? ''))) depth++;
    else if (letter === '>' && depth > 0 && !arrow) depth--;
    else if (depth === 0) kept += letter;
  }
  return depth === 0 ? kept : element;
}
