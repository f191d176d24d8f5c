// SPDX-License-Identifier: Apache-2.0
//
// Turns sums per stack back into a profile: the symbols that these stacks use, and nothing else of the tenant's tables.

import type { Profile } from '@hearthscope/profile/profile';
import {
  FunctionField,
  LineField,
  LocationField,
  MappingField,
  NodeField,
  type SymbolTable,
} from './symbol-table.ts';

/** @param node of each stack @param value of each stack */
export function mergedProfile(symbols: SymbolTable, node: Uint32Array, value: BigInt64Array): Profile {
  const strings = new UsedRows(symbols.strings.length);
  const mappings = new UsedRows(symbols.mappings.length);
  const functions = new UsedRows(symbols.functions.length);
  // Locations have no "none", so their rows start at 0.
  const locations = new UsedRows(symbols.locations.length, 0);
  const stacks = stackTable(symbols, node, locations);
  const locationTable = locationsOf(symbols, locations, mappings, functions, strings);
  const functionTable = functionsOf(symbols, functions, strings);
  const mappingTable = mappingsOf(symbols, mappings, strings);
  const length = value.length;
  return {
    id: '',
    timeUnixNanos: 0n,
    durationNanos: 0n,
    sampleTypes: [{ type: '', unit: '' }],
    periodType: { type: '', unit: '' },
    period: 0n,
    profileAttributes: [],
    comments: [],
    strings: ['', ...strings.used.map((row) => symbols.strings.get(row))],
    mappings: mappingTable,
    functions: functionTable,
    locations: locationTable,
    stacks,
    attributes: [],
    attributeSets: { length: 1, attributeStart: new Uint32Array(2), attribute: new Uint32Array(0) },
    links: [{ traceId: '', spanId: '' }],
    samples: {
      length,
      stack: Uint32Array.from({ length }, (_, i) => i),
      values: [value],
      attributeSet: new Uint32Array(length),
      link: new Uint32Array(length),
      timestampStart: new Uint32Array(length + 1),
      timestampUnixNanos: new BigUint64Array(0),
    },
  };
}

/** Gives the rows of a table that are used new numbers, in the order of their first use. */
class UsedRows {
  readonly used: number[] = [];
  readonly #numberOf: Uint32Array;
  readonly #first: number;

  /** @param first the number of the first used row; below it is row 0, "none", which stays 0 */
  constructor(rows: number, first = 1) {
    this.#numberOf = new Uint32Array(rows);
    this.#first = first;
  }

  /** Rows of the new table. */
  get length(): number {
    return this.used.length + this.#first;
  }

  renumber(row: number): number {
    if (row === 0) return 0;
    let number = this.#numberOf[row]!;
    if (number === 0) {
      this.used.push(row);
      // Kept one higher than it is, so that 0 means "not seen yet" even where numbers start at 0.
      number = this.used.length;
      this.#numberOf[row] = number;
    }
    return number - 1 + this.#first;
  }
}

function stackTable(symbols: SymbolTable, node: Uint32Array, locations: UsedRows): Profile['stacks'] {
  const nodes = symbols.nodes.rows;
  const locationStart = new Uint32Array(node.length + 1);
  let count = 0;
  for (let stack = 0; stack < node.length; stack++) {
    for (let at = node[stack]!; at !== 0; at = nodes[at * 2 + NodeField.parent]!) count++;
    locationStart[stack + 1] = count;
  }
  const location = new Uint32Array(count);
  let next = 0;
  for (let stack = 0; stack < node.length; stack++) {
    for (let at = node[stack]!; at !== 0; at = nodes[at * 2 + NodeField.parent]!) {
      location[next++] = locations.renumber(nodes[at * 2 + NodeField.location]!);
    }
  }
  return { length: node.length, locationStart, location };
}

function locationsOf(
  symbols: SymbolTable,
  locations: UsedRows,
  mappings: UsedRows,
  functions: UsedRows,
  strings: UsedRows,
): Profile['locations'] {
  const { length } = locations;
  const mapping = new Uint32Array(length);
  const address = new BigUint64Array(length);
  const frameType = new Uint32Array(length);
  const lineStart = new Uint32Array(length + 1);
  const lineFunction: number[] = [];
  const lineNumber: number[] = [];
  const lineColumn: number[] = [];
  locations.used.forEach((row, i) => {
    const field = (index: number) => symbols.locations.get(row, index);
    mapping[i] = mappings.renumber(field(LocationField.mapping));
    address[i] = (BigInt(field(LocationField.addressHigh)) << 32n) | BigInt(field(LocationField.addressLow));
    frameType[i] = strings.renumber(field(LocationField.frameType));
    for (let line = field(LocationField.line); line !== 0; line = symbols.lines.get(line, LineField.caller)) {
      lineFunction.push(functions.renumber(symbols.lines.get(line, LineField.function)));
      lineNumber.push(symbols.lines.get(line, LineField.line));
      lineColumn.push(symbols.lines.get(line, LineField.column));
    }
    lineStart[i + 1] = lineFunction.length;
  });
  return {
    length,
    mapping,
    address,
    frameType,
    lineStart,
    lineFunction: Uint32Array.from(lineFunction),
    lineNumber: Uint32Array.from(lineNumber),
    lineColumn: Uint32Array.from(lineColumn),
  };
}

function functionsOf(symbols: SymbolTable, functions: UsedRows, strings: UsedRows): Profile['functions'] {
  const column = (field: number, renumber = (value: number) => strings.renumber(value)) =>
    Uint32Array.from([0, ...functions.used.map((row) => renumber(symbols.functions.get(row, field)))]);
  return {
    length: functions.length,
    name: column(FunctionField.name),
    systemName: column(FunctionField.systemName),
    filename: column(FunctionField.filename),
    startLine: column(FunctionField.startLine, (line) => line),
  };
}

/** Addresses are relative to the file already, so a mapping starts nowhere. */
function mappingsOf(symbols: SymbolTable, mappings: UsedRows, strings: UsedRows): Profile['mappings'] {
  const column = (field: number) =>
    Uint32Array.from([0, ...mappings.used.map((row) => strings.renumber(symbols.mappings.get(row, field)))]);
  const { length } = mappings;
  return {
    length,
    start: new BigUint64Array(length),
    limit: new BigUint64Array(length),
    fileOffset: new BigUint64Array(length),
    filename: column(MappingField.filename),
    buildId: column(MappingField.buildId),
  };
}
