// SPDX-License-Identifier: Apache-2.0
//
// Reads the events of a chunk:
//
//   size int │ type id long │ fields as the type says
//
// They may be in any order and lie between checkpoints and the metadata, which are events themselves. The size leads to
// the next one, so events of no interest cost nothing and a type may have more fields than are known here.

import { HearthscopeError } from '../../errors.ts';
import type { DecodeReport } from '../decode-report.ts';
import { CHUNK_HEADER_BYTES, type ChunkHeader } from './jfr-chunk-header.ts';
import { ChunkSamples } from './jfr-chunk-samples.ts';
import { CHECKPOINT_EVENT, type ConstantPools } from './jfr-constant-pools.ts';
import type { Correlations } from './jfr-correlations.ts';
import {
  ACTIVE_SETTING,
  CPU,
  EVENT_KINDS,
  EVENT_SETTING,
  EVENT_SLOTS,
  EventSlot,
  eventFields,
  type JfrEventKind,
  PROFILE_KINDS,
  SETTING_FIELDS,
  SettingSlot,
  WALL,
} from './jfr-event-kinds.ts';
import { type Layout, type Layouts, readRecord, Slots } from './jfr-layout.ts';
import { type JfrMetadata, METADATA_EVENT } from './jfr-metadata.ts';
import { exactNumber, type JfrReader } from './jfr-reader.ts';

export interface ChunkEventOptions {
  /** What the limits of the recording leave for this chunk. */
  readonly maxEvents: number;
  readonly maxSamples: number;
  /** The setting that the chunks before had. */
  readonly event: string;
}

/** What is done with an event type. */
interface EventType {
  readonly name: string;
  /** Undefined for a type that is passed over. */
  readonly kind: JfrEventKind | 'setting' | undefined;
  readonly layout: Layout | undefined;
  count: number;
}

/** How a state of a thread is counted. */
interface ThreadState {
  readonly isKnown: boolean;
  readonly isSleeping: boolean;
  readonly isRunnable: boolean;
}

export const VALUE_OUT_OF_RANGE = {
  reason: 'value_out_of_range',
  message: 'jfr: the value of an event is negative or so large that its sum would not be exact',
} as const;

const NO_STATE: ThreadState = { isKnown: false, isSleeping: false, isRunnable: false };
const CPU_INDEX = PROFILE_KINDS.indexOf(CPU);
const WALL_INDEX = PROFILE_KINDS.indexOf(WALL);
const WALL_EVENT = 'wall';

export class ChunkEvents {
  readonly samples = new ChunkSamples();
  readonly #reader: JfrReader;
  readonly #metadata: JfrMetadata;
  readonly #layouts: Layouts;
  readonly #pools: ConstantPools;
  readonly #correlations: Correlations;
  readonly #options: ChunkEventOptions;
  readonly #types = new Map<number, EventType>();
  readonly #slots = new Slots(EVENT_SLOTS);
  /** By row of the pool: there are few, and each is asked for often. */
  readonly #states: (ThreadState | undefined)[] = [];
  /** The unit of the amount, by profile kind. */
  readonly #units = new Map<number, string>();
  #length = 0;
  #event: string;
  #unknownTypes = 0;
  #stackTracesNotFound = 0;
  #statesNotFound = 0;
  #valuesOutOfRange = 0;

  constructor(
    reader: JfrReader,
    metadata: JfrMetadata,
    layouts: Layouts,
    pools: ConstantPools,
    correlations: Correlations,
    options: ChunkEventOptions,
  ) {
    this.#reader = reader;
    this.#metadata = metadata;
    this.#layouts = layouts;
    this.#pools = pools;
    this.#correlations = correlations;
    this.#options = options;
    this.#event = options.event;
  }

  /** Events read. */
  get length(): number {
    return this.#length;
  }

  /** What the sampler's setting `event` was at the end. */
  get event(): string {
    return this.#event;
  }

  /** Name and count of each type that occurred. */
  *counts(): Generator<[string, number]> {
    for (const { name, count } of this.#types.values()) yield [name, count];
  }

  /** The annotated unit of the amounts of a profile kind. */
  amountUnit(profile: number): string {
    return this.#units.get(profile) ?? '';
  }

  reportTo(report: DecodeReport): void {
    report.repair('jfr_unknown_event_type', this.#unknownTypes);
    report.reject(
      'sample',
      'jfr_stack_trace_not_found',
      'jfr: an event has no stack trace, or one that is in no constant pool',
      this.#stackTracesNotFound,
    );
    report.reject(
      'sample',
      'jfr_thread_state_not_found',
      'jfr: an execution sample has no thread state, or one that is in no constant pool',
      this.#statesNotFound,
    );
    report.reject('sample', VALUE_OUT_OF_RANGE.reason, VALUE_OUT_OF_RANGE.message, this.#valuesOutOfRange);
  }

  /** @throws FormatError, HearthscopeError invalid_argument over a limit */
  read(header: ChunkHeader): void {
    const reader = this.#reader;
    const { end } = header;
    let pos = header.start + CHUNK_HEADER_BYTES;
    let last: EventType | undefined;
    let lastId = -1;
    while (pos < end) {
      reader.pos = pos;
      reader.limit = end;
      const size = reader.size('size of an event', end - pos);
      const typeId = reader.long();
      if (pos + size < reader.pos) reader.fail(`the size of an event is ${size}`, pos);
      reader.limit = pos + size;
      if (typeId !== METADATA_EVENT && typeId !== CHECKPOINT_EVENT) {
        if (typeId !== lastId) {
          last = this.#type(typeId);
          lastId = typeId;
          this.#slots.clear();
        }
        this.#countEvent();
        if (last === undefined) this.#unknownTypes++;
        else this.#readEvent(last);
      }
      pos += size;
    }
  }

  #countEvent(): void {
    this.#length++;
    if (this.#length > this.#options.maxEvents) {
      throw new HearthscopeError(
        'invalid_argument',
        'jfr: the recording has more events than the limit allows',
      );
    }
  }

  /** Undefined for a type that the metadata does not know. */
  #type(typeId: number): EventType | undefined {
    const known = this.#types.get(typeId);
    if (known !== undefined) return known;
    const type = this.#metadata.byId.get(typeId);
    if (type === undefined) return undefined;
    const kind = type.name === ACTIVE_SETTING ? 'setting' : EVENT_KINDS.get(type.name);
    let layout: Layout | undefined;
    if (kind === 'setting') {
      layout = this.#layouts.of(typeId, SETTING_FIELDS);
    } else if (kind !== undefined) {
      layout = this.#layouts.of(typeId, eventFields(kind));
      const amount = type.fields.find(({ name }) => name === kind.amount);
      if (amount !== undefined && typeof kind.profile === 'number') {
        this.#units.set(kind.profile, amount.timespanUnit);
      }
    }
    const eventType: EventType = { name: type.name, kind, layout, count: 0 };
    this.#types.set(typeId, eventType);
    return eventType;
  }

  #readEvent(type: EventType): void {
    type.count++;
    const { kind, layout } = type;
    if (kind === undefined || layout === undefined) return;
    const slots = this.#slots;
    readRecord(this.#reader, layout, slots, layout.wantedSteps);
    if (kind === 'setting') this.#readSetting(slots);
    else this.#addSample(kind, slots);
  }

  #readSetting(slots: Slots): void {
    const nameAt = slots.lo[SettingSlot.name]!;
    const valueAt = slots.lo[SettingSlot.value]!;
    if (nameAt === 0 || valueAt === 0 || this.#pools.stringAt(nameAt) !== EVENT_SETTING) return;
    this.#event = this.#pools.stringAt(valueAt);
  }

  #addSample(kind: JfrEventKind, slots: Slots): void {
    const { lo, hi } = slots;
    const stack = this.#pools.stackTrace(lo[EventSlot.stackTrace]!, hi[EventSlot.stackTrace]!);
    if (stack < 0) {
      this.#stackTracesNotFound++;
      return;
    }
    const correlation = this.#correlations.intern(slots);
    const amount = exactNumber(lo[EventSlot.amount]!, hi[EventSlot.amount]!);
    if (kind.profile === 'execution') this.#addExecution(stack, correlation);
    else if (kind.profile === 'wallClock') this.#addWallClock(stack, correlation, amount);
    else this.#add(kind.profile, stack, correlation, 1, amount);
  }

  /** A sampler of the wall clock samples sleeping threads, too: those take wall time but no CPU time. */
  #addExecution(stack: number, correlation: number): void {
    const state = this.#state();
    if (state.isKnown && !state.isSleeping) this.#add(CPU_INDEX, stack, correlation, 1, 0);
    if (this.#event === WALL_EVENT) this.#add(WALL_INDEX, stack, correlation, 1, 0);
    else if (!state.isKnown) this.#statesNotFound++;
  }

  /** One event stands for several samples of a thread that did not move. */
  #addWallClock(stack: number, correlation: number, count: number): void {
    this.#add(WALL_INDEX, stack, correlation, count, 0);
    if (this.#event === WALL_EVENT && this.#state().isRunnable) {
      this.#add(CPU_INDEX, stack, correlation, count, 0);
    }
  }

  #add(profile: number, stack: number, correlation: number, count: number, amount: number): void {
    if (!this.samples.add(profile, stack, correlation, count, amount)) this.#valuesOutOfRange++;
    if (this.samples.length > this.#options.maxSamples) {
      throw new HearthscopeError(
        'invalid_argument',
        'jfr: the recording has more distinct samples than the limit of decoded rows allows',
      );
    }
  }

  #state(): ThreadState {
    const { threadStates } = this.#pools;
    const row = threadStates.find(this.#slots.lo[EventSlot.state]!, this.#slots.hi[EventSlot.state]!);
    if (row < 0) return NO_STATE;
    this.#states[row] ??= threadState(this.#pools.threadStateName(row));
    return this.#states[row];
  }
}

function threadState(name: string): ThreadState {
  return { isKnown: true, isSleeping: name === 'STATE_SLEEPING', isRunnable: name === 'STATE_RUNNABLE' };
}
