// SPDX-License-Identifier: Apache-2.0
//
// What ran when a sample was taken: the label context, span and trace that the Java agent leaves in events. Distinct
// combinations are rows, of which row 0 is "none"; they last for the whole recording, as the ids do.

import type { Attribute } from '../../profile.ts';
import { UintListTable } from '../../uint-list-table.ts';
import { CORRELATION_FIELDS, EventSlot } from './jfr-event-kinds.ts';
import type { JfrLabels } from './jfr-labels.ts';
import type { Slots } from './jfr-layout.ts';

/** Names of the attributes, as the agent's own labels and those of other languages have them. */
const SPAN_ID = 'profile_id';
const SPAN_NAME = 'span_name';
const TRACE_ID = 'trace_id';

const LANES = CORRELATION_FIELDS.length * 2;

export class Correlations {
  /** Low and high lane of each field. */
  readonly #rows = new UintListTable();
  readonly #row = new Uint32Array(LANES);
  readonly #attributes: (readonly Attribute[] | undefined)[] = [];
  readonly #labels: JfrLabels;

  constructor(labels: JfrLabels) {
    this.#labels = labels;
    this.#rows.intern(this.#row);
  }

  get length(): number {
    return this.#rows.length;
  }

  /** The row of an event's slots. */
  intern(slots: Slots): number {
    let any = 0;
    for (let lane = 0, slot: number = EventSlot.correlation; lane < LANES; lane += 2, slot++) {
      this.#row[lane] = slots.lo[slot]!;
      this.#row[lane + 1] = slots.hi[slot]!;
      any |= slots.lo[slot]! | slots.hi[slot]!;
    }
    return any === 0 ? 0 : this.#rows.intern(this.#row);
  }

  /** The labels of a row's context, and its span and trace. What the event says itself replaces a label of that name. */
  attributes(row: number): readonly Attribute[] {
    this.#attributes[row] ??= this.#build(row);
    return this.#attributes[row];
  }

  #build(row: number): Attribute[] {
    const { items } = this.#rows;
    const at = row * LANES;
    const lane = (index: number) => items[at + index]!;
    const own = new Map<string, string>();
    if ((lane(2) | lane(3)) !== 0) own.set(SPAN_ID, hex(lane(3)) + hex(lane(2)));
    if ((lane(4) | lane(5)) !== 0) own.set(SPAN_NAME, this.#labels.string(lane(4), lane(5)));
    if ((lane(6) | lane(7) | lane(8) | lane(9)) !== 0) {
      own.set(TRACE_ID, hex(lane(7)) + hex(lane(6)) + hex(lane(9)) + hex(lane(8)));
    }
    const attributes = this.#labels.context(lane(0), lane(1)).filter(({ key }) => !own.has(key));
    for (const [key, value] of own) {
      if (value !== '') attributes.push({ key, value, unit: '' });
    }
    return attributes;
  }
}

function hex(lane: number): string {
  return lane.toString(16).padStart(8, '0');
}
