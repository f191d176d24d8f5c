// SPDX-License-Identifier: Apache-2.0
//
// Sums the samples of a profile that are equal in content: in the functions, lines, attributes and spans they name, not in
// the rows those happen to have. Rows become equal when a profile is repaired: places that differed by an address alone are
// one once the address is gone. It works on the tables as they are, since every profile that arrives passes here.

import { attributeKey } from '@hearthscope/profile/attribute-key';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile, SampleTable } from '@hearthscope/profile/profile';
import { UintListTable } from '@hearthscope/profile/uint-list-table';
import { SampleSelector } from '../select-samples.ts';

const LINE_FIELDS = 3;

/** Only rows that a sample refers to are in the tables of the result.
 * @throws HearthscopeError internal when a sum leaves int64: callers who do not know their values check them before */
export function withDistinctSamples(profile: Profile): Profile {
  const stacks = distinctStacks(profile);
  const links = firstRows(profile.links, ({ traceId, spanId }) => `${traceId} ${spanId}`);
  const sets = distinctAttributeSets(profile);
  const { samples } = profile;
  const stack = renumbered(samples.stack, stacks?.rowOf);
  const attributeSet = renumbered(samples.attributeSet, sets);
  const link = renumbered(samples.link, links);
  const distinct = new UintListTable(samples.length * 3);
  const rowOf = new Uint32Array(samples.length);
  const triple = new Uint32Array(3);
  for (let row = 0; row < samples.length; row++) {
    triple[0] = stack[row]!;
    triple[1] = attributeSet[row]!;
    triple[2] = link[row]!;
    rowOf[row] = distinct.intern(triple);
  }
  const renamed = { ...samples, stack, attributeSet, link };
  const merged: Profile = {
    ...profile,
    stacks: stacks?.table ?? profile.stacks,
    samples: distinct.length === samples.length ? renamed : summed(renamed, rowOf, distinct.length),
  };
  return isAllUsed(merged)
    ? withUsedStrings(merged)
    : new SampleSelector(merged).select(allRows(merged.samples.length));
}

/** The profile without strings that its other tables do not name. */
function withUsedStrings(profile: Profile): Profile {
  const { functions, mappings, locations } = profile;
  const newRow = new Uint32Array(profile.strings.length);
  const strings = [''];
  const used = (column: Uint32Array) => {
    const rows = new Uint32Array(column.length);
    for (let i = 0; i < rows.length; i++) {
      const row = column[i]!;
      if (row !== 0 && newRow[row] === 0) newRow[row] = strings.push(profile.strings[row]!) - 1;
      rows[i] = newRow[row]!;
    }
    return rows;
  };
  return {
    ...profile,
    functions: {
      ...functions,
      name: used(functions.name),
      systemName: used(functions.systemName),
      filename: used(functions.filename),
    },
    mappings: { ...mappings, filename: used(mappings.filename), buildId: used(mappings.buildId) },
    locations: { ...locations, frameType: used(locations.frameType) },
    strings,
  };
}

function allRows(length: number): number[] {
  return Array.from({ length }, (_, row) => row);
}

/** Whether samples lead to every row of every table but that of strings: some of those always named the sample types. */
function isAllUsed({
  samples,
  stacks,
  locations,
  functions,
  mappings,
  attributeSets,
  attributes,
  links,
}: Profile): boolean {
  return (
    isCovered(stacks.length, samples.stack) &&
    isCovered(locations.length, stacks.location) &&
    isCovered(functions.length, locations.lineFunction, 1) &&
    isCovered(mappings.length, locations.mapping, 1) &&
    isCovered(attributeSets.length, samples.attributeSet, 1) &&
    isCovered(attributes.length, attributeSets.attribute) &&
    isCovered(links.length, samples.link, 1)
  );
}

/** Whether a column names all rows of a table from `first` on. */
function isCovered(length: number, column: Uint32Array, first = 0): boolean {
  const isNamed = new Uint8Array(length);
  let missing = length - first;
  for (let i = 0; i < column.length; i++) {
    const row = column[i]!;
    if (isNamed[row] === 1 || row < first) continue;
    isNamed[row] = 1;
    missing--;
  }
  return missing === 0;
}

/** Stacks by content: the table of them, and the row in it of each row of the profile's; undefined when that is the same. */
function distinctStacks(
  profile: Profile,
): { readonly table: Profile['stacks']; readonly rowOf: Uint32Array } | undefined {
  const { stacks } = profile;
  const locations = distinctLocations(profile);
  const distinct = new UintListTable(stacks.location.length);
  const rowOf = new Uint32Array(stacks.length);
  const location = renumbered(stacks.location, locations);
  for (let row = 0; row < stacks.length; row++) {
    rowOf[row] = distinct.intern(location, stacks.locationStart[row]!, stacks.locationStart[row + 1]!);
  }
  if (locations === undefined && distinct.length === stacks.length) return undefined;
  const table = {
    length: distinct.length,
    locationStart: distinct.finishStart(),
    location: distinct.finishItems(),
  };
  return { table, rowOf };
}

/** For each location the first row of an equal one; undefined when all are different, as for all of these. */
function distinctLocations(profile: Profile): Uint32Array | undefined {
  const { locations, functions, mappings } = profile;
  const isEachOnce = new Set(profile.strings).size === profile.strings.length;
  const strings = isEachOnce ? undefined : firstRows(profile.strings, (text) => text);
  const name = (row: number) => strings?.[row] ?? row;
  const functionRows = firstRowsOfLists(functions.length, (row, list) => {
    list.push(name(functions.name[row]!), name(functions.systemName[row]!), name(functions.filename[row]!));
    list.push(functions.startLine[row]!);
  });
  const starts = words(mappings.start);
  const limits = words(mappings.limit);
  const offsets = words(mappings.fileOffset);
  const mappingRows = firstRowsOfLists(mappings.length, (row, list) => {
    list.push(name(mappings.filename[row]!), name(mappings.buildId[row]!));
    for (const column of [starts, limits, offsets]) list.push(column[row * 2]!, column[row * 2 + 1]!);
  });
  const addresses = words(locations.address);
  return firstRowsOfLists(locations.length, (row, list) => {
    const mapping = locations.mapping[row]!;
    list.push(mappingRows?.[mapping] ?? mapping, addresses[row * 2]!, addresses[row * 2 + 1]!);
    list.push(name(locations.frameType[row]!));
    const limit = locations.lineStart[row + 1]!;
    for (let line = locations.lineStart[row]!; line < limit; line++) {
      const lineFunction = locations.lineFunction[line]!;
      list.push(functionRows?.[lineFunction] ?? lineFunction);
      list.push(locations.lineNumber[line]!, locations.lineColumn[line]!);
    }
  });
}

function distinctAttributeSets({ attributes, attributeSets }: Profile): Uint32Array | undefined {
  const attributeRows = firstRows(attributes, attributeKey);
  const { attributeStart, attribute } = attributeSets;
  return firstRowsOfLists(attributeSets.length, (row, list) => {
    for (let i = attributeStart[row]!; i < attributeStart[row + 1]!; i++) {
      list.push(attributeRows?.[attribute[i]!] ?? attribute[i]!);
    }
    if (attributeRows !== undefined) list.sort((a, b) => a - b);
  });
}

/** @param key equal for equal items */
function firstRows<Item>(items: readonly Item[], key: (item: Item) => string): Uint32Array | undefined {
  if (items.length < 2 || new Set(items.map(key)).size === items.length) return undefined;
  const first = new Map<string, number>();
  return Uint32Array.from(items, (item, row) => {
    const known = first.get(key(item)) ?? row;
    first.set(key(item), known);
    return known;
  });
}

/** @param fill puts the numbers that a row consists of into an empty list */
function firstRowsOfLists(
  length: number,
  fill: (row: number, list: number[]) => void,
): Uint32Array | undefined {
  const distinct = new UintListTable(length * LINE_FIELDS);
  const first: number[] = [];
  const rowOf = new Uint32Array(length);
  const list: number[] = [];
  for (let row = 0; row < length; row++) {
    list.length = 0;
    fill(row, list);
    const found = distinct.intern(list);
    if (found === first.length) first.push(row);
    rowOf[row] = first[found]!;
  }
  return distinct.length === length ? undefined : rowOf;
}

function renumbered(column: Uint32Array, rowOf: Uint32Array | undefined): Uint32Array {
  if (rowOf === undefined) return column;
  const rows = new Uint32Array(column.length);
  for (let i = 0; i < rows.length; i++) rows[i] = rowOf[column[i]!]!;
  return rows;
}

/** Two words a value, low word first. */
function words(values: BigUint64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** @param rowOf the row of the result that each sample is part of, numbered in the order of their first sample */
function summed(samples: SampleTable, rowOf: Uint32Array, length: number): SampleTable {
  const pick = (column: Uint32Array) => {
    const rows = new Uint32Array(length);
    // Backwards, so that the first of equal samples is what stays.
    for (let row = samples.length - 1; row >= 0; row--) rows[rowOf[row]!] = column[row]!;
    return rows;
  };
  const timestampStart = new Uint32Array(length + 1);
  for (let row = 0; row < samples.length; row++) {
    timestampStart[rowOf[row]! + 1]! += samples.timestampStart[row + 1]! - samples.timestampStart[row]!;
  }
  for (let row = 0; row < length; row++) timestampStart[row + 1]! += timestampStart[row]!;
  const next = timestampStart.slice();
  const timestampUnixNanos = new BigUint64Array(samples.timestampUnixNanos.length);
  for (let row = 0; row < samples.length; row++) {
    for (let i = samples.timestampStart[row]!; i < samples.timestampStart[row + 1]!; i++) {
      timestampUnixNanos[next[rowOf[row]!]!++] = samples.timestampUnixNanos[i]!;
    }
  }
  return {
    length,
    stack: pick(samples.stack),
    attributeSet: pick(samples.attributeSet),
    link: pick(samples.link),
    values: samples.values.map((values) => sums(values, rowOf, length)),
    timestampStart,
    timestampUnixNanos,
  };
}

function sums(values: BigInt64Array, rowOf: Uint32Array, length: number): BigInt64Array {
  const total = new BigInt64Array(length);
  for (let row = 0; row < values.length; row++) {
    const sum = total[rowOf[row]!]! + values[row]!;
    if (BigInt.asIntN(64, sum) !== sum) {
      throw new HearthscopeError('internal', `the sum ${sum} of equal samples leaves int64`);
    }
    total[rowOf[row]!] = sum;
  }
  return total;
}
