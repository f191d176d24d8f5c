// SPDX-License-Identifier: Apache-2.0
//
// The symbols of a tenant, shared by all its series: strings, mappings, functions, locations, and the locations of all
// stacks as one tree of parent pointers.
//
// A process sees a binary at addresses of its own, and a function has as many addresses as it has instructions. Neither
// tells two stacks apart here: a location that has lines has no address, and one that has none has an address relative
// to its file. So all processes that run the same code share its stacks. Where the file is linked to, if the sender knew,
// is kept with the mapping, since names are found by it.

import { type Hash128, HashInput, newHash128 } from '../murmur3.ts';
import { HashColumn } from './hash-column.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { StringTable } from './string-table.ts';
import { TupleTable } from './tuple-table.ts';

/** Fields of a row of {@link SymbolTable.locations}. */
export const LocationField = { mapping: 0, addressLow: 1, addressHigh: 2, frameType: 3, line: 4 } as const;
/** Fields of a row of {@link SymbolTable.lines}. */
export const LineField = { caller: 0, function: 1, line: 2, column: 3 } as const;
/** Fields of a row of {@link SymbolTable.functions}. */
export const FunctionField = { name: 0, systemName: 1, filename: 2, startLine: 3 } as const;
/** Fields of a row of {@link SymbolTable.mappings}. */
export const MappingField = { filename: 0, buildId: 1, place: 2 } as const;
/** The field `place`: what the addresses of the mapping's locations are. */
export const MappingPlace = {
  /** What the sender gave, or none. */
  asSent: 0,
  /** Offsets in a file of which it is not known where it is linked to. */
  fileOffset: 1,
  /** Offsets in a file; the address that its offset 0 is linked at comes on top of this number. */
  linkedAt: 2,
} as const;
/** Fields of a row of {@link SymbolTable.nodes}. */
export const NodeField = { parent: 0, location: 1 } as const;

const HASH_SEED = 0;
const LOW_32_BITS = 0xffff_ffffn;

export class SymbolTable {
  readonly strings: StringTable;
  readonly mappings: TupleTable;
  readonly functions: TupleTable;
  /** The lines of a location as a chain: a line, and the row of the line it is inlined into. */
  readonly lines: TupleTable;
  readonly locations: TupleTable;
  readonly locationHash: HashColumn;
  /** Stacks as a tree: a node is its caller's node and a location. Node 0 is the empty stack. */
  readonly nodes: TupleTable;
  readonly #functionHash: HashColumn;
  readonly #hash: Hash128 = newHash128();
  readonly #input = new HashInput();

  constructor(budget: MemoryBudget) {
    this.strings = new StringTable(budget);
    this.mappings = new TupleTable(3, budget);
    this.functions = new TupleTable(4, budget);
    this.lines = new TupleTable(4, budget);
    this.locations = new TupleTable(5, budget);
    this.locationHash = new HashColumn(budget);
    this.nodes = new TupleTable(2, budget);
    this.#functionHash = new HashColumn(budget);
  }

  /** The row of a function; all parameters are rows of `strings` but the last.
   * @throws HearthscopeError unavailable when the budget is used up */
  internFunction(name: number, systemName: number, filename: number, startLine: number): number {
    this.#functionHash.reserve(this.functions.length);
    const before = this.functions.length;
    const row = this.functions.intern(name, systemName, filename, startLine);
    if (row === before) this.#hashFunction(row);
    return row;
  }

  /** The row of a location.
   * @param mapping row of `mappings`, 0 for none
   * @param address within the mapped file, 0n when there are lines
   * @param frameType row of `strings`
   * @param line row of `lines`, the innermost one; 0 for none
   * @throws HearthscopeError unavailable when the budget is used up */
  internLocation(mapping: number, address: bigint, frameType: number, line: number): number {
    this.locationHash.reserve(this.locations.length);
    const before = this.locations.length;
    // Nearly all locations have a name and so no address.
    const isPlace = address !== 0n;
    const low = isPlace ? Number(address & LOW_32_BITS) : 0;
    const high = isPlace ? Number(address >> 32n) : 0;
    const row = this.locations.intern(mapping, low, high, frameType, line);
    if (row === before) this.#hashLocation(row);
    return row;
  }

  /** docs/formats/stack-id.md, "function". */
  #hashFunction(row: number): void {
    const input = this.#input;
    input.clear();
    input.text(this.strings.get(this.functions.get(row, FunctionField.name)));
    input.text(this.strings.get(this.functions.get(row, FunctionField.systemName)));
    input.text(this.strings.get(this.functions.get(row, FunctionField.filename)));
    input.uint32(this.functions.get(row, FunctionField.startLine));
    input.digest(HASH_SEED, this.#hash);
    this.#functionHash.set(row, this.#hash[0]!, this.#hash[1]!);
  }

  /** docs/formats/stack-id.md, "location". */
  #hashLocation(row: number): void {
    const { locations, lines, mappings } = this;
    const input = this.#input;
    input.clear();
    // Row 0 of the mappings is all zero, and so names string 0, which is empty.
    const mapping = locations.get(row, LocationField.mapping);
    input.text(this.strings.get(mappings.get(mapping, MappingField.filename)));
    input.text(this.strings.get(mappings.get(mapping, MappingField.buildId)));
    input.text(this.strings.get(locations.get(row, LocationField.frameType)));
    input.uint32(locations.get(row, LocationField.addressLow));
    input.uint32(locations.get(row, LocationField.addressHigh));
    for (
      let line = locations.get(row, LocationField.line);
      line !== 0;
      line = lines.get(line, LineField.caller)
    ) {
      const functionRow = lines.get(line, LineField.function);
      input.uint32(this.#functionHash.words[functionRow * 2]!);
      input.uint32(this.#functionHash.words[functionRow * 2 + 1]!);
      input.uint32(lines.get(line, LineField.line));
      input.uint32(lines.get(line, LineField.column));
    }
    input.digest(HASH_SEED, this.#hash);
    this.locationHash.set(row, this.#hash[0]!, this.#hash[1]!);
  }
}
