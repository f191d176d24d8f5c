// SPDX-License-Identifier: Apache-2.0
//
// Turns sums per stack back into a profile: the symbols that these stacks use, and nothing else of the tenant's tables.

import type { Profile } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import { UNLINKED_START } from '../mapping-origin.ts';
import {
  FunctionField,
  LineField,
  LocationField,
  MappingField,
  MappingPlace,
  NodeField,
  type SymbolTable,
} from './symbol-table.ts';
import { UsedRows } from './used-rows.ts';

/** Stacks handled in one step. */
const STACKS_PER_STEP = 4096;
/** Locations handled in one step. */
const LOCATIONS_PER_STEP = 4096;
/** Functions handled in one step. */
const FUNCTIONS_PER_STEP = 8192;
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

/** @param node of each stack @param value of each stack */
export function* mergedProfile(
  symbols: SymbolTable,
  node: Uint32Array,
  value: BigInt64Array,
): Steps<Profile> {
  const strings = new UsedRows(symbols.strings.length);
  const mappings = new UsedRows(symbols.mappings.length);
  const functions = new UsedRows(symbols.functions.length);
  // Locations have no "none", so their rows start at 0.
  const locations = new UsedRows(symbols.locations.length, 0);
  const stacks = yield* stackTable(symbols, node, locations);
  const locationTable = yield* locationsOf(symbols, locations, mappings, functions, strings);
  const functionTable = yield* functionsOf(symbols, functions, strings);
  yield;
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

function* stackTable(symbols: SymbolTable, node: Uint32Array, locations: UsedRows): Steps<Profile['stacks']> {
  const nodes = symbols.nodes.rows;
  const locationStart = new Uint32Array(node.length + 1);
  let count = 0;
  for (let stack = 0; stack < node.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    for (let at = node[stack]!; at !== 0; at = nodes[at * 2 + NodeField.parent]!) count++;
    locationStart[stack + 1] = count;
  }
  const location = new Uint32Array(count);
  let next = 0;
  for (let stack = 0; stack < node.length; stack++) {
    if (stack % STACKS_PER_STEP === 0) yield;
    for (let at = node[stack]!; at !== 0; at = nodes[at * 2 + NodeField.parent]!) {
      location[next++] = locations.renumber(nodes[at * 2 + NodeField.location]!);
    }
  }
  return { length: node.length, locationStart, location };
}

function* locationsOf(
  symbols: SymbolTable,
  locations: UsedRows,
  mappings: UsedRows,
  functions: UsedRows,
  strings: UsedRows,
): Steps<Profile['locations']> {
  const { length } = locations;
  const mapping = new Uint32Array(length);
  const address = new BigUint64Array(length);
  const frameType = new Uint32Array(length);
  const lineStart = new Uint32Array(length + 1);
  const lineFunction: number[] = [];
  const lineNumber: number[] = [];
  const lineColumn: number[] = [];
  for (let i = 0; i < length; i++) {
    if (i % LOCATIONS_PER_STEP === 0) yield;
    const row = locations.used[i]!;
    const field = (index: number) => symbols.locations.get(row, index);
    const mappingRow = field(LocationField.mapping);
    mapping[i] = mappings.renumber(mappingRow);
    const offset =
      (BigInt(field(LocationField.addressHigh)) << 32n) | BigInt(field(LocationField.addressLow));
    address[i] = (startOf(symbols, mappingRow) ?? 0n) + offset;
    frameType[i] = strings.renumber(field(LocationField.frameType));
    for (let line = field(LocationField.line); line !== 0; line = symbols.lines.get(line, LineField.caller)) {
      lineFunction.push(functions.renumber(symbols.lines.get(line, LineField.function)));
      lineNumber.push(symbols.lines.get(line, LineField.line));
      lineColumn.push(symbols.lines.get(line, LineField.column));
    }
    lineStart[i + 1] = lineFunction.length;
  }
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

function* functionsOf(
  symbols: SymbolTable,
  functions: UsedRows,
  strings: UsedRows,
): Steps<Profile['functions']> {
  const { length } = functions;
  const name = new Uint32Array(length);
  const systemName = new Uint32Array(length);
  const filename = new Uint32Array(length);
  const startLine = new Uint32Array(length);
  for (let i = 1; i < length; i++) {
    if (i % FUNCTIONS_PER_STEP === 0) yield;
    const row = functions.used[i - 1]!;
    name[i] = strings.renumber(symbols.functions.get(row, FunctionField.name));
    systemName[i] = strings.renumber(symbols.functions.get(row, FunctionField.systemName));
    filename[i] = strings.renumber(symbols.functions.get(row, FunctionField.filename));
    startLine[i] = symbols.functions.get(row, FunctionField.startLine);
  }
  return { length, name, systemName, filename, startLine };
}

/** Where offset 0 of a mapping's file is placed: where the file is linked to if that is known, else at a place that is no
 * file's; undefined when the addresses of its locations are not relative to the file. */
function startOf(symbols: SymbolTable, mappingRow: number): bigint | undefined {
  const place = symbols.mappings.get(mappingRow, MappingField.place);
  if (place === MappingPlace.asSent) return undefined;
  return place === MappingPlace.fileOffset ? UNLINKED_START : BigInt(place - MappingPlace.linkedAt);
}

/** A mapping covers everything from its start on: its size in a process was not kept. */
function mappingsOf(symbols: SymbolTable, mappings: UsedRows, strings: UsedRows): Profile['mappings'] {
  const column = (field: number) =>
    Uint32Array.from([0, ...mappings.used.map((row) => strings.renumber(symbols.mappings.get(row, field)))]);
  const starts = [undefined, ...mappings.used.map((row) => startOf(symbols, row))];
  return {
    length: mappings.length,
    start: BigUint64Array.from(starts, (start) => start ?? 0n),
    limit: BigUint64Array.from(starts, (start) => (start === undefined ? 0n : MAX_UINT64)),
    fileOffset: new BigUint64Array(mappings.length),
    filename: column(MappingField.filename),
    buildId: column(MappingField.buildId),
  };
}
