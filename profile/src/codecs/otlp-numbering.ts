// SPDX-License-Identifier: Apache-2.0
//
// OTLP 1.10 renumbered the fields of Sample under the same package name, and no request says which numbering it uses:
//
//   field │ 1.8, 1.9                  │ 1.10 and later
//   ──────┼───────────────────────────┼───────────────────────────
//     1   │ stack_index               │ stack_index
//     2   │ values (packed int64)     │ attribute_indices (packed)
//     3   │ attribute_indices (packed)│ link_index (varint)
//     4   │ link_index (varint)       │ values (packed int64)
//     5   │ timestamps_unix_nano      │ timestamps_unix_nano
//
// A request is read as 1.10 unless it shows that it is not. The wire types of fields 3 and 4 tell the two apart for
// certain. Entries of field 2 beyond the attribute table also speak for 1.9, but only where the wire types are silent:
// one broken index must not turn a whole 1.10 request round.

import type { ProtobufReader } from '../wire/protobuf-reader.ts';
import { WireType } from '../wire/protobuf-reader.ts';

export type Numbering = '1.9' | '1.10';

/** What the fields of a Sample mean; an index into {@link SAMPLE_ROLES}'s rows is the field number. */
export const SampleRole = { unknown: 0, stack: 1, attributes: 2, link: 3, values: 4, timestamps: 5 } as const;

const { unknown, stack, attributes, link, values, timestamps } = SampleRole;

export const SAMPLE_ROLES: Record<Numbering, readonly number[]> = {
  '1.9': [unknown, stack, values, attributes, link, timestamps],
  '1.10': [unknown, stack, attributes, link, values, timestamps],
};

export class NumberingEvidence {
  /** Samples seen. */
  samples = 0;
  #for19 = false;
  #for110 = false;
  #beyondAttributeTable = false;
  readonly #reader: ProtobufReader;
  readonly #attributeCount: number;

  constructor(reader: ProtobufReader, attributeCount: number) {
    this.#reader = reader;
    this.#attributeCount = attributeCount;
  }

  /** Looks at the Sample that the reader is in. */
  addSample(): void {
    const reader = this.#reader;
    this.samples++;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      const field = tag >>> 3;
      const wireType = tag & 7;
      if (field === 3 && wireType === WireType.lengthDelimited) this.#for19 = true;
      if (field === 3 && wireType === WireType.varint) this.#for110 = true;
      if (field === 4 && wireType === WireType.varint) this.#for19 = true;
      if (field === 4 && wireType === WireType.lengthDelimited) this.#for110 = true;
      if (field === 2 && wireType === WireType.lengthDelimited) this.#checkPacked();
      else if (field === 2 && wireType === WireType.varint) this.#checkOne();
      else reader.skip(tag);
    }
  }

  get verdict(): Numbering | 'contradictory' {
    if (this.#for19 && this.#for110) return 'contradictory';
    if (this.#for19) return '1.9';
    if (this.#for110) return '1.10';
    return this.#beyondAttributeTable ? '1.9' : '1.10';
  }

  #checkPacked(): void {
    const outer = this.#reader.enter();
    while (this.#reader.pos < this.#reader.limit) this.#checkOne();
    this.#reader.leave(outer);
  }

  #checkOne(): void {
    const index = this.#reader.index();
    if (index < 0 || index >= this.#attributeCount) this.#beyondAttributeTable = true;
  }
}
