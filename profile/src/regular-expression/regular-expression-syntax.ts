// SPDX-License-Identifier: Apache-2.0
//
// Reads RE2's syntax into a tree.

import { HearthscopeError } from '../errors.ts';
import {
  type ClassPart,
  classPredicate,
  perlClass,
  posixClass,
  rangePart,
  unicodeClass,
} from './character-class.ts';

export type Node =
  | { readonly kind: 'character'; readonly matches: (codePoint: number) => boolean }
  | { readonly kind: 'assertion'; readonly holds: (before: number, after: number) => boolean }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'alternatives'; readonly items: readonly Node[] }
  | { readonly kind: 'group'; readonly item: Node; readonly index: number }
  | {
      readonly kind: 'repeat';
      readonly item: Node;
      readonly min: number;
      readonly max: number;
      readonly isGreedy: boolean;
    };

export interface Expression {
  readonly root: Node;
  /** The names of the capturing groups, '' for one without a name; the first is the whole match, which has none. */
  readonly groupNames: readonly string[];
}

/** As in RE2. */
const MAX_REPEAT = 1000;
const MAX_NESTING = 100;

const LINE_FEED = 10;
const EMPTY: Node = { kind: 'sequence', items: [] };

const ESCAPED_CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotMatchesLineFeed: boolean;
  readonly isLazyByDefault: boolean;
}

/** @throws HearthscopeError invalid_argument, with the position */
export function parseExpression(source: string): Expression {
  return new Parser(source).parse();
}

const isWord = (codePoint: number) => codePoint >= 0 && /\w/.test(String.fromCodePoint(codePoint));
const atWordBoundary = (before: number, after: number) => isWord(before) !== isWord(after);

class Parser {
  readonly #source: string;
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;
  #flags: Flags = { ignoreCase: false, multiLine: false, dotMatchesLineFeed: true, isLazyByDefault: false };
  readonly #groupNames = [''];

  constructor(source: string) {
    this.#source = source;
    this.#characters = [...source];
  }

  parse(): Expression {
    const root = this.#alternatives();
    if (this.#at < this.#characters.length) throw this.#error('unexpected )');
    return { root, groupNames: this.#groupNames };
  }

  #alternatives(): Node {
    const items = [this.#sequence()];
    while (this.#skip('|')) items.push(this.#sequence());
    return items.length === 1 ? items[0]! : { kind: 'alternatives', items };
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#at < this.#characters.length && this.#peek() !== '|' && this.#peek() !== ')') {
      if (this.#rest(2) === '\\Q') items.push(...this.#quoted());
      else items.push(this.#atom());
      // A repetition is about the last character of a quotation, not about all of it.
      const last = items.pop();
      if (last !== undefined) items.push(this.#repeated(last));
    }
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  #repeated(item: Node): Node {
    const bounds = this.#quantifier();
    if (bounds === undefined) return item;
    const isLazy = this.#skip('?') !== this.#flags.isLazyByDefault;
    if (this.#quantifier() !== undefined) throw this.#error('a repetition of a repetition');
    return { kind: 'repeat', item, min: bounds[0], max: bounds[1], isGreedy: !isLazy };
  }

  #quantifier(): [min: number, max: number] | undefined {
    if (this.#skip('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#skip('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#skip('?')) return [0, 1];
    const match = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(this.#rest(12));
    // Braces that are not a repetition stand for themselves.
    if (match === null) return undefined;
    const [text, low, comma, high] = match;
    const min = Number(low);
    const max = comma === undefined ? min : high === undefined ? Number.POSITIVE_INFINITY : Number(high);
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY) || max < min) {
      throw this.#error(`invalid repetition ${text}`);
    }
    this.#at += text.length;
    return [min, max];
  }

  #atom(): Node {
    const character = this.#next();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '.':
        return this.#dot();
      case '^':
        return this.#lineStart();
      case '$':
        return this.#lineEnd();
      case '*':
      case '+':
      case '?':
        throw this.#error(`nothing to repeat before ${character}`);
      default:
        return this.#literal(character.codePointAt(0)!);
    }
  }

  #dot(): Node {
    const all = this.#flags.dotMatchesLineFeed;
    return { kind: 'character', matches: (codePoint) => all || codePoint !== LINE_FEED };
  }

  #lineStart(): Node {
    const { multiLine } = this.#flags;
    return { kind: 'assertion', holds: (before) => before === -1 || (multiLine && before === LINE_FEED) };
  }

  #lineEnd(): Node {
    const { multiLine } = this.#flags;
    return { kind: 'assertion', holds: (_, after) => after === -1 || (multiLine && after === LINE_FEED) };
  }

  #group(): Node {
    if (++this.#depth > MAX_NESTING) throw this.#error(`groups are nested more than ${MAX_NESTING} deep`);
    const outer = this.#flags;
    let index: number | undefined;
    if (!this.#skip('?')) {
      index = this.#groupNames.push('') - 1;
    } else {
      const named = /^P?<([A-Za-z_]\w*)>/.exec(this.#rest(200));
      if (named !== null) {
        index = this.#groupNames.push(named[1]!) - 1;
        this.#at += named[0].length;
      } else {
        const match = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(this.#rest(20));
        if (match === null) throw this.#error('unknown group (? …');
        const [text, on, off, end] = match as unknown as [string, string, string | undefined, string];
        this.#at += text.length;
        this.#setFlags(on, true);
        this.#setFlags(off ?? '', false);
        // Flags without a group hold until the end of the group around them.
        if (end === ')') {
          this.#depth--;
          return EMPTY;
        }
      }
    }
    const item = this.#alternatives();
    if (!this.#skip(')')) throw this.#error('missing )');
    this.#flags = outer;
    this.#depth--;
    return index === undefined ? item : { kind: 'group', item, index };
  }

  #setFlags(letters: string, value: boolean): void {
    this.#flags = {
      ignoreCase: letters.includes('i') ? value : this.#flags.ignoreCase,
      multiLine: letters.includes('m') ? value : this.#flags.multiLine,
      dotMatchesLineFeed: letters.includes('s') ? value : this.#flags.dotMatchesLineFeed,
      isLazyByDefault: letters.includes('U') ? value : this.#flags.isLazyByDefault,
    };
  }

  #escape(): Node {
    const letter = this.#peek();
    switch (letter) {
      case 'A':
        this.#at++;
        return { kind: 'assertion', holds: (before) => before === -1 };
      case 'z':
        this.#at++;
        return { kind: 'assertion', holds: (_, after) => after === -1 };
      case 'b':
        this.#at++;
        return { kind: 'assertion', holds: atWordBoundary };
      case 'B':
        this.#at++;
        return { kind: 'assertion', holds: (before, after) => !atWordBoundary(before, after) };
    }
    const part = this.#classEscape();
    return part === undefined ? this.#literal(this.#characterEscape()) : this.#classNode([part], false);
  }

  /** `\Q…\E`, or up to the end. */
  #quoted(): Node[] {
    const items: Node[] = [];
    this.#at += 2;
    while (this.#at < this.#characters.length && this.#rest(2) !== '\\E') {
      items.push(this.#literal(this.#next().codePointAt(0)!));
    }
    this.#at = Math.min(this.#at + 2, this.#characters.length);
    return items;
  }

  /** After a backslash: `d`, `pL`, `P{Greek}`, …; undefined when it is no class. */
  #classEscape(): ClassPart | undefined {
    const letter = this.#peek();
    if (letter === 'p' || letter === 'P') {
      const match = /^[pP](?:\{([^}]*)\}|(.))/u.exec(this.#rest(60));
      const part = match === null ? undefined : unicodeClass(match[1] ?? match[2]!, letter === 'P');
      if (match === null || part === undefined) throw this.#error('unknown character class');
      this.#at += [...match[0]].length;
      return part;
    }
    const part = perlClass(letter);
    if (part !== undefined) this.#at++;
    return part;
  }

  /** After a backslash: the character that is meant. */
  #characterEscape(): number {
    if (this.#at >= this.#characters.length) throw this.#error('a backslash at the end');
    const hex = /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(this.#rest(9));
    if (hex !== null) {
      this.#at += hex[0].length;
      const codePoint = Number.parseInt(hex[1] ?? hex[2]!, 16);
      if (codePoint > 0x10ffff) throw this.#error('no such character');
      return codePoint;
    }
    const octal = /^(?:[1-7][0-7]{1,2}|0[0-7]{0,2})/.exec(this.#rest(3));
    if (octal !== null) {
      this.#at += octal[0].length;
      return Number.parseInt(octal[0], 8);
    }
    const letter = this.#next();
    const control = ESCAPED_CONTROLS[letter];
    if (control !== undefined) return control;
    if (/[0-9A-Za-z]/.test(letter)) throw this.#error(`unknown escape \\${letter}`);
    return letter.codePointAt(0)!;
  }

  #class(): Node {
    const negated = this.#skip('^');
    const parts: ClassPart[] = [];
    // A bracket that comes first stands for itself.
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.#at >= this.#characters.length) throw this.#error('missing ]');
      parts.push(this.#classItem());
    }
    this.#at++;
    return this.#classNode(parts, negated);
  }

  #classItem(): ClassPart {
    const posix = /^\[:(\^?\w+):\]/.exec(this.#rest(20));
    if (posix !== null) {
      const part = posixClass(posix[1]!);
      if (part === undefined) throw this.#error(`unknown character class ${posix[0]}`);
      this.#at += posix[0].length;
      return part;
    }
    if (this.#peek() === '\\') {
      this.#at++;
      const part = this.#classEscape();
      if (part !== undefined) return part;
      this.#at--;
    }
    const from = this.#classCharacter();
    if (this.#peek() !== '-' || this.#characters[this.#at + 1] === ']') return rangePart(from, from);
    this.#at++;
    const to = this.#classCharacter();
    if (to < from) throw this.#error('a range that runs backwards');
    return rangePart(from, to);
  }

  #classCharacter(): number {
    if (this.#at >= this.#characters.length) throw this.#error('missing ]');
    return this.#skip('\\') ? this.#characterEscape() : this.#next().codePointAt(0)!;
  }

  #literal(codePoint: number): Node {
    if (this.#flags.ignoreCase) return this.#classNode([rangePart(codePoint, codePoint)], false);
    return { kind: 'character', matches: (other) => other === codePoint };
  }

  #classNode(parts: readonly ClassPart[], negated: boolean): Node {
    return { kind: 'character', matches: classPredicate(parts, negated, this.#flags.ignoreCase) };
  }

  /** '' at the end. */
  #peek(): string {
    return this.#characters[this.#at] ?? '';
  }

  #next(): string {
    return this.#characters[this.#at++]!;
  }

  #skip(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #rest(length: number): string {
    return this.#characters.slice(this.#at, this.#at + length).join('');
  }

  #error(what: string): HearthscopeError {
    return new HearthscopeError(
      'invalid_argument',
      `regular expression ${JSON.stringify(this.#source)}: ${what} at character ${this.#at + 1}`,
    );
  }
}
