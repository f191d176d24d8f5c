// SPDX-License-Identifier: Apache-2.0
//
// Label selectors: the metric selector of Prometheus. `name{a="b", c=~"d.*"}`, each part optional but one; names that
// are no identifiers are quoted, `{"host.name"="a"}`. A profile type id in the place of the name, which is how Grafana
// asks for labels, means the profile type.

import { HearthscopeError } from '../errors.ts';
import { ProfileTypeLabels } from '../labels.ts';
import { formatProfileType, parseProfileType } from '../profile-type.ts';
import { compileRegularExpression } from '../regular-expression/regular-expression.ts';
import type { LabelMatcher, MatchOperator } from './label-matcher.ts';

/** Characters of a selector. */
export const MAX_SELECTOR_LENGTH = 16_384;
export const MAX_MATCHERS = 100;

const SPACE = /(?:\s|#[^\n]*)+/y;
const METRIC_NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
/** In the place of the name, whatever characters its parts have. */
const PROFILE_TYPE = /[^\s{}"'`,:]*(?::[^\s{}"'`,:]*){4,5}/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const OPERATOR = /=~|!~|!=|=/y;
const QUOTED = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/sy;
const ESCAPE = /\\(?:([abfnrtv\\'"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.)/gs;
const CONTROLS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** @throws HearthscopeError invalid_argument, with the position of the first character that does not fit */
export function parseSelector(selector: string): LabelMatcher[] {
  if (selector.length > MAX_SELECTOR_LENGTH) {
    throw new HearthscopeError(
      'invalid_argument',
      `a label selector of ${selector.length} characters is too long, the limit is ${MAX_SELECTOR_LENGTH}`,
    );
  }
  return new SelectorParser(selector).parse();
}

/** A matcher that does what its operator says.
 * @throws HearthscopeError invalid_argument when the value is no regular expression and should be one */
export function labelMatcher(name: string, operator: MatchOperator, value: string): LabelMatcher {
  return { name, operator, value, matches: predicate(operator, value) };
}

function predicate(operator: MatchOperator, value: string): (other: string) => boolean {
  switch (operator) {
    case '=':
      return (other) => other === value;
    case '!=':
      return (other) => other !== value;
    case '=~':
      return compileRegularExpression(value);
    case '!~': {
      const matches = compileRegularExpression(value);
      return (other) => !matches(other);
    }
  }
}

/** `__name__="a:b:c:d:e"` is a profile type, not a name. */
function resolvedMatcher(name: string, operator: MatchOperator, value: string): LabelMatcher {
  if (name === ProfileTypeLabels.name && operator === '=' && value.split(':').length >= 5) {
    return labelMatcher(ProfileTypeLabels.profileType, '=', formatProfileType(parseProfileType(value)));
  }
  return labelMatcher(name, operator, value);
}

class SelectorParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): LabelMatcher[] {
    this.#take(SPACE);
    const metricName = this.#take(PROFILE_TYPE) ?? this.#take(METRIC_NAME);
    this.#take(SPACE);
    const matchers =
      metricName === undefined ? [] : [resolvedMatcher(ProfileTypeLabels.name, '=', metricName)];
    if (this.#skip('{')) matchers.push(...this.#matchers());
    else if (metricName === undefined) throw this.#unexpected('a selector such as {service_name="a"}');
    if (this.#at < this.#text.length) throw this.#unexpected('the end');
    return matchers;
  }

  #matchers(): LabelMatcher[] {
    const matchers: LabelMatcher[] = [];
    while (!this.#skip('}')) {
      if (matchers.length === MAX_MATCHERS) {
        throw new HearthscopeError('invalid_argument', `label selector: more than ${MAX_MATCHERS} matchers`);
      }
      matchers.push(this.#matcher());
      if (!this.#skip(',') && this.#text[this.#at] !== '}') throw this.#unexpected('"," or "}"');
    }
    return matchers;
  }

  #matcher(): LabelMatcher {
    const quoted = this.#string();
    const name = quoted ?? this.#take(LABEL_NAME);
    if (name === undefined) throw this.#unexpected('a label name or "}"');
    this.#take(SPACE);
    const operator = this.#take(OPERATOR) as MatchOperator | undefined;
    if (operator === undefined) {
      if (quoted === undefined) throw this.#unexpected('one of =, !=, =~, !~');
      // A quoted string alone is the metric's name.
      return resolvedMatcher(ProfileTypeLabels.name, '=', quoted);
    }
    this.#take(SPACE);
    const value = this.#string();
    if (value === undefined) throw this.#unexpected('a quoted value');
    return resolvedMatcher(name, operator, value);
  }

  #string(): string | undefined {
    const start = this.#at;
    const text = this.#take(QUOTED);
    if (text === undefined) return undefined;
    this.#take(SPACE);
    return text.startsWith('`') ? text.slice(1, -1) : unescaped(text.slice(1, -1), start + 1);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0];
    this.#at += text?.length ?? 0;
    return text;
  }

  #skip(character: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    this.#take(SPACE);
    return true;
  }

  #unexpected(expected: string): HearthscopeError {
    const found = this.#text[this.#at];
    return new HearthscopeError(
      'invalid_argument',
      `label selector: expected ${expected}, found ${found === undefined ? 'the end' : JSON.stringify(found)} at character ${this.#at + 1} of ${JSON.stringify(this.#text)}`,
    );
  }
}

function unescaped(text: string, position: number): string {
  return text.replace(ESCAPE, (sequence, simple, octal, hex2, hex4, hex8, offset: number) => {
    if (simple !== undefined) return CONTROLS[simple] ?? simple;
    const code =
      octal === undefined ? Number.parseInt(hex2 ?? hex4 ?? hex8 ?? '', 16) : Number.parseInt(octal, 8);
    const isByte = octal !== undefined || hex2 !== undefined;
    if (Number.isNaN(code) || code > (isByte ? 0xff : 0x10ffff)) {
      throw new HearthscopeError(
        'invalid_argument',
        `label selector: unknown escape ${JSON.stringify(sequence)} at character ${position + offset + 1}`,
      );
    }
    return String.fromCodePoint(code);
  });
}
