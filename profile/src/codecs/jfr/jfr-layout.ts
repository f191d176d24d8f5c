// SPDX-License-Identifier: Apache-2.0
//
// How the bytes of a type follow each other, compiled once for a chunk from its metadata, so that reading a record is a
// loop over steps. The reader of a record names the fields it wants; their values land in slots, all else is passed over.
//
// Each step takes at least one byte: fields of types without any content have no step. So the time to read is bounded by
// the bytes, whatever counts and types hostile metadata makes up.

import { MAX_TYPE_DEPTH } from './jfr-limits.ts';
import type { JfrField, JfrMetadata } from './jfr-metadata.ts';
import type { JfrReader } from './jfr-reader.ts';

/** How a step is read. */
export const StepKind = {
  /** Also keys into pools. */
  integer: 0,
  /** Bytes of no interest, `width` of them. */
  bytes: 1,
  string: 2,
  record: 3,
} as const;
type StepKind = (typeof StepKind)[keyof typeof StepKind];

export interface Step {
  readonly kind: StepKind;
  readonly width: 1 | 2 | 4 | 8;
  readonly isArray: boolean;
  /** Of kind `record`. */
  readonly record: readonly Step[];
  readonly field: JfrField;
}

/** The steps of a type, and which slot the value of each goes to (-1: none). */
export interface Layout {
  readonly steps: readonly Step[];
  readonly slots: Int8Array;
  /** Steps up to the last that is wanted; an event need not be read further. */
  readonly wantedSteps: number;
}

/** Where the wanted fields of a record are put. Integers leave their two lanes, strings their position (low lane). Every
 * record of a layout writes the same slots, so they need be cleared only when the layout changes. */
export class Slots {
  readonly lo: Int32Array;
  readonly hi: Int32Array;

  constructor(count: number) {
    this.lo = new Int32Array(count);
    this.hi = new Int32Array(count);
  }

  clear(): void {
    this.lo.fill(0);
    this.hi.fill(0);
  }
}

/** A field that a reader wants: of kind `integer` or `string`, not an array. */
export interface WantedField {
  readonly name: string;
  readonly kind: typeof StepKind.integer | typeof StepKind.string;
  /** For keys: the type of the pool. */
  readonly pool?: string;
}

const PRIMITIVES: ReadonlyMap<string, Pick<Step, 'kind' | 'width'>> = new Map([
  ['boolean', { kind: StepKind.bytes, width: 1 }],
  ['byte', { kind: StepKind.bytes, width: 1 }],
  ['char', { kind: StepKind.integer, width: 2 }],
  ['short', { kind: StepKind.integer, width: 2 }],
  ['int', { kind: StepKind.integer, width: 4 }],
  ['long', { kind: StepKind.integer, width: 8 }],
  ['float', { kind: StepKind.bytes, width: 4 }],
  ['double', { kind: StepKind.bytes, width: 8 }],
  ['java.lang.String', { kind: StepKind.string, width: 1 }],
]);

/** A type compiled: its steps, and how deep records are nested in them. */
interface CompiledType {
  readonly steps: readonly Step[];
  readonly height: number;
}

export class Layouts {
  readonly #reader: JfrReader;
  readonly #metadata: JfrMetadata;
  readonly #types = new Map<number, CompiledType>();
  readonly #layouts = new Map<readonly WantedField[], Map<number, Layout>>();

  constructor(reader: JfrReader, metadata: JfrMetadata) {
    this.#reader = reader;
    this.#metadata = metadata;
  }

  /** A field that the type lacks, or has in another form, is in no slot: its slot stays as it was. Made once for each
   * type and list of wanted fields. */
  of(typeId: number, wanted: readonly WantedField[]): Layout {
    let layouts = this.#layouts.get(wanted);
    if (layouts === undefined) {
      layouts = new Map();
      this.#layouts.set(wanted, layouts);
    }
    let layout = layouts.get(typeId);
    if (layout === undefined) {
      layout = this.#layout(typeId, wanted);
      layouts.set(typeId, layout);
    }
    return layout;
  }

  #layout(typeId: number, wanted: readonly WantedField[]): Layout {
    const steps = this.steps(typeId);
    const slots = new Int8Array(steps.length).fill(-1);
    let wantedSteps = 0;
    steps.forEach((step, index) => {
      const { name, isPooled, type } = step.field;
      const slot = wanted.findIndex((field) => field.name === name);
      if (slot < 0 || step.isArray || step.kind !== wanted[slot]!.kind) return;
      const { pool } = wanted[slot]!;
      if (pool !== undefined && !(isPooled && this.#metadata.byId.get(type)?.name === pool)) return;
      slots[index] = slot;
      wantedSteps = index + 1;
    });
    return { steps, slots, wantedSteps };
  }

  /** What a value of the type is made of; a primitive is one step. */
  steps(typeId: number): readonly Step[] {
    return this.#compile(typeId, MAX_TYPE_DEPTH).steps;
  }

  /** @param depthLeft how many records may still be nested in this one; a type that contains itself uses them up */
  #compile(typeId: number, depthLeft: number): CompiledType {
    const known = this.#types.get(typeId);
    if ((known?.height ?? 0) > depthLeft || depthLeft < 0) {
      this.#reader.fail(`types nested deeper than ${MAX_TYPE_DEPTH}`);
    }
    if (known !== undefined) return known;
    const type = this.#metadata.byId.get(typeId);
    if (type === undefined) this.#reader.fail(`type ${typeId} is not in the metadata`);
    const primitive = PRIMITIVES.get(type.name);
    const steps: Step[] = [];
    let height = 0;
    if (primitive !== undefined) {
      const field = { name: '', type: typeId, isPooled: false, isArray: false, timespanUnit: '' };
      steps.push({ ...primitive, isArray: false, record: [], field });
    } else {
      for (const field of type.fields) {
        const { isArray } = field;
        if (field.isPooled) {
          steps.push({ kind: StepKind.integer, width: 8, isArray, record: [], field });
          continue;
        }
        const inner = this.#compile(field.type, depthLeft - 1);
        const innerPrimitive = PRIMITIVES.get(this.#metadata.byId.get(field.type)!.name);
        if (innerPrimitive !== undefined) {
          steps.push({ ...innerPrimitive, isArray, record: [], field });
        } else if (inner.steps.length > 0 || isArray) {
          steps.push({ kind: StepKind.record, width: 1, isArray, record: inner.steps, field });
        }
        height = Math.max(height, inner.height + 1);
      }
    }
    const compiled = { steps, height };
    this.#types.set(typeId, compiled);
    return compiled;
  }
}

/** Passes over the value of one step. */
export function skipStep(reader: JfrReader, step: Step): void {
  if (!step.isArray) {
    skipValue(reader, step);
    return;
  }
  const count = arrayLength(reader, step);
  if (step.kind === StepKind.bytes) {
    reader.skip(count * step.width);
    return;
  }
  for (let i = 0; i < count; i++) skipValue(reader, step);
}

/** The length of an array of which each element takes a byte at least; 0 when the elements take none. */
export function arrayLength(reader: JfrReader, step: Step): number {
  if (step.kind === StepKind.record && step.record.length === 0) {
    reader.skipInteger(4);
    return 0;
  }
  return reader.size('length of an array', reader.limit - reader.pos);
}

function skipValue(reader: JfrReader, step: Step): void {
  switch (step.kind) {
    case StepKind.integer:
      reader.skipInteger(step.width as 2 | 4 | 8);
      break;
    case StepKind.bytes:
      reader.skip(step.width);
      break;
    case StepKind.string:
      reader.skipString();
      break;
    case StepKind.record:
      for (const inner of step.record) skipStep(reader, inner);
      break;
  }
}

/** Reads a step of a layout into its slot, or passes over it. */
export function readStep(reader: JfrReader, step: Step, slot: number, slots: Slots): void {
  if (slot < 0) {
    skipStep(reader, step);
  } else if (step.kind === StepKind.integer) {
    reader.integer(step.width as 2 | 4 | 8);
    slots.lo[slot] = reader.lo;
    slots.hi[slot] = reader.hi;
  } else {
    slots.lo[slot] = reader.pos;
    reader.skipString();
  }
}

/** Reads the first `count` steps of a record. */
export function readRecord(reader: JfrReader, layout: Layout, slots: Slots, count: number): void {
  for (let i = 0; i < count; i++) readStep(reader, layout.steps[i]!, layout.slots[i]!, slots);
}
