// SPDX-License-Identifier: Apache-2.0
//
// The symbols of one service in one block: docs/formats/blocks.md, "symbols.bin". Stacks are written as a tree in which a
// parent comes before its children; a stack is its id and its node. They are read whole and never searched on disk, which
// is why they are no Parquet.

import { FormatError } from '@hearthscope/profile/errors';
import type { Steps } from '@hearthscope/profile/steps';
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import type { StackTable } from '../head/stack-table.ts';
import {
  FunctionField,
  LineField,
  LocationField,
  MappingField,
  NodeField,
  type SymbolTable,
} from '../head/symbol-table.ts';
import { UsedRows } from '../head/used-rows.ts';

const FORMAT = 'block symbols';
const SECTION_VERSION = 1;
/** Rows of all tables of one section; beyond it the section is not believed. */
const MAX_ITEMS = 1 << 28;
const ROWS_PER_STEP = 8192;

/** Tables that symbols are written from and read into: those of a head, or of the cache of blocks. */
export interface SymbolTables {
  readonly symbols: SymbolTable;
  readonly stacks: StackTable;
}

/** @param stackRows the stacks to write, rows of `tables.stacks`, each once */
export function* encodeSymbolSection(tables: SymbolTables, stackRows: Uint32Array): Steps<Uint8Array> {
  const { symbols, stacks } = tables;
  const nodeRows = yield* usedNodes(tables, stackRows);
  // Indexed by row; 0 for the empty stack.
  const nodeNumber = new Uint32Array(symbols.nodes.length);
  for (let i = 0; i < nodeRows.length; i++) nodeNumber[nodeRows[i]!] = i + 1;
  const locations = new UsedRows(symbols.locations.length);
  const mappings = new UsedRows(symbols.mappings.length);
  const functions = new UsedRows(symbols.functions.length);
  const strings = new UsedRows(symbols.strings.length);

  const nodeParent = new Uint32Array(nodeRows.length);
  const nodeLocation = new Uint32Array(nodeRows.length);
  for (let i = 0; i < nodeRows.length; i++) {
    if (i % ROWS_PER_STEP === 0) yield;
    const row = nodeRows[i]!;
    // The distance is small where the parent was met just before, and small numbers are short.
    nodeParent[i] = i + 1 - nodeNumber[symbols.nodes.get(row, NodeField.parent)]!;
    nodeLocation[i] = locations.renumber(symbols.nodes.get(row, NodeField.location));
  }
  const locationColumns = yield* columnsOfLocations(symbols, locations, mappings, functions, strings);
  const tuple = (used: UsedRows, table: { get(row: number, field: number): number }, field: number) =>
    Uint32Array.from(used.used, (row) => table.get(row, field));
  const text = (column: Uint32Array) => column.map((row) => strings.renumber(row));
  const functionColumns = [
    text(tuple(functions, symbols.functions, FunctionField.name)),
    text(tuple(functions, symbols.functions, FunctionField.systemName)),
    text(tuple(functions, symbols.functions, FunctionField.filename)),
    tuple(functions, symbols.functions, FunctionField.startLine),
  ];
  yield;
  const mappingColumns = [
    text(tuple(mappings, symbols.mappings, MappingField.filename)),
    text(tuple(mappings, symbols.mappings, MappingField.buildId)),
  ];
  const places = Float64Array.from(mappings.used, (row) => symbols.mappings.get(row, MappingField.place));
  yield;

  const writer = new ByteWriter();
  writer.uint8(SECTION_VERSION);
  writer.strings(strings.used.map((row) => symbols.strings.get(row)));
  writer.uvarint(mappings.used.length);
  for (const column of mappingColumns) writer.uint32Column(column);
  for (const place of places) writer.uvarint(place);
  writer.uvarint(functions.used.length);
  for (const column of functionColumns) writer.uint32Column(column);
  yield;
  writer.uvarint(locations.used.length);
  writer.uint32Column(locationColumns.mapping);
  writer.uint64Column(locationColumns.address);
  writer.uint32Column(locationColumns.frameType);
  writer.startColumn(locationColumns.lineStart);
  writer.uint32Column(locationColumns.lineFunction);
  writer.uint32Column(locationColumns.lineNumber);
  writer.uint32Column(locationColumns.lineColumn);
  yield;
  writer.uvarint(nodeRows.length);
  writer.uint32Column(nodeParent);
  writer.uint32Column(nodeLocation);
  yield;
  writer.uvarint(stackRows.length);
  writer.uint64Column(BigUint64Array.from(stackRows, (row) => stacks.id(row)));
  const stackNodes = stacks.node;
  writer.uint32Column(stackRows.map((row) => nodeNumber[stackNodes[row]!]!));
  return writer.finish();
}

/** Adds the symbols to tables that may hold some of them already.
 * @returns the rows of the section's stacks in `tables.stacks`
 * @throws FormatError; HearthscopeError unavailable when the tables' budget is used up. Rows that were added stay. */
export function* decodeSymbolSection(bytes: Uint8Array, tables: SymbolTables): Steps<Uint32Array> {
  const { symbols, stacks } = tables;
  const reader = new ByteReader(bytes, FORMAT, MAX_ITEMS);
  const version = reader.uint8('version');
  if (version !== SECTION_VERSION) {
    throw new FormatError(FORMAT, 0, `version ${version} is not ${SECTION_VERSION}, the one that is known`);
  }
  const stringRow = [0, ...reader.strings('string').map((value) => symbols.strings.intern(value))];
  yield;
  const mappingRow = readMappings(reader, symbols, stringRow);
  const functionRow = readFunctions(reader, symbols, stringRow);
  yield;
  const locationRow = yield* readLocations(reader, symbols, mappingRow, functionRow, stringRow);
  const nodeRow = yield* readNodes(reader, symbols, locationRow);
  const length = reader.count('stack');
  const id = reader.uint64Column(length, 'stack id');
  const node = reader.indexColumn(length, nodeRow.length, 'stack node');
  reader.end();
  const words = new Uint32Array(id.buffer);
  const rows = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    if (i % ROWS_PER_STEP === 0) yield;
    rows[i] = stacks.adopt(nodeRow[node[i]!]!, words[i * 2]!, words[i * 2 + 1]!);
  }
  return rows;
}

/** Ascending, which puts parents before their children. */
function* usedNodes({ symbols, stacks }: SymbolTables, stackRows: Uint32Array): Steps<Uint32Array> {
  const isUsed = new Uint8Array(symbols.nodes.length);
  const nodes = symbols.nodes.rows;
  const nodeOf = stacks.node;
  let count = 0;
  for (let i = 0; i < stackRows.length; i++) {
    if (i % ROWS_PER_STEP === 0) yield;
    for (let node = nodeOf[stackRows[i]!]!; node !== 0 && isUsed[node] === 0; node = nodes[node * 2]!) {
      isUsed[node] = 1;
      count++;
    }
  }
  const used = new Uint32Array(count);
  for (let node = 1, at = 0; at < count; node++) if (isUsed[node] === 1) used[at++] = node;
  return used;
}

interface LocationColumns {
  readonly mapping: Uint32Array;
  readonly address: BigUint64Array;
  readonly frameType: Uint32Array;
  readonly lineStart: Uint32Array;
  readonly lineFunction: Uint32Array;
  readonly lineNumber: Uint32Array;
  readonly lineColumn: Uint32Array;
}

function* columnsOfLocations(
  { locations, lines }: SymbolTable,
  used: UsedRows,
  mappings: UsedRows,
  functions: UsedRows,
  strings: UsedRows,
): Steps<LocationColumns> {
  const count = used.used.length;
  const mapping = new Uint32Array(count);
  const addressWords = new Uint32Array(count * 2);
  const frameType = new Uint32Array(count);
  const lineStart = new Uint32Array(count + 1);
  const lineFunction: number[] = [];
  const lineNumber: number[] = [];
  const lineColumn: number[] = [];
  for (let i = 0; i < count; i++) {
    if (i % ROWS_PER_STEP === 0) yield;
    const row = used.used[i]!;
    mapping[i] = mappings.renumber(locations.get(row, LocationField.mapping));
    addressWords[i * 2] = locations.get(row, LocationField.addressLow);
    addressWords[i * 2 + 1] = locations.get(row, LocationField.addressHigh);
    frameType[i] = strings.renumber(locations.get(row, LocationField.frameType));
    for (
      let line = locations.get(row, LocationField.line);
      line !== 0;
      line = lines.get(line, LineField.caller)
    ) {
      lineFunction.push(functions.renumber(lines.get(line, LineField.function)));
      lineNumber.push(lines.get(line, LineField.line));
      lineColumn.push(lines.get(line, LineField.column));
    }
    lineStart[i + 1] = lineFunction.length;
  }
  return {
    mapping,
    address: new BigUint64Array(addressWords.buffer),
    frameType,
    lineStart,
    lineFunction: Uint32Array.from(lineFunction),
    lineNumber: Uint32Array.from(lineNumber),
    lineColumn: Uint32Array.from(lineColumn),
  };
}

function readMappings(reader: ByteReader, symbols: SymbolTable, stringRow: readonly number[]): number[] {
  const length = reader.count('mapping');
  const filename = reader.indexColumn(length, stringRow.length, 'mapping file name');
  const buildId = reader.indexColumn(length, stringRow.length, 'mapping build id');
  const rows = [0];
  for (let i = 0; i < length; i++) {
    const place = reader.uvarint('mapping place');
    rows.push(symbols.mappings.intern(stringRow[filename[i]!]!, stringRow[buildId[i]!]!, place));
  }
  return rows;
}

function readFunctions(reader: ByteReader, symbols: SymbolTable, stringRow: readonly number[]): number[] {
  const length = reader.count('function');
  const name = reader.indexColumn(length, stringRow.length, 'function name');
  const systemName = reader.indexColumn(length, stringRow.length, 'function system name');
  const filename = reader.indexColumn(length, stringRow.length, 'function file name');
  const startLine = reader.uint32Column(length, 'function start line');
  const rows = [0];
  for (let i = 0; i < length; i++) {
    rows.push(
      symbols.internFunction(
        stringRow[name[i]!]!,
        stringRow[systemName[i]!]!,
        stringRow[filename[i]!]!,
        startLine[i]!,
      ),
    );
  }
  return rows;
}

function* readLocations(
  reader: ByteReader,
  symbols: SymbolTable,
  mappingRow: readonly number[],
  functionRow: readonly number[],
  stringRow: readonly number[],
): Steps<Uint32Array> {
  const length = reader.count('location');
  const mapping = reader.indexColumn(length, mappingRow.length, 'location mapping');
  const address = reader.uint64Column(length, 'location address');
  const frameType = reader.indexColumn(length, stringRow.length, 'location frame type');
  const lineStart = reader.startColumn(length, 'location lines');
  const lines = lineStart[length]!;
  const lineFunction = reader.indexColumn(lines, functionRow.length, 'line function');
  const lineNumber = reader.uint32Column(lines, 'line number');
  const lineColumn = reader.uint32Column(lines, 'line column');
  const rows = new Uint32Array(length + 1);
  for (let i = 0; i < length; i++) {
    if (i % ROWS_PER_STEP === 0) yield;
    let chain = 0;
    for (let line = lineStart[i + 1]! - 1; line >= lineStart[i]!; line--) {
      chain = symbols.lines.intern(
        chain,
        functionRow[lineFunction[line]!]!,
        lineNumber[line]!,
        lineColumn[line]!,
      );
    }
    rows[i + 1] = symbols.internLocation(
      mappingRow[mapping[i]!]!,
      address[i]!,
      stringRow[frameType[i]!]!,
      chain,
    );
  }
  return rows;
}

function* readNodes(reader: ByteReader, symbols: SymbolTable, locationRow: Uint32Array): Steps<Uint32Array> {
  const length = reader.count('node');
  const parentDistance = reader.uint32Column(length, 'node parent');
  const location = reader.indexColumn(length, locationRow.length, 'node location');
  const rows = new Uint32Array(length + 1);
  for (let i = 0; i < length; i++) {
    if (i % ROWS_PER_STEP === 0) yield;
    const parent = i + 1 - parentDistance[i]!;
    if (parent < 0 || parent > i) throw reader.error(`node ${i + 1} has the parent ${parent}`);
    if (location[i] === 0) throw reader.error(`node ${i + 1} has no location`);
    rows[i + 1] = symbols.nodes.intern(rows[parent]!, locationRow[location[i]!]!);
  }
  return rows;
}
