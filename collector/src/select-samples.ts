// SPDX-License-Identifier: Apache-2.0
//
// A profile of some of another's samples, with only the table rows they need. A stored profile is self-contained, so
// without this a request that splits into a thousand series would store its dictionary a thousand times.

import type {
  AttributeSetTable,
  FunctionTable,
  LocationTable,
  MappingTable,
  Profile,
  SampleTable,
  StackTable,
} from '@hearthscope/profile/profile';

const UNUSED = 0xffff_ffff;

/** Gives the rows of one table new numbers, in order of first use. */
class RowSelection {
  readonly #newRow: Uint32Array;
  readonly #keepNone: boolean;
  /** Old row of each new row. */
  readonly rows: number[] = [];

  /** @param keepNone whether row 0 means "none" and must stay row 0 */
  constructor(length: number, keepNone: boolean) {
    this.#newRow = new Uint32Array(length).fill(UNUSED);
    this.#keepNone = keepNone;
  }

  /** Forgets the last selection, at the cost of its size and not of the table's. */
  restart(): void {
    for (const row of this.rows) this.#newRow[row] = UNUSED;
    this.rows.length = 0;
    if (this.#keepNone) this.use(0);
  }

  use(row: number): number {
    let newRow = this.#newRow[row]!;
    if (newRow === UNUSED) {
      newRow = this.rows.length;
      this.#newRow[row] = newRow;
      this.rows.push(row);
    }
    return newRow;
  }

  /** The new numbers of a column's selected rows. */
  column(values: Uint32Array, rows: readonly number[]): Uint32Array {
    const column = new Uint32Array(rows.length);
    for (let i = 0; i < rows.length; i++) column[i] = this.use(values[rows[i]!]!);
    return column;
  }
}

/** The flat items of the chosen rows of a list table, and where each row's items start. */
function selectLists(start: Uint32Array, rows: readonly number[]): { start: Uint32Array; items: number[] } {
  const newStart = new Uint32Array(rows.length + 1);
  const items: number[] = [];
  rows.forEach((row, newRow) => {
    for (let item = start[row]!; item < start[row + 1]!; item++) items.push(item);
    newStart[newRow + 1] = items.length;
  });
  return { start: newStart, items };
}

function pick32(values: Uint32Array, rows: readonly number[]): Uint32Array {
  const picked = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) picked[i] = values[rows[i]!]!;
  return picked;
}

function pick64<Values extends BigUint64Array | BigInt64Array>(
  values: Values,
  rows: readonly number[],
  picked: Values,
): Values {
  for (let i = 0; i < rows.length; i++) picked[i] = values[rows[i]!]!;
  return picked;
}

function pickUint64(values: BigUint64Array, rows: readonly number[]): BigUint64Array {
  return pick64(values, rows, new BigUint64Array(rows.length));
}

/** Selects from one profile as often as wanted. */
export class SampleSelector {
  readonly #profile: Profile;
  readonly #stacks: RowSelection;
  readonly #attributeSets: RowSelection;
  readonly #links: RowSelection;
  readonly #locations: RowSelection;
  readonly #attributes: RowSelection;
  readonly #mappings: RowSelection;
  readonly #functions: RowSelection;
  readonly #strings: RowSelection;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#stacks = new RowSelection(profile.stacks.length, false);
    this.#attributeSets = new RowSelection(profile.attributeSets.length, true);
    this.#links = new RowSelection(profile.links.length, true);
    this.#locations = new RowSelection(profile.locations.length, false);
    this.#attributes = new RowSelection(profile.attributes.length, false);
    this.#mappings = new RowSelection(profile.mappings.length, true);
    this.#functions = new RowSelection(profile.functions.length, true);
    this.#strings = new RowSelection(profile.strings.length, true);
  }

  /** @param rows rows of the sample table; their order is kept
   * @returns a profile that shares no typed array with the source, all other fields being the same */
  select(rows: readonly number[]): Profile {
    const selections = [
      this.#stacks,
      this.#attributeSets,
      this.#links,
      this.#locations,
      this.#attributes,
      this.#mappings,
      this.#functions,
      this.#strings,
    ];
    for (const selection of selections) selection.restart();
    const source = this.#profile;
    // Each table is selected after all tables that refer to it.
    const samples = selectSampleTable(source.samples, rows, this.#stacks, this.#attributeSets, this.#links);
    const stacks = selectStacks(source.stacks, this.#stacks.rows, this.#locations);
    const attributeSets = selectAttributeSets(
      source.attributeSets,
      this.#attributeSets.rows,
      this.#attributes,
    );
    const locations = selectLocations(
      source.locations,
      this.#locations.rows,
      this.#mappings,
      this.#functions,
      this.#strings,
    );
    const mappings = selectMappings(source.mappings, this.#mappings.rows, this.#strings);
    const functions = selectFunctions(source.functions, this.#functions.rows, this.#strings);
    return {
      ...source,
      samples,
      stacks,
      attributeSets,
      locations,
      mappings,
      functions,
      attributes: this.#attributes.rows.map((row) => source.attributes[row]!),
      links: this.#links.rows.map((row) => source.links[row]!),
      strings: this.#strings.rows.map((row) => source.strings[row]!),
    };
  }
}

function selectSampleTable(
  samples: SampleTable,
  rows: readonly number[],
  stacks: RowSelection,
  attributeSets: RowSelection,
  links: RowSelection,
): SampleTable {
  const timestamps = selectLists(samples.timestampStart, rows);
  return {
    length: rows.length,
    stack: stacks.column(samples.stack, rows),
    values: samples.values.map((values) => pick64(values, rows, new BigInt64Array(rows.length))),
    attributeSet: attributeSets.column(samples.attributeSet, rows),
    link: links.column(samples.link, rows),
    timestampStart: timestamps.start,
    timestampUnixNanos: pickUint64(samples.timestampUnixNanos, timestamps.items),
  };
}

function selectStacks(table: StackTable, rows: readonly number[], locations: RowSelection): StackTable {
  const { start, items } = selectLists(table.locationStart, rows);
  return {
    length: rows.length,
    locationStart: start,
    location: locations.column(table.location, items),
  };
}

function selectAttributeSets(
  table: AttributeSetTable,
  rows: readonly number[],
  attributes: RowSelection,
): AttributeSetTable {
  const { start, items } = selectLists(table.attributeStart, rows);
  return {
    length: rows.length,
    attributeStart: start,
    attribute: attributes.column(table.attribute, items),
  };
}

function selectLocations(
  table: LocationTable,
  rows: readonly number[],
  mappings: RowSelection,
  functions: RowSelection,
  strings: RowSelection,
): LocationTable {
  const { start, items } = selectLists(table.lineStart, rows);
  return {
    length: rows.length,
    mapping: mappings.column(table.mapping, rows),
    address: pickUint64(table.address, rows),
    lineStart: start,
    lineFunction: functions.column(table.lineFunction, items),
    lineNumber: pick32(table.lineNumber, items),
    lineColumn: pick32(table.lineColumn, items),
    frameType: strings.column(table.frameType, rows),
  };
}

function selectMappings(table: MappingTable, rows: readonly number[], strings: RowSelection): MappingTable {
  return {
    length: rows.length,
    start: pickUint64(table.start, rows),
    limit: pickUint64(table.limit, rows),
    fileOffset: pickUint64(table.fileOffset, rows),
    filename: strings.column(table.filename, rows),
    buildId: strings.column(table.buildId, rows),
  };
}

function selectFunctions(
  table: FunctionTable,
  rows: readonly number[],
  strings: RowSelection,
): FunctionTable {
  return {
    length: rows.length,
    name: strings.column(table.name, rows),
    systemName: strings.column(table.systemName, rows),
    filename: strings.column(table.filename, rows),
    startLine: pick32(table.startLine, rows),
  };
}
