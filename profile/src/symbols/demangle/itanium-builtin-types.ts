// SPDX-License-Identifier: Apache-2.0
//
// The builtin types, which are no candidates for substitution.

import type { ItaniumCursor } from './itanium-cursor.ts';
import { type ItaniumNode, text } from './itanium-tree.ts';

const builtinTypes = new Map<string, ItaniumNode>(
  Object.entries({
    v: 'void',
    w: 'wchar_t',
    b: 'bool',
    c: 'char',
    a: 'signed char',
    h: 'unsigned char',
    s: 'short',
    t: 'unsigned short',
    i: 'int',
    j: 'unsigned int',
    l: 'long',
    m: 'unsigned long',
    x: 'long long',
    y: 'unsigned long long',
    n: '__int128',
    o: 'unsigned __int128',
    f: 'float',
    d: 'double',
    e: 'long double',
    g: '__float128',
    z: '...',
  }).map(([code, name]) => [code, text(name)]),
);

const extendedBuiltinTypes = new Map<string, ItaniumNode>(
  Object.entries({
    Dd: 'decimal64',
    De: 'decimal128',
    Df: 'decimal32',
    Dh: 'half',
    Di: 'char32_t',
    Ds: 'char16_t',
    Du: 'char8_t',
    Da: 'auto',
    Dc: 'decltype(auto)',
    Dn: 'std::nullptr_t',
  }).map(([code, name]) => [code, text(name)]),
);

/** The builtin type of one letter at a position of the name. */
export function builtinTypeAt(name: string, position: number): ItaniumNode | undefined {
  return builtinTypes.get(name[position] ?? '');
}

/** Steps over a builtin type that begins with `D`, when one comes next. */
export function extendedBuiltinTypeAt(cursor: ItaniumCursor): ItaniumNode | undefined {
  const known = extendedBuiltinTypes.get(cursor.text.slice(cursor.position, cursor.position + 2));
  if (known !== undefined) {
    cursor.position += 2;
    return known;
  }
  if (!cursor.eat('DF')) return undefined;
  const bits = cursor.number();
  if (bits === '16' && cursor.eat('b')) return text('std::bfloat16_t');
  if (bits !== '' && cursor.eat('x')) return text(`_Float${bits}x`);
  cursor.expect('_');
  return text(`_Float${bits}`);
}
