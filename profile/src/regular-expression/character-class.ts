// SPDX-License-Identifier: Apache-2.0
//
// Sets of characters in RE2's syntax: `[a-z]`, `\d`, `[[:alpha:]]`, `\pL`. Membership of one character is the one
// question that is put to the built-in regular expressions, as it cannot take long there.

/** What `\d` and the like mean, as the inside of a JavaScript class. In RE2 they are ASCII only. */
const PERL_CLASSES: Readonly<Record<string, string>> = {
  d: '0-9',
  w: '0-9A-Za-z_',
  s: '\\t\\n\\f\\r ',
};

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

const ASCII_CHARACTERS = 128;

/** Part of a class: the inside of a JavaScript class, or the negation of one. */
export interface ClassPart {
  readonly inside: string;
  readonly negated: boolean;
}

export function perlClass(letter: string): ClassPart | undefined {
  const inside = PERL_CLASSES[letter.toLowerCase()];
  return inside === undefined ? undefined : { inside, negated: letter !== letter.toLowerCase() };
}

/** @param name as in `[:name:]`, possibly beginning with `^` */
export function posixClass(name: string): ClassPart | undefined {
  const negated = name.startsWith('^');
  const inside = POSIX_CLASSES[negated ? name.slice(1) : name];
  return inside === undefined ? undefined : { inside, negated };
}

/** A general category or a script, as in `\p{name}`, possibly beginning with `^`. */
export function unicodeClass(name: string, negated: boolean): ClassPart | undefined {
  const caret = name.startsWith('^');
  const property = caret ? name.slice(1) : name;
  if (!/^[A-Za-z_]+$/.test(property)) return undefined;
  for (const inside of [`\\p{${property}}`, `\\p{Script=${property}}`]) {
    try {
      new RegExp(`[${inside}]`, 'u');
      return { inside, negated: negated !== caret };
    } catch {
      // Not a name of this kind; the caller reports when it is a name of no kind.
    }
  }
  return undefined;
}

export function rangePart(from: number, to: number): ClassPart {
  const hex = (codePoint: number) => `\\u{${codePoint.toString(16)}}`;
  return { inside: from === to ? hex(from) : `${hex(from)}-${hex(to)}`, negated: false };
}

/** Tells whether a character belongs to any of the parts (or, negated, to none). */
export function classPredicate(
  parts: readonly ClassPart[],
  negated: boolean,
  ignoreCase: boolean,
): (codePoint: number) => boolean {
  const flags = ignoreCase ? 'iu' : 'u';
  const plain = parts.filter((part) => !part.negated).map(({ inside }) => inside);
  const alternatives = parts.filter((part) => part.negated).map(({ inside }) => `[^${inside}]`);
  if (plain.length > 0) alternatives.push(`[${plain.join('')}]`);
  // An empty class matches nothing.
  const expression = new RegExp(`^(?:${alternatives.length === 0 ? '[]' : alternatives.join('|')})$`, flags);
  const test = (codePoint: number) => expression.test(String.fromCodePoint(codePoint)) !== negated;
  const ascii = Uint8Array.from({ length: ASCII_CHARACTERS }, (_, codePoint) => (test(codePoint) ? 1 : 0));
  return (codePoint) => (codePoint < ASCII_CHARACTERS ? ascii[codePoint] === 1 : test(codePoint));
}
