// SPDX-License-Identifier: Apache-2.0
//
// The query forms that people write and that are not the API's: a selector with its profile type in a second pair of
// braces, and two selections compared, each of which may lie some time back.
//
//   query      = selection [ "vs" selection ]
//   selection  = [ name ] "{" matcher, … [ offset=DURATION ] "}" [ "{" type="cpu" "}" ]
//
// `name` is a full profile type id or a metric name. Matchers are not interpreted: they are handed on as they stand to
// whoever reads label selectors, so that there is one grammar for them. A label that is really called `offset` has a
// quoted value and is a matcher like any other.

import { HearthscopeError } from '../errors.ts';
import { formatProfileType, parseProfileType } from '../profile-type.ts';
import { DURATION_EXPECTED, parseDurationMillis } from './duration.ts';

export interface DialectSelection {
  /** A selector as the query API takes it, `{}` when everything is meant. */
  readonly labelSelector: string;
  /** Five parts; undefined when none or only a short name was written. */
  readonly profileTypeId?: string;
  /** A short name such as `cpu` or `inuse_space`; see {@link profileTypeOfName}. */
  readonly typeName?: string;
  /** How far before the asked time range the selection lies. */
  readonly offsetMillis: number;
}

export interface DialectQuery {
  readonly left: DialectSelection;
  /** What the left one is compared with. */
  readonly right?: DialectSelection;
}

/** Characters of a query: two of the longest selectors that a server reads. */
export const MAX_QUERY_LENGTH = 32_768;

const SPACE = /(?:\s|#[^\n]*)+/y;
const NAME = /[^\s{}"'`,#]+/y;
const VERSUS = /vs(?=[\s{#]|[^\s{}"'`,#]*\{)/y;
const QUOTED = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/sy;
const PLAIN = /[^\s"'`{},#]+/y;
const OFFSET = /^offset\s*=\s*(?![\s"'`~])(.*)$/s;
const TYPE = /^(?:profile_)?type\s*=\s*(["'`]?)([^"'`\\]*)\1$/s;
const ID_PARTS = 5;

/** A side without a type takes that of the other side.
 * @throws HearthscopeError invalid_argument, with the position of what does not fit */
export function parseQueryDialect(text: string): DialectQuery {
  if (text.length > MAX_QUERY_LENGTH) {
    throw new HearthscopeError(
      'invalid_argument',
      `a query of ${text.length} characters is too long, the limit is ${MAX_QUERY_LENGTH}`,
    );
  }
  return new DialectParser(text).parse();
}

type TypeOfSelection = Pick<DialectSelection, 'profileTypeId' | 'typeName'>;

class DialectParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): DialectQuery {
    const left = this.#selection();
    if (this.#atEnd()) return { left };
    if (this.#take(VERSUS) === undefined) throw this.#unexpected('"vs" or the end');
    const right = this.#selection();
    if (!this.#atEnd()) throw this.#unexpected('the end');
    return { left: withType(left, right), right: withType(right, left) };
  }

  #selection(): DialectSelection {
    this.#take(SPACE);
    const name = this.#take(NAME) ?? '';
    this.#take(SPACE);
    const isTypeId = name.split(':').length >= ID_PARTS;
    if (this.#text[this.#at] !== '{') {
      if (!isTypeId) throw this.#unexpected('a selector such as {service_name="a"}');
      return { labelSelector: '{}', ...selectedType(name), offsetMillis: 0 };
    }
    const matchers: string[] = [];
    let offsetMillis: number | undefined;
    for (const { text, position } of this.#block()) {
      const offset = OFFSET.exec(text)?.[1];
      if (offset === undefined) {
        matchers.push(text);
      } else {
        if (offsetMillis !== undefined) throw this.#error('a second offset', position);
        offsetMillis = parseDurationMillis(offset);
        if (offsetMillis === undefined) {
          throw this.#error(`expected ${DURATION_EXPECTED}, found ${JSON.stringify(offset)}`, position);
        }
      }
    }
    const fromName = isTypeId ? selectedType(name) : {};
    this.#take(SPACE);
    const fromBlock = this.#text[this.#at] === '{' ? this.#type() : {};
    if (isTypeId && typeText(fromBlock) !== undefined) {
      throw this.#error(`the profile type is given twice, as ${name} and in braces`, this.#at);
    }
    return {
      labelSelector: `${isTypeId ? '' : name}{${matchers.join(', ')}}`,
      ...fromName,
      ...fromBlock,
      offsetMillis: offsetMillis ?? 0,
    };
  }

  /** The second pair of braces. */
  #type(): TypeOfSelection {
    let type: TypeOfSelection = {};
    for (const { text, position } of this.#block()) {
      const value = TYPE.exec(text)?.[2]?.trim();
      if (!value) throw this.#error('the second pair of braces holds type="…" and nothing else', position);
      if (typeText(type) !== undefined) throw this.#error('a second type', position);
      type = selectedType(value);
    }
    return type;
  }

  /** The parts between braces and commas, without comments. Strings are opaque. */
  #block(): { readonly text: string; readonly position: number }[] {
    this.#at++;
    const parts: { readonly text: string; readonly position: number }[] = [];
    for (;;) {
      this.#take(SPACE);
      const position = this.#at;
      const text = this.#part();
      const end = this.#text[this.#at];
      if (end !== ',' && end !== '}') throw this.#unexpected('"," or "}"');
      this.#at++;
      if (text !== '') parts.push({ text, position });
      else if (end === ',') throw this.#error('nothing before ","', position);
      if (end === '}') return parts;
    }
  }

  #part(): string {
    let text = '';
    for (;;) {
      const piece = this.#take(QUOTED) ?? this.#take(PLAIN);
      if (piece !== undefined) text += piece;
      else if (this.#take(SPACE) !== undefined) text += ' ';
      else return text.trim();
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0];
    this.#at += text?.length ?? 0;
    return text;
  }

  #atEnd(): boolean {
    this.#take(SPACE);
    return this.#at === this.#text.length;
  }

  #unexpected(expected: string): HearthscopeError {
    const found = this.#text[this.#at];
    const what = found === undefined ? 'the end' : JSON.stringify(found);
    return this.#error(`expected ${expected}, found ${what}`, this.#at);
  }

  #error(what: string, position: number): HearthscopeError {
    return new HearthscopeError('invalid_argument', `query: ${what} at character ${position + 1}`);
  }
}

/** What a user wrote in the place of a type.
 * @throws HearthscopeError invalid_argument when it has colons and is no id */
export function selectedType(text: string): TypeOfSelection {
  return text.includes(':')
    ? { profileTypeId: formatProfileType(parseProfileType(text)) }
    : { typeName: text };
}

function typeText({ profileTypeId, typeName }: TypeOfSelection): string | undefined {
  return profileTypeId ?? typeName;
}

function withType(selection: DialectSelection, other: DialectSelection): DialectSelection {
  if (typeText(selection) !== undefined || typeText(other) === undefined) return selection;
  const { profileTypeId, typeName } = other;
  return { ...selection, ...(profileTypeId === undefined ? { typeName: typeName! } : { profileTypeId }) };
}
