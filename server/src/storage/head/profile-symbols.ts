// SPDX-License-Identifier: Apache-2.0
//
// Translates one profile's indexes into rows of a tenant's tables, each index once and only those that are used.

import type { Profile } from '@hearthscope/profile/profile';
import { linkedOrigin, MAX_PLACED_OFFSET } from '../mapping-origin.ts';
import type { StackTable } from './stack-table.ts';
import { MappingPlace, type SymbolTable } from './symbol-table.ts';

const NOT_TRANSLATED = 0xffff_ffff;

/** Remembers what each index was translated to. */
export class Translation {
  readonly #rows: Uint32Array;
  readonly #translate: (index: number) => number;

  constructor(length: number, translate: (index: number) => number) {
    this.#rows = new Uint32Array(length).fill(NOT_TRANSLATED);
    this.#translate = translate;
  }

  row(index: number): number {
    const known = this.#rows[index]!;
    if (known !== NOT_TRANSLATED) return known;
    const row = this.#translate(index);
    this.#rows[index] = row;
    return row;
  }

  /** The rows of a column of indexes. */
  column(indexes: Uint32Array): Uint32Array {
    const rows = new Uint32Array(indexes.length);
    for (let i = 0; i < rows.length; i++) rows[i] = this.row(indexes[i]!);
    return rows;
  }
}

/** The stacks of a profile as rows of a tenant's stack table.
 * @throws HearthscopeError unavailable when the memory budget is used up */
export function stackRows(profile: Profile, symbols: SymbolTable, stacks: StackTable): Uint32Array {
  const { length, location, locationStart } = profile.stacks;
  const locations = locationTranslation(profile, symbols).column(location);
  const rows = new Uint32Array(length);
  for (let stack = 0; stack < length; stack++) {
    rows[stack] = stacks.intern(locations, locationStart[stack]!, locationStart[stack + 1]!);
  }
  return rows;
}

/** The locations of a profile as rows of a tenant's symbol table. */
export function locationTranslation(profile: Profile, symbols: SymbolTable): Translation {
  const { locations, functions, mappings } = profile;
  const strings = new Translation(profile.strings.length, (index) =>
    symbols.strings.intern(profile.strings[index]!),
  );
  const functionRows = new Translation(functions.length, (index) =>
    index === 0
      ? 0
      : symbols.internFunction(
          strings.row(functions.name[index]!),
          strings.row(functions.systemName[index]!),
          strings.row(functions.filename[index]!),
          functions.startLine[index]!,
        ),
  );
  const mappingRowsOf = (placeOf: (mapping: number) => number) =>
    new Translation(mappings.length, (index) =>
      index === 0
        ? 0
        : symbols.mappings.intern(
            strings.row(mappings.filename[index]!),
            strings.row(mappings.buildId[index]!),
            placeOf(index),
          ),
    );
  const mappingRows = mappingRowsOf(() => MappingPlace.asSent);
  const fileMappingRows = mappingRowsOf((mapping) => {
    const origin = linkedOrigin(mappings.start[mapping]!, mappings.fileOffset[mapping]!);
    return origin === undefined ? MappingPlace.fileOffset : MappingPlace.linkedAt + Number(origin);
  });
  return new Translation(locations.length, (location) => {
    const from = locations.lineStart[location]!;
    const to = locations.lineStart[location + 1]!;
    let line = 0;
    for (let i = to - 1; i >= from; i--) {
      const functionRow = functionRows.row(locations.lineFunction[i]!);
      line = symbols.lines.intern(line, functionRow, locations.lineNumber[i]!, locations.lineColumn[i]!);
    }
    const { address, isPlaced } =
      to > from ? { address: 0n, isPlaced: false } : fileAddress(profile, location);
    return symbols.internLocation(
      (isPlaced ? fileMappingRows : mappingRows).row(locations.mapping[location]!),
      address,
      strings.row(locations.frameType[location]!),
      line,
    );
  });
}

/** The address within the mapped file; the address itself when the file is not known, or it lies outside its mapping. */
function fileAddress(
  { locations, mappings }: Profile,
  location: number,
): { address: bigint; isPlaced: boolean } {
  const address = locations.address[location]!;
  const mapping = locations.mapping[location]!;
  const start = mappings.start[mapping]!;
  if (mappings.filename[mapping] === 0 || address < start || address >= mappings.limit[mapping]!)
    return { address, isPlaced: false };
  const offset = BigInt.asUintN(64, address - start + mappings.fileOffset[mapping]!);
  return { address: offset, isPlaced: offset < MAX_PLACED_OFFSET };
}
