// SPDX-License-Identifier: Apache-2.0
//
// The constant pools of a chunk: what the keys in events refer to. They are written in checkpoint events, which form a
// chain from the last, named by the chunk's header, to the first.
//
//   size int │ type long = 1 │ start long │ duration long │ delta long │ kind byte │ pools: count int, pool…
//   pool:  type id long │ count int, (key long, value)…
//
// `delta` leads to the checkpoint before (it is negative) and is 0 in the first. Pools of the same type add up; of two
// values with the same key the later written one counts. Kept as columns: of strings only the position is noted, and
// the frames of stack traces, which repeat each other, are interned.

import { Uint32Column } from '../../column.ts';
import { HearthscopeError } from '../../errors.ts';
import { UintListTable } from '../../uint-list-table.ts';
import type { DecodeLimits } from '../decode-limits.ts';
import type { DecodeReport } from '../decode-report.ts';
import { IdTable } from '../pprof-id-table.ts';
import type { ChunkHeader } from './jfr-chunk-header.ts';
import {
  arrayLength,
  type Layout,
  type Layouts,
  readRecord,
  readStep,
  Slots,
  type Step,
  StepKind,
  skipStep,
  type WantedField,
} from './jfr-layout.ts';
import type { JfrMetadata } from './jfr-metadata.ts';
import type { JfrReader } from './jfr-reader.ts';
import type { NameBudget } from './name-budget.ts';

export const CHECKPOINT_EVENT = 1;

const STRING_TYPE = 'java.lang.String';
const SYMBOL_TYPE = 'jdk.types.Symbol';
const CLASS_TYPE = 'java.lang.Class';
const METHOD_TYPE = 'jdk.types.Method';
const FRAME_TYPE_TYPE = 'jdk.types.FrameType';
export const THREAD_STATE_TYPE = 'jdk.types.ThreadState';
export const STACK_TRACE_TYPE = 'jdk.types.StackTrace';

/** The fields of a pool's values that are kept, in the order of their columns. */
const POOL_FIELDS: Readonly<Record<string, readonly WantedField[]>> = {
  [STRING_TYPE]: [{ name: '', kind: StepKind.string }],
  [SYMBOL_TYPE]: [{ name: 'string', kind: StepKind.string }],
  [CLASS_TYPE]: [{ name: 'name', kind: StepKind.integer, pool: SYMBOL_TYPE }],
  [METHOD_TYPE]: [
    { name: 'type', kind: StepKind.integer, pool: CLASS_TYPE },
    { name: 'name', kind: StepKind.integer, pool: SYMBOL_TYPE },
  ],
  [FRAME_TYPE_TYPE]: [{ name: 'description', kind: StepKind.string }],
  [THREAD_STATE_TYPE]: [{ name: 'name', kind: StepKind.string }],
};

const FRAME_FIELDS: readonly WantedField[] = [
  { name: 'method', kind: StepKind.integer, pool: METHOD_TYPE },
  { name: 'lineNumber', kind: StepKind.integer },
  { name: 'type', kind: StepKind.integer, pool: FRAME_TYPE_TYPE },
];

/** Columns of one pool. A field that the chunk's type lacks is 0. */
export class ConstantPool {
  readonly #keyLow = new Uint32Column();
  readonly #keyHigh = new Uint32Column();
  /** Two lanes for each field. */
  readonly #fields: readonly Uint32Column[];
  #rows: IdTable | undefined;

  constructor(fieldCount: number) {
    this.#fields = Array.from({ length: fieldCount * 2 }, () => new Uint32Column());
  }

  get length(): number {
    return this.#keyLow.length;
  }

  add(keyLow: number, keyHigh: number, slots: Slots): void {
    this.#keyLow.push(keyLow);
    this.#keyHigh.push(keyHigh);
    for (let field = 0; field * 2 < this.#fields.length; field++) {
      this.#fields[field * 2]!.push(slots.lo[field]!);
      this.#fields[field * 2 + 1]!.push(slots.hi[field]!);
    }
  }

  /** The row of a key, or -1. Rows must all have been added. */
  find(keyLow: number, keyHigh: number): number {
    if (this.#rows === undefined) {
      this.#rows = new IdTable(this.length);
      for (let row = 0; row < this.length; row++) {
        this.#rows.add(this.#keyLow.data[row]!, this.#keyHigh.data[row]!, row);
      }
    }
    return this.#rows.find(keyLow, keyHigh);
  }

  low(field: number, row: number): number {
    return this.#fields[field * 2]!.data[row]!;
  }

  high(field: number, row: number): number {
    return this.#fields[field * 2 + 1]!.data[row]!;
  }
}

/** Pools of the chunk that `header` describes, and what their keys stand for. */
export class ConstantPools {
  /** Lists of rows of `frames`, leaf first, by the row of the stack trace. */
  readonly stackStart = new Uint32Column();
  readonly stackFrames = new Uint32Column();
  /** [method key low, high, line, frame type key low, high] */
  readonly frames = new UintListTable();
  readonly #reader: JfrReader;
  readonly #metadata: JfrMetadata;
  readonly #layouts: Layouts;
  readonly #limits: DecodeLimits;
  readonly #names: NameBudget;
  readonly #report: DecodeReport;
  readonly #pools = new Map<string, ConstantPool>();
  readonly #stackTraces = new ConstantPool(0);
  readonly #slots = new Slots(4);
  readonly #frame = new Uint32Array(5);

  constructor(
    reader: JfrReader,
    metadata: JfrMetadata,
    layouts: Layouts,
    limits: DecodeLimits,
    names: NameBudget,
    report: DecodeReport,
  ) {
    this.#reader = reader;
    this.#names = names;
    this.#metadata = metadata;
    this.#layouts = layouts;
    this.#limits = limits;
    this.#report = report;
    for (const [type, fields] of Object.entries(POOL_FIELDS)) {
      this.#pools.set(type, new ConstantPool(fields.length));
    }
    this.stackStart.push(0);
  }

  /** Reads the whole chain. */
  read(header: ChunkHeader): void {
    const reader = this.#reader;
    let position = header.checkpoint;
    let end = header.end;
    for (;;) {
      reader.pos = position;
      reader.limit = end;
      const size = reader.size('size of the checkpoint', end - position);
      reader.limit = position + size;
      if (reader.long() !== CHECKPOINT_EVENT)
        reader.fail('no checkpoint event where one should be', position);
      reader.skipInteger(8);
      reader.skipInteger(8);
      const deltaAt = reader.pos;
      reader.integer(8);
      const delta = BigInt.asIntN(64, (BigInt(reader.hi) << 32n) | BigInt(reader.lo >>> 0));
      reader.byte();
      const pools = reader.size('count of pools', reader.limit - reader.pos);
      for (let i = 0; i < pools; i++) this.#readPool();
      if (delta === 0n) break;
      // Each checkpoint lies before the one that led to it, so the chain ends and no byte is read twice.
      end = position;
      const previous = BigInt(position) + delta;
      if (previous < BigInt(header.start) || previous >= BigInt(position)) {
        reader.fail(`the checkpoint before is ${delta} bytes away, which is not before it`, deltaAt);
      }
      position = Number(previous);
    }
    reader.limit = header.end;
  }

  /** The row of a stack trace in `stackStart`, or -1. */
  stackTrace(keyLow: number, keyHigh: number): number {
    return this.#stackTraces.find(keyLow, keyHigh);
  }

  get stackTraceCount(): number {
    return this.#stackTraces.length;
  }

  get threadStates(): ConstantPool {
    return this.#pools.get(THREAD_STATE_TYPE)!;
  }

  /** The name of a row of `threadStates`. */
  threadStateName(row: number): string {
    const position = this.threadStates.low(0, row);
    return position === 0 ? '' : this.stringAt(position);
  }

  /** As written by the virtual machine, e.g. `JIT compiled` or `Native`. */
  frameType(keyLow: number, keyHigh: number): string {
    return this.#textOf(FRAME_TYPE_TYPE, keyLow, keyHigh) ?? '';
  }

  get methods(): ConstantPool {
    return this.#pools.get(METHOD_TYPE)!;
  }

  get symbols(): ConstantPool {
    return this.#pools.get(SYMBOL_TYPE)!;
  }

  /** The text of a row of `symbols`. */
  symbolText(row: number): string {
    const position = this.symbols.low(0, row);
    return position === 0 ? '' : this.stringAt(position);
  }

  /** The rows in `symbols` of the names of the class and of the method of a row of `methods`, -1 for a name that is in no
   * pool; undefined when the class is in no pool. */
  methodSymbols(row: number): { className: number; method: number } | undefined {
    const { methods, symbols } = this;
    const classes = this.#pools.get(CLASS_TYPE)!;
    const classRow = classes.find(methods.low(0, row), methods.high(0, row));
    if (classRow < 0) return undefined;
    return {
      className: symbols.find(classes.low(0, classRow), classes.high(0, classRow)),
      method: symbols.find(methods.low(1, row), methods.high(1, row)),
    };
  }

  /** The string at a position that a slot noted, from where it was passed over once: it is well-formed. */
  stringAt(position: number): string {
    const reader = this.#reader;
    const { pos, limit } = reader;
    reader.pos = position;
    reader.limit = reader.bytes.length;
    const text = reader.string() ?? this.#pooledString(reader.lo, reader.hi);
    this.#names.take(text.length);
    reader.pos = pos;
    reader.limit = limit;
    return text;
  }

  /** A string in the pool of strings; one that is itself a key is not followed. */
  #pooledString(keyLow: number, keyHigh: number): string {
    const strings = this.#pools.get(STRING_TYPE)!;
    const row = strings.find(keyLow, keyHigh);
    if (row < 0) {
      this.#report.repair('jfr_string_not_found');
      return '';
    }
    const position = strings.low(0, row);
    this.#reader.pos = position;
    const text = this.#reader.string() ?? '';
    this.#names.take(this.#reader.pos - position);
    return text;
  }

  #textOf(type: string, keyLow: number, keyHigh: number): string | undefined {
    const pool = this.#pools.get(type)!;
    const row = pool.find(keyLow, keyHigh);
    // Position 0 is that of no string: a field that the type lacks.
    if (row < 0 || pool.low(0, row) === 0) return undefined;
    return this.stringAt(pool.low(0, row));
  }

  #readPool(): void {
    const reader = this.#reader;
    const typeId = reader.long();
    const type = this.#metadata.byId.get(typeId);
    if (type === undefined) this.#reader.fail(`a pool of type ${typeId}, which is not in the metadata`);
    const count = reader.size(`count of ${type.name}`, reader.limit - reader.pos);
    if (type.name === STACK_TRACE_TYPE && count > 0) {
      this.#checkRows(type.name, this.#stackTraces.length + count);
      this.#readStackTraces(typeId, count);
      return;
    }
    const pool = this.#pools.get(type.name);
    if (pool === undefined) {
      this.#skipPool(typeId, count);
      return;
    }
    this.#checkRows(type.name, pool.length + count);
    const layout = this.#layouts.of(typeId, POOL_FIELDS[type.name]!);
    const slots = this.#slots;
    slots.clear();
    for (let i = 0; i < count; i++) {
      reader.integer(8);
      const { lo, hi } = reader;
      readRecord(reader, layout, slots, layout.steps.length);
      pool.add(lo, hi, slots);
    }
  }

  #skipPool(typeId: number, count: number): void {
    const reader = this.#reader;
    const steps = this.#layouts.steps(typeId);
    for (let i = 0; i < count; i++) {
      reader.skipInteger(8);
      for (const step of steps) skipStep(reader, step);
    }
  }

  #readStackTraces(typeId: number, count: number): void {
    const reader = this.#reader;
    const steps = this.#layouts.steps(typeId);
    const framesStep = steps.find(
      ({ field, isArray, kind }) => field.name === 'frames' && isArray && kind === StepKind.record,
    );
    const layout = framesStep && this.#layouts.of(framesStep.field.type, FRAME_FIELDS);
    for (let i = 0; i < count; i++) {
      reader.integer(8);
      const { lo, hi } = reader;
      for (const step of steps) {
        if (step === framesStep) this.#readFrames(step, layout!);
        else skipStep(reader, step);
      }
      this.#stackTraces.add(lo, hi, this.#slots);
      this.stackStart.push(this.stackFrames.length);
    }
  }

  /** A stack deeper than the limit loses its leaf side, as in the other formats. */
  #readFrames(step: Step, { steps, slots: slotOf }: Layout): void {
    const reader = this.#reader;
    const slots = this.#slots;
    const frame = this.#frame;
    const count = arrayLength(reader, step);
    const dropped = Math.max(0, count - this.#limits.maxStackDepth);
    if (dropped > 0) this.#report.repair('stack_truncated');
    this.#checkFrames(count - dropped);
    slots.clear();
    for (let i = 0; i < count; i++) {
      for (let s = 0; s < steps.length; s++) readStep(reader, steps[s]!, slotOf[s]!, slots);
      if (i < dropped) continue;
      frame[0] = slots.lo[0]!;
      frame[1] = slots.hi[0]!;
      // -1 and other negative lines are no lines.
      frame[2] = Math.max(0, slots.lo[1]!);
      frame[3] = slots.lo[2]!;
      frame[4] = slots.hi[2]!;
      this.stackFrames.push(this.frames.intern(frame));
    }
  }

  #checkRows(type: string, count: number): void {
    const { maxTableRows } = this.#limits;
    if (count > maxTableRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `jfr: ${count} constants of ${type} exceed the limit of ${maxTableRows}`,
      );
    }
  }

  #checkFrames(count: number): void {
    const { maxDecodedRows } = this.#limits;
    if (this.stackFrames.length + count > maxDecodedRows) {
      throw new HearthscopeError(
        'invalid_argument',
        `jfr: ${this.stackFrames.length + count} stack frames exceed the limit of ${maxDecodedRows}`,
      );
    }
  }
}
