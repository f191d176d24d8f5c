// SPDX-License-Identifier: Apache-2.0
//
// From the shared dictionary of a request to the own tables of one profile: only rows that its samples reach are taken
// over, so a profile can be stored alone and holds no orphans. The row maps live for the whole request and carry the
// number of the profile they were filled for, so that starting the next profile costs nothing.

import { BigUint64Column, Uint32Column } from '../column.ts';
import type { Attribute, Link, Profile } from '../profile.ts';
import { AttributeSets } from './attribute-sets.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import type { OtlpDictionary } from './otlp-dictionary.ts';

/** From rows of the dictionary to rows of the current profile. */
class RowMap {
  /** Open to loops that are too hot for a call: `row[index]` holds where `profile[index]` is the current profile. */
  readonly row: Uint32Array;
  readonly profile: Uint32Array;

  constructor(length: number) {
    this.row = new Uint32Array(length);
    this.profile = new Uint32Array(length);
  }

  /** The profile's row, or -1 when `profile` has none yet. */
  get(index: number, profile: number): number {
    return this.profile[index] === profile ? this.row[index]! : -1;
  }

  set(index: number, profile: number, row: number): number {
    this.row[index] = row;
    this.profile[index] = profile;
    return row;
  }
}

/** The columns of the profile being made. */
class Columns {
  readonly strings: string[] = [''];
  readonly mappingStart = new BigUint64Column();
  readonly mappingLimit = new BigUint64Column();
  readonly mappingFileOffset = new BigUint64Column();
  readonly mappingFilename = new Uint32Column();
  readonly mappingBuildId = new Uint32Column();
  readonly functionName = new Uint32Column();
  readonly functionSystemName = new Uint32Column();
  readonly functionFilename = new Uint32Column();
  readonly functionStartLine = new Uint32Column();
  readonly locationMapping = new Uint32Column();
  readonly locationAddress = new BigUint64Column();
  readonly locationFrameType = new Uint32Column();
  readonly lineStart = new Uint32Column();
  readonly lineFunction = new Uint32Column();
  readonly lineNumber = new Uint32Column();
  readonly lineColumn = new Uint32Column();
  readonly stackStart = new Uint32Column();
  readonly stackLocation = new Uint32Column();
  readonly attributes: Attribute[] = [];
  readonly attributeSets = new AttributeSets();
  readonly links: Link[] = [{ traceId: '', spanId: '' }];
}

export class ProfileTables {
  /** Rows made so far for all profiles of the request. */
  rowsMade = 0;
  readonly #dictionary: OtlpDictionary;
  readonly #limits: DecodeLimits;
  readonly #report: DecodeReport;
  readonly #stringRows: RowMap;
  readonly #mappingRows: RowMap;
  readonly #functionRows: RowMap;
  readonly #locationRows: RowMap;
  readonly #stackRows: RowMap;
  readonly #attributeRows: RowMap;
  readonly #linkRows: RowMap;
  #profile = 0;
  #columns = new Columns();
  /** Attribute rows of the sample being read. */
  readonly #scratch: number[] = [];

  constructor(dictionary: OtlpDictionary, limits: DecodeLimits, report: DecodeReport) {
    this.#dictionary = dictionary;
    this.#limits = limits;
    this.#report = report;
    this.#stringRows = new RowMap(dictionary.strings.length);
    this.#mappingRows = new RowMap(dictionary.mappings.length);
    this.#functionRows = new RowMap(dictionary.functions.length);
    this.#locationRows = new RowMap(dictionary.locations.length);
    this.#stackRows = new RowMap(dictionary.stacks.length);
    this.#attributeRows = new RowMap(dictionary.attributes.length);
    this.#linkRows = new RowMap(dictionary.links.length);
  }

  /** Starts the next profile. */
  begin(): void {
    this.#profile++;
    const columns = new Columns();
    this.#columns = columns;
    columns.mappingStart.push(0n);
    columns.mappingLimit.push(0n);
    columns.mappingFileOffset.push(0n);
    columns.mappingFilename.push(0);
    columns.mappingBuildId.push(0);
    columns.functionName.push(0);
    columns.functionSystemName.push(0);
    columns.functionFilename.push(0);
    columns.functionStartLine.push(0);
    columns.lineStart.push(0);
    columns.stackStart.push(0);
  }

  /** @param index a stack of the dictionary without fault */
  stack(index: number): number {
    const known = this.#stackRows.get(index, this.#profile);
    if (known >= 0) return known;
    const { locationStart, location } = this.#dictionary.stacks;
    const { stackStart, stackLocation } = this.#columns;
    const end = locationStart[index + 1]!;
    let start = locationStart[index]!;
    if (end - start > this.#limits.maxStackDepth) {
      start = end - this.#limits.maxStackDepth;
      this.#report.repair('stack_truncated');
    }
    stackLocation.reserve(end - start);
    const { data } = stackLocation;
    const { row, profile } = this.#locationRows;
    const current = this.#profile;
    let count = stackLocation.length;
    for (let item = start; item < end; item++) {
      const locationIndex = location.data[item]!;
      data[count++] =
        profile[locationIndex] === current ? row[locationIndex]! : this.#location(locationIndex);
    }
    stackLocation.length = count;
    stackStart.push(count);
    this.rowsMade += 1 + end - start;
    return this.#stackRows.set(index, this.#profile, stackStart.length - 2);
  }

  /** @param indexes attributes of the dictionary without fault, in any order @returns a row of attributeSets */
  attributeSet(indexes: Uint32Column): number {
    const { length } = indexes;
    if (length === 0) return 0;
    const rows = this.#scratch;
    rows.length = 0;
    for (let i = 0; i < length; i++) {
      const row = this.#attribute(indexes.data[i]!);
      if (row >= 0) rows.push(row);
    }
    return this.#columns.attributeSets.row(rows);
  }

  /** @param index a link of the dictionary */
  link(index: number): number {
    const known = this.#linkRows.get(index, this.#profile);
    if (known >= 0) return known;
    const link = this.#dictionary.links[index]!;
    const isNone = link.traceId === '' && link.spanId === '';
    return this.#linkRows.set(index, this.#profile, isNone ? 0 : this.#columns.links.push(link) - 1);
  }

  /** The tables of the profile begun last. */
  finish(): Omit<
    Profile,
    | 'id'
    | 'timeUnixNanos'
    | 'durationNanos'
    | 'sampleTypes'
    | 'periodType'
    | 'period'
    | 'profileAttributes'
    | 'comments'
    | 'samples'
  > {
    const columns = this.#columns;
    return {
      strings: columns.strings,
      mappings: {
        length: columns.mappingStart.length,
        start: columns.mappingStart.finish(),
        limit: columns.mappingLimit.finish(),
        fileOffset: columns.mappingFileOffset.finish(),
        filename: columns.mappingFilename.finish(),
        buildId: columns.mappingBuildId.finish(),
      },
      functions: {
        length: columns.functionName.length,
        name: columns.functionName.finish(),
        systemName: columns.functionSystemName.finish(),
        filename: columns.functionFilename.finish(),
        startLine: columns.functionStartLine.finish(),
      },
      locations: {
        length: columns.locationMapping.length,
        mapping: columns.locationMapping.finish(),
        address: columns.locationAddress.finish(),
        lineStart: columns.lineStart.finish(),
        lineFunction: columns.lineFunction.finish(),
        lineNumber: columns.lineNumber.finish(),
        lineColumn: columns.lineColumn.finish(),
        frameType: columns.locationFrameType.finish(),
      },
      stacks: {
        length: columns.stackStart.length - 1,
        locationStart: columns.stackStart.finish(),
        location: columns.stackLocation.finish(),
      },
      attributes: columns.attributes,
      attributeSets: columns.attributeSets.finish(),
      links: columns.links,
    };
  }

  #string(index: number): number {
    if (index === 0) return 0;
    const known = this.#stringRows.get(index, this.#profile);
    if (known >= 0) return known;
    const { maxSymbolLength } = this.#limits;
    let text = this.#dictionary.strings[index]!;
    if (text.length > maxSymbolLength) {
      text = text.slice(-maxSymbolLength).toWellFormed();
      this.#report.repair('symbol_truncated');
    }
    this.rowsMade++;
    const row = text === '' ? 0 : this.#columns.strings.push(text) - 1;
    return this.#stringRows.set(index, this.#profile, row);
  }

  /** A row that is all zero, wherever it stands in the dictionary, is row 0 here. */
  #mapping(index: number): number {
    const known = this.#mappingRows.get(index, this.#profile);
    if (known >= 0) return known;
    const { mappings } = this.#dictionary;
    const columns = this.#columns;
    const start = mappings.start[index]!;
    const limit = mappings.limit[index]!;
    const fileOffset = mappings.fileOffset[index]!;
    const filename = this.#string(mappings.filename[index]!);
    const buildId = this.#string(mappings.buildId[index]!);
    if ((start | limit | fileOffset) === 0n && (filename | buildId) === 0) {
      return this.#mappingRows.set(index, this.#profile, 0);
    }
    columns.mappingStart.push(start);
    columns.mappingLimit.push(limit);
    columns.mappingFileOffset.push(fileOffset);
    columns.mappingFilename.push(filename);
    columns.mappingBuildId.push(buildId);
    this.rowsMade++;
    return this.#mappingRows.set(index, this.#profile, columns.mappingStart.length - 1);
  }

  #function(index: number): number {
    const known = this.#functionRows.get(index, this.#profile);
    if (known >= 0) return known;
    const { functions } = this.#dictionary;
    const columns = this.#columns;
    const name = this.#string(functions.name[index]!);
    const systemName = this.#string(functions.systemName[index]!);
    const filename = this.#string(functions.filename[index]!);
    const startLine = functions.startLine[index]!;
    if ((name | systemName | filename | startLine) === 0)
      return this.#functionRows.set(index, this.#profile, 0);
    columns.functionName.push(name);
    columns.functionSystemName.push(systemName);
    columns.functionFilename.push(filename);
    columns.functionStartLine.push(startLine);
    this.rowsMade++;
    return this.#functionRows.set(index, this.#profile, columns.functionName.length - 1);
  }

  #location(index: number): number {
    const known = this.#locationRows.get(index, this.#profile);
    if (known >= 0) return known;
    const { locations } = this.#dictionary;
    const columns = this.#columns;
    const mapping = this.#mapping(locations.mapping[index]!);
    const frameType = this.#string(locations.frameType[index]!);
    columns.locationMapping.push(mapping);
    columns.locationAddress.push(locations.address[index]!);
    columns.locationFrameType.push(frameType);
    const end = locations.lineStart[index + 1]!;
    for (let line = locations.lineStart[index]!; line < end; line++) {
      columns.lineFunction.push(this.#function(locations.lineFunction.data[line]!));
      columns.lineNumber.push(locations.lineNumber.data[line]!);
      columns.lineColumn.push(locations.lineColumn.data[line]!);
      this.rowsMade++;
    }
    columns.lineStart.push(columns.lineFunction.length);
    this.rowsMade++;
    return this.#locationRows.set(index, this.#profile, columns.locationMapping.length - 1);
  }

  /** The profile's row, or -1 for an attribute that the dictionary leaves out. */
  #attribute(index: number): number {
    const known = this.#attributeRows.get(index, this.#profile);
    if (known >= 0) return known;
    const attribute = this.#dictionary.attributes[index];
    if (attribute === null || attribute === undefined) return -1;
    this.rowsMade++;
    return this.#attributeRows.set(index, this.#profile, this.#columns.attributes.push(attribute) - 1);
  }
}
