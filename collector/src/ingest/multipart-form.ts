// SPDX-License-Identifier: Apache-2.0
//
// The parts of a multipart/form-data body. The body is in memory already and was within the limit of the receiver, so a
// part cannot be larger than that; what is bounded here is the work that many small parts make.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import busboy from 'busboy';

/** Clients send three parts at most. */
export const MAX_PARTS = 16;
/** Header lines of one part. Their bytes are bounded by the parser, at 16 KiB. */
export const MAX_PART_HEADERS = 32;
/** Bytes of a part's name; a longer one is no name that is looked for. */
const MAX_NAME_BYTES = 100;

/** Parts by name, the first of equal names; parts without name are left out. */
export type MultipartForm = ReadonlyMap<string, Uint8Array>;

/** @param contentType with the boundary
 * @throws HearthscopeError invalid_argument for a body that is no form, is cut off or has too many parts */
export async function readMultipartForm(body: Uint8Array, contentType: string): Promise<MultipartForm> {
  const parts = new Map<string, Uint8Array>();
  const add = (name: string, bytes: Uint8Array) => {
    if (!parts.has(name)) parts.set(name, bytes);
  };
  await new Promise<void>((resolve, reject) => {
    const fail = (what: string) =>
      reject(new HearthscopeError('invalid_argument', `multipart form: ${what}`));
    const parser = parserOf(body, contentType);
    parser.on('field', (name, value) => add(name, Buffer.from(value, 'latin1')));
    parser.on('file', (name, stream) => {
      const chunks: Uint8Array[] = [];
      stream.on('data', (chunk: Uint8Array) => chunks.push(chunk));
      stream.on('end', () => add(name, Buffer.concat(chunks)));
      stream.on('error', (error) => fail(messageOf(error)));
    });
    parser.on('partsLimit', () => fail(`more than ${MAX_PARTS} parts`));
    parser.on('error', (error) => fail(messageOf(error)));
    parser.on('close', resolve);
    parser.end(body);
  });
  return parts;
}

function parserOf(body: Uint8Array, contentType: string): busboy.Busboy {
  try {
    return busboy({
      headers: { 'content-type': contentType },
      // A part without file name is text to the parser. Read as Latin-1 it keeps its bytes.
      defCharset: 'latin1',
      limits: {
        // The parser counts the end of the form as one.
        parts: MAX_PARTS + 1,
        headerPairs: MAX_PART_HEADERS,
        fieldNameSize: MAX_NAME_BYTES,
        fieldSize: body.length,
        fileSize: body.length,
      },
    });
  } catch (error) {
    throw new HearthscopeError('invalid_argument', `multipart form: ${messageOf(error)}`, { cause: error });
  }
}
