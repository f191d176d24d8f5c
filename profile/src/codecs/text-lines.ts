// SPDX-License-Identifier: Apache-2.0
//
// Texts that are read line by line. A line is decoded when its turn comes, so a large text never lies in memory twice.

import { ProtobufReader } from '../wire/protobuf-reader.ts';
import type { DecodeReport } from './decode-report.ts';

export interface TextLine {
  /** Without the line feed and a carriage return before it. Wrong UTF-8 is read with U+FFFD. */
  readonly text: string;
  /** Of its first byte in the input. */
  readonly offset: number;
}

/** The lines of a UTF-8 text; one that ends in a line feed has no empty last line.
 * @param format for errors @param report gets `invalid_utf8`, once for each line that has some */
export function* textLines(
  format: string,
  bytes: Uint8Array,
  report: DecodeReport | undefined,
): Generator<TextLine> {
  const reader = new ProtobufReader(format, bytes);
  for (let from = 0; from < bytes.length; ) {
    const lineFeed = bytes.indexOf(0x0a, from);
    const next = lineFeed < 0 ? bytes.length : lineFeed + 1;
    const end = lineFeed < 0 ? bytes.length : lineFeed;
    reader.seek(from, end > from && bytes[end - 1] === 0x0d ? end - 1 : end);
    yield { text: reader.rest(), offset: from };
    from = next;
  }
  report?.repair('invalid_utf8', reader.invalidUtf8Strings);
}
