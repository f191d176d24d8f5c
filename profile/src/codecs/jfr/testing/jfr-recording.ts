// SPDX-License-Identifier: Apache-2.0
//
// Writes recordings for tests, from types, constants and events given as plain data. It writes what it is told, also
// what no virtual machine would.

type Integer = number | bigint;

/** A string in one of the encodings of the format; a plain string is written as UTF-8. */
export type RecordedString =
  | { readonly null: true }
  | { readonly pool: Integer }
  | { readonly utf8: string }
  | { readonly chars: string }
  | { readonly latin1: string };

/** A number, key, string, record or array, as its type asks for. */
export type RecordedValue =
  | Integer
  | boolean
  | string
  | RecordedString
  | readonly RecordedValue[]
  | { readonly [field: string]: RecordedValue };

export interface RecordedField {
  readonly name: string;
  /** Name of its type. */
  readonly type: string;
  readonly isPooled?: boolean;
  readonly isArray?: boolean;
  readonly timespanUnit?: string;
}

export interface RecordedType {
  readonly name: string;
  readonly fields: readonly RecordedField[];
}

export interface RecordedPool {
  readonly type: string;
  readonly entries: readonly (readonly [Integer, RecordedValue])[];
}

export interface RecordedEvent {
  readonly type: string;
  readonly values: { readonly [field: string]: RecordedValue };
}

export interface RecordedChunk {
  /** Ids are given in this order, from 20. */
  readonly types: readonly RecordedType[];
  /** Checkpoints, in the order of the file. */
  readonly checkpoints: readonly (readonly RecordedPool[])[];
  readonly events: readonly RecordedEvent[];
  readonly isCompressed?: boolean;
  readonly ticksPerSecond?: number;
}

const FIRST_TYPE_ID = 20;
const HEADER_BYTES = 68;
/** Sizes of events are written with this many bytes, as virtual machines do, who fill them in at the end. */
const SIZE_BYTES = 4;

class JfrWriter {
  readonly bytes: number[] = [];
  readonly #isCompressed: boolean;

  constructor(isCompressed: boolean) {
    this.#isCompressed = isCompressed;
  }

  fixed(value: Integer, width: number): void {
    const unsigned = BigInt.asUintN(width * 8, BigInt(value));
    for (let i = width - 1; i >= 0; i--) this.bytes.push(Number((unsigned >> BigInt(i * 8)) & 0xffn));
  }

  integer(value: Integer, width: number): void {
    if (!this.#isCompressed) {
      this.fixed(value, width);
      return;
    }
    let rest = BigInt.asUintN(width * 8, BigInt(value));
    for (let i = 0; i < 8; i++) {
      if (rest < 0x80n) {
        this.bytes.push(Number(rest));
        return;
      }
      this.bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.bytes.push(Number(rest));
  }

  string(value: string | RecordedString): void {
    if (typeof value === 'string') {
      this.string({ utf8: value });
    } else if ('null' in value) {
      this.bytes.push(0);
    } else if ('pool' in value) {
      this.bytes.push(2);
      this.integer(value.pool, 8);
    } else if ('utf8' in value) {
      const text = new TextEncoder().encode(value.utf8);
      this.bytes.push(3);
      this.integer(text.length, 4);
      this.bytes.push(...text);
    } else if ('chars' in value) {
      this.bytes.push(4);
      this.integer(value.chars.length, 4);
      for (let i = 0; i < value.chars.length; i++) this.integer(value.chars.charCodeAt(i), 2);
    } else {
      this.bytes.push(5);
      this.integer(value.latin1.length, 4);
      for (const character of value.latin1) this.bytes.push(character.charCodeAt(0));
    }
  }

  /** Writes an event whose size, which comes first, is known at the end. */
  event(typeId: number, write: () => void): void {
    const start = this.bytes.length;
    for (let i = 0; i < SIZE_BYTES; i++) this.bytes.push(0);
    this.integer(typeId, 8);
    write();
    const size = this.bytes.length - start;
    for (let i = 0; i < SIZE_BYTES; i++) {
      this.bytes[start + i] = this.#isCompressed
        ? ((size >>> (7 * i)) & 0x7f) | (i < SIZE_BYTES - 1 ? 0x80 : 0)
        : (size >>> (8 * (SIZE_BYTES - 1 - i))) & 0xff;
    }
  }
}

const INTEGER_WIDTHS: ReadonlyMap<string, number> = new Map([
  ['char', 2],
  ['short', 2],
  ['int', 4],
  ['long', 8],
]);
const BYTE_WIDTHS: ReadonlyMap<string, number> = new Map([
  ['boolean', 1],
  ['byte', 1],
  ['float', 4],
  ['double', 8],
]);

/** The chunks one after the other. */
export function writeRecording(...chunks: readonly RecordedChunk[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => new ChunkWriter(chunk).write()));
}

class ChunkWriter {
  readonly #chunk: RecordedChunk;
  readonly #writer: JfrWriter;

  constructor(chunk: RecordedChunk) {
    this.#chunk = chunk;
    this.#writer = new JfrWriter(chunk.isCompressed ?? true);
  }

  write(): number[] {
    const { checkpoints, events, ticksPerSecond = 1e9, isCompressed = true } = this.#chunk;
    const { bytes } = this.#writer;
    for (let i = 0; i < HEADER_BYTES; i++) bytes.push(0);
    let checkpoint = 0;
    const first = Math.ceil(events.length / 2);
    // Half of the events before the first checkpoint, to show that order does not matter.
    for (const event of events.slice(0, first)) this.#event(event);
    for (const pools of checkpoints) {
      const start = bytes.length;
      this.#checkpoint(pools, checkpoint === 0 ? 0 : checkpoint - start);
      checkpoint = start;
    }
    const metadata = bytes.length;
    this.#metadata();
    for (const event of events.slice(first)) this.#event(event);
    const header = new JfrWriter(false);
    header.bytes.push(0x46, 0x4c, 0x52, 0);
    header.fixed(2, 2);
    header.fixed(1, 2);
    for (const value of [bytes.length, checkpoint, metadata, 0, 0, 0, ticksPerSecond]) header.fixed(value, 8);
    header.fixed(isCompressed ? 1 : 0, 4);
    header.bytes.forEach((byte, at) => {
      bytes[at] = byte;
    });
    return bytes;
  }

  #typeId(name: string): number {
    return FIRST_TYPE_ID + this.#chunk.types.findIndex((type) => type.name === name);
  }

  #type(name: string): RecordedType {
    const type = this.#chunk.types.find((candidate) => candidate.name === name);
    if (type === undefined) throw new Error(`the chunk has no type ${name}`);
    return type;
  }

  #event({ type, values }: RecordedEvent): void {
    this.#writer.event(this.#typeId(type), () => this.#record(this.#type(type), values));
  }

  #record(type: RecordedType, values: { readonly [field: string]: RecordedValue }): void {
    for (const field of type.fields) {
      const value = values[field.name] ?? (field.isArray ? [] : field.type === 'java.lang.String' ? '' : 0);
      if (!field.isArray) {
        this.#value(field, value);
        continue;
      }
      const elements = value as readonly RecordedValue[];
      this.#writer.integer(elements.length, 4);
      for (const element of elements) this.#value(field, element);
    }
  }

  #value({ type, isPooled }: Pick<RecordedField, 'type' | 'isPooled'>, value: RecordedValue): void {
    const width = isPooled ? 8 : INTEGER_WIDTHS.get(type);
    if (width !== undefined) this.#writer.integer(value as Integer, width);
    else if (BYTE_WIDTHS.has(type)) this.#writer.fixed(Number(value), BYTE_WIDTHS.get(type)!);
    else if (type === 'java.lang.String') this.#writer.string(value as string | RecordedString);
    else this.#record(this.#type(type), (value || {}) as { readonly [field: string]: RecordedValue });
  }

  #checkpoint(pools: readonly RecordedPool[], delta: number): void {
    const writer = this.#writer;
    writer.event(1, () => {
      writer.integer(0, 8);
      writer.integer(0, 8);
      writer.integer(delta, 8);
      writer.fixed(0, 1);
      writer.integer(pools.length, 4);
      for (const { type, entries } of pools) {
        writer.integer(this.#typeId(type), 8);
        writer.integer(entries.length, 4);
        for (const [key, value] of entries) {
          writer.integer(key, 8);
          this.#value({ type }, value);
        }
      }
    });
  }

  #metadata(): void {
    const strings = new Map<string, number>();
    const index = (text: string): number => {
      if (!strings.has(text)) strings.set(text, strings.size);
      return strings.get(text)!;
    };
    const tree = new JfrWriter(this.#chunk.isCompressed ?? true);
    const element = (name: string, attributes: Readonly<Record<string, string>>, children: number) => {
      tree.integer(index(name), 4);
      tree.integer(Object.keys(attributes).length, 4);
      for (const [key, value] of Object.entries(attributes)) {
        tree.integer(index(key), 4);
        tree.integer(index(value), 4);
      }
      tree.integer(children, 4);
    };
    const { types } = this.#chunk;
    element('root', {}, 2);
    element('metadata', {}, types.length);
    for (const { name, fields } of types) {
      element(
        'class',
        { id: String(this.#typeId(name)), name, superType: 'jdk.jfr.Event' },
        fields.length + 1,
      );
      element('annotation', { class: '1', value: 'label' }, 0);
      for (const field of fields) {
        const attributes: Record<string, string> = {
          name: field.name,
          class: String(this.#typeId(field.type)),
        };
        if (field.isPooled) attributes.constantPool = 'true';
        if (field.isArray) attributes.dimension = '1';
        element('field', attributes, field.timespanUnit === undefined ? 0 : 1);
        if (field.timespanUnit !== undefined) {
          element(
            'annotation',
            { class: String(this.#typeId('jdk.jfr.Timespan')), value: field.timespanUnit },
            0,
          );
        }
      }
    }
    element('region', { locale: 'en' }, 0);
    const writer = this.#writer;
    writer.event(0, () => {
      for (let i = 0; i < 3; i++) writer.integer(0, 8);
      writer.integer(strings.size, 4);
      for (const text of strings.keys()) writer.string(text);
      writer.bytes.push(...tree.bytes);
    });
  }
}
