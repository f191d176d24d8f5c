// SPDX-License-Identifier: Apache-2.0
//
// The data of a YAML text. What the parser says of an error is not passed on, as it quotes the text, which may hold
// secrets: code and place say enough.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml';

/** An alias may be used this often: the expansion of nested aliases is otherwise unbounded. */
const MAX_ALIAS_COUNT = 100;

/** @returns the mapping that the text is; an empty one for an empty text
 * @throws HearthscopeError invalid_argument with the place */
export function parseYamlMapping(text: string): Readonly<Record<string, unknown>> {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Warnings of the parser would be written out, with what they are about.
    logLevel: 'error',
    stringKeys: true,
    // The parser's own check takes a time that grows with the square of the number of keys.
    uniqueKeys: false,
  });
  const error = document.errors[0] ?? duplicateKey(document);
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new HearthscopeError(
      'invalid_argument',
      `not valid YAML: ${error.code} at line ${line}, column ${col}`,
    );
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }) ?? {};
  } catch (cause) {
    throw new HearthscopeError('invalid_argument', 'not valid YAML: an alias that cannot be resolved', {
      cause,
    });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new HearthscopeError('invalid_argument', 'expected a mapping of names to values');
  }
  return content as Readonly<Record<string, unknown>>;
}

interface Complaint {
  readonly code: string;
  readonly pos: readonly [number, ...number[]];
}

function duplicateKey(document: Document): Complaint | undefined {
  let duplicate: Complaint | undefined;
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          duplicate = { code: 'DUPLICATE_KEY', pos: [key.range?.[0] ?? 0] };
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return duplicate;
}
