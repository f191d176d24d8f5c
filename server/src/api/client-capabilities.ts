// SPDX-License-Identifier: Apache-2.0
//
// What a client says it can handle, in parameters of its Accept header: `*/*; allow-utf8-labelnames=true`. Without it,
// label names that are no plain identifiers are hidden from lists, as older clients fail on them.

import { HearthscopeError } from '@hearthscope/profile/errors';

const ALLOW_UTF8_LABEL_NAMES = 'allow-utf8-labelnames';
const PLAIN_LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const MEDIA_TYPE = new RegExp(`^${TOKEN}(?:/${TOKEN})?$`);
const PARAMETER = new RegExp(`^(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")$`);

export interface ClientCapabilities {
  readonly allowsUtf8LabelNames: boolean;
}

/** @param accept the header's value, '' when there is none
 * @throws HearthscopeError invalid_argument for a header that cannot be read */
export function clientCapabilities(accept: string): ClientCapabilities {
  let allowsUtf8LabelNames = false;
  for (const item of split(accept, ',')) {
    const [mediaType, ...parameters] = split(item, ';');
    if (mediaType === undefined) continue;
    if (!MEDIA_TYPE.test(mediaType)) throw malformed(accept);
    for (const parameter of parameters) {
      const match = PARAMETER.exec(parameter);
      if (match === null) throw malformed(accept);
      if (match[1]!.toLowerCase() === ALLOW_UTF8_LABEL_NAMES) {
        allowsUtf8LabelNames = (match[2] ?? match[3]) === 'true';
      }
    }
  }
  return { allowsUtf8LabelNames };
}

/** Whether a label name may be listed to the client. */
export function isVisible(name: string, { allowsUtf8LabelNames }: ClientCapabilities): boolean {
  return allowsUtf8LabelNames || PLAIN_LABEL_NAME.test(name);
}

/** Non-empty, trimmed parts; quoted separators separate nothing. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '\\' && quoted) part += text[i++]!;
    else if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) {
      parts.push(part);
      part = '';
    } else {
      part += text[i] ?? '';
    }
  }
  parts.push(part);
  return parts.map((each) => each.trim()).filter((each) => each !== '');
}

function malformed(accept: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', `Invalid header format: Accept: ${accept}`);
}
