// SPDX-License-Identifier: Apache-2.0
//
// The `name` of an /ingest request: `app` or `app{key=value,key=value}`, without quotes. What old clients get away with
// is part of the syntax: spaces around all parts, an absent closing brace, text after it, and a key without value, which
// is left out. The texts of the errors are those that clients know.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type Label, ProfileTypeLabels } from '@hearthscope/profile/labels';

export interface ApplicationName {
  /** Never empty. */
  readonly name: string;
  /** In the order written, names distinct: the last of equal ones counts. Values may be empty. */
  readonly labels: readonly Label[];
}

const FOREIGN_TO_NAME = /[^a-zA-Z0-9_.\-/]/u;
const FOREIGN_TO_KEY = /[^a-zA-Z0-9_.]/u;

/** @throws HearthscopeError invalid_argument */
export function parseApplicationName(text: string): ApplicationName {
  const brace = text.indexOf('{');
  let name = checkName((brace < 0 ? text : text.slice(0, brace)).trim());
  const labels = new Map<string, string>();
  for (const { key, value } of brace < 0 ? [] : pairsOf(text.slice(brace + 1))) {
    if (key === ProfileTypeLabels.name) {
      name = value;
      continue;
    }
    if (key === '') throw invalid('label name is required');
    checkCharacters('label name', key, FOREIGN_TO_KEY);
    labels.set(key, value);
  }
  return { name: checkName(name), labels: [...labels].map(([name, value]) => ({ name, value })) };
}

/** A pair ends with `,` or `}`; text that does not, and all after a brace that ends no pair, is none. */
function* pairsOf(text: string): Generator<{ key: string; value: string }> {
  for (let from = 0; ; ) {
    const equals = from + text.slice(from).search(/[=}]/);
    if (equals < from || text[equals] === '}') return;
    const length = text.slice(equals + 1).search(/[,}]/);
    if (length < 0) return;
    const end = equals + 1 + length;
    yield { key: text.slice(from, equals).trim(), value: text.slice(equals + 1, end).trim() };
    from = end + 1;
  }
}

function checkName(name: string): string {
  if (name === '') throw invalid('service name is required');
  checkCharacters('service name', name, FOREIGN_TO_NAME);
  return name;
}

function checkCharacters(what: string, text: string, foreign: RegExp): void {
  const found = foreign.exec(text)?.[0];
  if (found !== undefined)
    throw invalid(`invalid ${what}: ${text}: character is not allowed: ${quote(found)}`);
}

/** As clients know it: in single quotes, what cannot be seen by its number. */
function quote(character: string): string {
  if (character === "'" || character === '\\') return `'\\${character}'`;
  if (/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) return `'${character}'`;
  const code = character.codePointAt(0)!.toString(16);
  return code.length > 4 ? `'\\U${code.padStart(8, '0')}'` : `'\\u${code.padStart(4, '0')}'`;
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}
