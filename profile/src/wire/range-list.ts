// SPDX-License-Identifier: Apache-2.0
//
// Where the messages of one table lie in the input, noted by a first pass. It counts all but keeps no more than its
// limit, so that a hostile table costs nothing before it is refused.

import { Uint32Column } from '../column.ts';
import { HearthscopeError } from '../errors.ts';
import { type ProtobufReader, WireType } from './protobuf-reader.ts';

export class RangeList {
  readonly from = new Uint32Column();
  readonly to = new Uint32Column();
  /** Messages seen; `from` and `to` hold the first `maxLength` of them. */
  length = 0;
  readonly field: string;
  readonly maxLength: number;

  /** @param field for errors, e.g. `Profile.sample` */
  constructor(field: string, maxLength: number) {
    this.field = field;
    this.maxLength = maxLength;
  }

  /** Notes the length-delimited value that `reader` is at, and passes over it. */
  note(reader: ProtobufReader, tag: number): void {
    reader.expect(tag, WireType.lengthDelimited, this.field);
    const length = reader.length();
    const from = reader.pos;
    reader.pos += length;
    if (this.length++ >= this.maxLength) return;
    this.from.push(from);
    this.to.push(reader.pos);
  }

  /** Bytes of the messages that are kept, all together: no repeated field in them has more elements. */
  get byteLength(): number {
    let bytes = 0;
    for (let row = 0; row < this.from.length; row++) bytes += this.to.data[row]! - this.from.data[row]!;
    return bytes;
  }

  /** Puts `reader` at the start of message `row`, with its end as the limit. */
  seek(reader: ProtobufReader, row: number): void {
    reader.seek(this.from.data[row]!, this.to.data[row]!);
  }

  /** @throws HearthscopeError invalid_argument when more were seen than are kept */
  check(): void {
    if (this.length > this.maxLength) {
      throw new HearthscopeError(
        'invalid_argument',
        `${this.length} elements of ${this.field} exceed the limit of ${this.maxLength}`,
      );
    }
  }

  clear(): void {
    this.from.length = 0;
    this.to.length = 0;
    this.length = 0;
  }
}
