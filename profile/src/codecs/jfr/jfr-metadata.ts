// SPDX-License-Identifier: Apache-2.0
//
// The types of a chunk, from its metadata event. Everything else in the chunk is read by what this says, so fields may
// come in any order, be added and be left out.
//
//   size int │ type long = 0 │ start long │ duration long │ metadata id long │ strings: count int, string… │ root element
//
//   element:  name int │ attributes: count int, (name int, value int)… │ children: count int, element…
//   root ─ metadata ─ class id= name= ─ field name= class= [constantPool=true] [dimension=1] ─ annotation class= value=
//
// All of an element are indexes into the strings. Numbers in attributes are decimal text.

import { HearthscopeError } from '../../errors.ts';
import { MAX_ELEMENT_DEPTH } from './jfr-limits.ts';
import type { JfrReader } from './jfr-reader.ts';

export const METADATA_EVENT = 0;

export interface JfrField {
  readonly name: string;
  /** Id of its type. */
  readonly type: number;
  /** The value is a key (long) into the pool of its type. */
  readonly isPooled: boolean;
  readonly isArray: boolean;
  /** What a jdk.jfr.Timespan annotation says: `TICKS`, `NANOSECONDS`, …; '' without one. */
  readonly timespanUnit: string;
}

export interface JfrType {
  readonly id: number;
  readonly name: string;
  readonly fields: readonly JfrField[];
}

export interface JfrMetadata {
  readonly byId: ReadonlyMap<number, JfrType>;
  readonly byName: ReadonlyMap<string, JfrType>;
}

const TIMESPAN_ANNOTATION = 'jdk.jfr.Timespan';
/** An element has at least its name and its two counts, one byte each. */
const MIN_ELEMENT_BYTES = 3;

/** Reads the metadata event at `reader.pos`. @throws FormatError, HearthscopeError invalid_argument over a limit */
export function readMetadata(reader: JfrReader, maxTableRows: number): JfrMetadata {
  const start = reader.pos;
  const outer = reader.limit;
  const size = reader.size('size of the metadata event', outer - start);
  reader.limit = start + size;
  if (reader.long() !== METADATA_EVENT) reader.fail('no metadata event where the header says', start);
  reader.skipInteger(8);
  reader.skipInteger(8);
  reader.skipInteger(8);
  const metadata = new MetadataReader(reader, maxTableRows).read();
  reader.limit = outer;
  return metadata;
}

/** A field whose annotations are still type ids. */
interface RawField extends Omit<JfrField, 'timespanUnit'> {
  readonly annotations: readonly { readonly type: number; readonly value: string }[];
}

class MetadataReader {
  readonly #reader: JfrReader;
  readonly #strings: string[] = [];
  readonly #maxTableRows: number;
  readonly #types: { id: number; name: string; fields: readonly RawField[] }[] = [];
  /** Attributes of the element being read; reused, as there are tens of thousands of elements. */
  #attributes = new Map<string, string>();
  #elements = 0;

  constructor(reader: JfrReader, maxTableRows: number) {
    this.#reader = reader;
    this.#maxTableRows = maxTableRows;
  }

  read(): JfrMetadata {
    const reader = this.#reader;
    const count = reader.size('count of strings', reader.limit - reader.pos);
    this.#checkRows('strings of the metadata', count);
    for (let i = 0; i < count; i++) this.#strings.push(reader.string() ?? '');
    const root = this.#element();
    if (root.name !== 'root') reader.fail(`the metadata starts with an element ${JSON.stringify(root.name)}`);
    for (let i = 0; i < root.children; i++) this.#section();
    const byId = new Map(this.#types.map(({ id, name, fields }) => [id, { id, name, fields }]));
    const timespan = this.#types.find(({ name }) => name === TIMESPAN_ANNOTATION)?.id;
    const types = Array.from(byId.values(), ({ id, name, fields }): JfrType => {
      const withUnits = fields.map(({ annotations, ...field }): JfrField => {
        const annotation = annotations.find(({ type }) => type === timespan);
        return { ...field, timespanUnit: annotation?.value ?? '' };
      });
      return { id, name, fields: withUnits };
    });
    return {
      byId: new Map(types.map((type) => [type.id, type])),
      byName: new Map(types.map((type) => [type.name, type])),
    };
  }

  #checkRows(what: string, count: number): void {
    if (count > this.#maxTableRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `jfr: ${count} ${what} exceed the limit of ${this.#maxTableRows}`,
      );
    }
  }

  /** Reads an element up to its children, which the caller must read or skip; attributes go to `#attributes`. */
  #element(): { name: string; children: number } {
    const reader = this.#reader;
    this.#checkRows('elements of the metadata', ++this.#elements);
    const name = this.#string();
    const attributes = reader.size('count of attributes', reader.limit - reader.pos);
    this.#attributes.clear();
    for (let i = 0; i < attributes; i++) {
      const key = this.#string();
      this.#attributes.set(key, this.#string());
    }
    const children = reader.size(
      'count of children',
      Math.floor((reader.limit - reader.pos) / MIN_ELEMENT_BYTES),
    );
    return { name, children };
  }

  #string(): string {
    const at = this.#reader.pos;
    this.#reader.integer(4);
    const value = this.#strings[this.#reader.lo];
    if (value === undefined) this.#reader.fail(`no string ${this.#reader.lo} in the metadata`, at);
    return value;
  }

  #skipChildren(count: number, depth: number): void {
    if (depth > MAX_ELEMENT_DEPTH) this.#reader.fail(`elements nested deeper than ${MAX_ELEMENT_DEPTH}`);
    for (let i = 0; i < count; i++) this.#skipChildren(this.#element().children, depth + 1);
  }

  /** A child of root: `metadata` has the types, `region` (locale and time zone) says nothing that is needed. */
  #section(): void {
    const { name, children } = this.#element();
    for (let i = 0; i < children; i++) {
      if (name === 'metadata') this.#class();
      else this.#skipChildren(this.#element().children, 3);
    }
  }

  #class(): void {
    const { name: element, children } = this.#element();
    if (element !== 'class') {
      this.#skipChildren(children, 3);
      return;
    }
    const id = this.#number('id');
    const name = this.#attributes.get('name') ?? '';
    const fields: RawField[] = [];
    for (let i = 0; i < children; i++) {
      const child = this.#element();
      if (child.name === 'field') fields.push(this.#field(child.children));
      else this.#skipChildren(child.children, 4);
    }
    this.#types.push({ id, name, fields });
  }

  #field(children: number): RawField {
    const field = {
      name: this.#attributes.get('name') ?? '',
      type: this.#number('class'),
      isPooled: this.#attributes.get('constantPool') === 'true',
      isArray: (this.#attributes.get('dimension') ?? '0') !== '0',
    };
    const annotations: { type: number; value: string }[] = [];
    for (let i = 0; i < children; i++) {
      const child = this.#element();
      if (child.name === 'annotation') {
        annotations.push({ type: this.#number('class'), value: this.#attributes.get('value') ?? '' });
      }
      this.#skipChildren(child.children, 5);
    }
    return { ...field, annotations };
  }

  /** An attribute that is the id of a type. */
  #number(attribute: string): number {
    const text = this.#attributes.get(attribute) ?? '';
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
      this.#reader.fail(`attribute ${attribute} is ${JSON.stringify(text)}, which is no type id`);
    }
    return value;
  }
}
