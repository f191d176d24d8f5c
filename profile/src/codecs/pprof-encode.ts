// SPDX-License-Identifier: Apache-2.0
//
// Writes a columnar Profile as pprof, uncompressed, with the pprof-format package. That encoder gives an empty
// sub-message the length 0 but two bytes, and cuts off the end of the file for it; so nothing empty may reach it, which
// `isEmpty…` in this file sees to.
//
// pprof has no place for frame types, timestamps, ids and profile attributes besides its own four; they are left out.
// Links become the string labels `trace_id` and `span_id`. A string attribute without text and a line without function
// say nothing in pprof and are left out too.

import { type LabelInput, type LineInput, Profile as PprofProfile, StringTable } from 'pprof-format';
import { HearthscopeError } from '../errors.ts';
import type { Attribute, Profile } from '../profile.ts';
import type { ValueType } from '../profile-type.ts';
import { PprofAttribute } from './pprof-attributes.ts';

export interface PprofEncodeOptions {
  /** The type of the sample type that viewers show first. Default: what a pprof that was decoded said, or nothing. */
  readonly defaultSampleType?: string;
}

/** @returns uncompressed bytes
 * @throws HearthscopeError invalid_argument when a sample type has neither type nor unit */
export function encodePprof(profile: Profile, options: PprofEncodeOptions = {}): Uint8Array {
  return new PprofEncoder(profile).encode(options);
}

class PprofEncoder {
  readonly #profile: Profile;
  readonly #strings = new StringTable();

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  encode({
    defaultSampleType = this.#attribute(PprofAttribute.defaultSampleType),
  }: PprofEncodeOptions): Uint8Array {
    const { sampleTypes, periodType, period, timeUnixNanos, durationNanos, comments } = this.#profile;
    if (sampleTypes.length === 0 || sampleTypes.some(isEmptyValueType)) {
      throw new HearthscopeError('invalid_argument', 'pprof needs sample types that have a type or a unit');
    }
    const encoded = new PprofProfile({
      sampleType: sampleTypes.map((valueType) => this.#valueType(valueType)),
      sample: this.#samples(),
      mapping: this.#mappings(),
      location: this.#locations(),
      function: this.#functions(),
      stringTable: this.#strings,
      timeNanos: timeUnixNanos,
      durationNanos,
      ...(isEmptyValueType(periodType) ? {} : { periodType: this.#valueType(periodType) }),
      period,
      comment: comments.map((comment) => this.#string(comment)),
      dropFrames: this.#string(this.#attribute(PprofAttribute.dropFrames)),
      keepFrames: this.#string(this.#attribute(PprofAttribute.keepFrames)),
      docUrl: this.#string(this.#attribute(PprofAttribute.docUrl)),
      defaultSampleType: this.#string(defaultSampleType),
    });
    return encoded.encode();
  }

  /** The text of a profile attribute, '' when there is none. */
  #attribute(key: string): string {
    const value = this.#profile.profileAttributes.find((attribute) => attribute.key === key)?.value;
    return value === undefined ? '' : String(value);
  }

  #string(text: string): number {
    return this.#strings.dedup(text);
  }

  #stringOf(index: number): number {
    return this.#string(this.#profile.strings[index]!);
  }

  #valueType({ type, unit }: ValueType): { type: number; unit: number } {
    return { type: this.#string(type), unit: this.#string(unit) };
  }

  #samples() {
    const { samples, stacks } = this.#profile;
    return Array.from({ length: samples.length }, (_, row) => {
      const stack = samples.stack[row]!;
      const locations = stacks.location.subarray(
        stacks.locationStart[stack],
        stacks.locationStart[stack + 1],
      );
      return {
        locationId: Array.from(locations, (location) => location + 1),
        value: samples.values.map((values) => values[row]!),
        label: this.#labels(samples.attributeSet[row]!, samples.link[row]!),
      };
    });
  }

  #labels(attributeSet: number, link: number): LabelInput[] {
    const { attributeSets, attributes, links } = this.#profile;
    const labels: LabelInput[] = [];
    for (
      let i = attributeSets.attributeStart[attributeSet]!;
      i < attributeSets.attributeStart[attributeSet + 1]!;
      i++
    ) {
      const label = this.#label(attributes[attributeSets.attribute[i]!]!);
      if (!isEmptyLabel(label)) labels.push(label);
    }
    if (link !== 0) {
      const { traceId, spanId } = links[link]!;
      labels.push({ key: this.#string('trace_id'), str: this.#string(traceId) });
      labels.push({ key: this.#string('span_id'), str: this.#string(spanId) });
    }
    return labels;
  }

  /** Integers are numeric labels; a double or a boolean is text, as pprof has neither. */
  #label({ key, value, unit }: Attribute): LabelInput {
    if (typeof value === 'bigint') return { key: this.#string(key), num: value, numUnit: this.#string(unit) };
    const text = this.#string(String(value));
    return text === 0 ? {} : { key: this.#string(key), str: text };
  }

  /** Ids are rows, as row 0, "no mapping", is left out. */
  #mappings() {
    const { mappings } = this.#profile;
    const symbols = this.#mappingSymbols();
    return Array.from({ length: mappings.length - 1 }, (_, i) => {
      const row = i + 1;
      const known = symbols[row]!;
      return {
        id: row,
        memoryStart: mappings.start[row]!,
        memoryLimit: mappings.limit[row]!,
        fileOffset: mappings.fileOffset[row]!,
        filename: this.#stringOf(mappings.filename[row]!),
        buildId: this.#stringOf(mappings.buildId[row]!),
        hasFunctions: (known & Symbols.functions) !== 0,
        hasFilenames: (known & Symbols.filenames) !== 0,
        hasLineNumbers: (known & Symbols.lineNumbers) !== 0,
        hasInlineFrames: (known & Symbols.inlineFrames) !== 0,
      };
    });
  }

  /** What is known of all locations of each mapping. A flag that is set keeps tools from symbolizing, so one location
   * without symbol takes it away; inlined frames are known to be looked at when there is one. */
  #mappingSymbols(): Uint8Array {
    const { mappings, locations, functions } = this.#profile;
    const all = Symbols.functions | Symbols.filenames | Symbols.lineNumbers;
    const known = new Uint8Array(mappings.length);
    const seen = new Uint8Array(mappings.length);
    for (let location = 0; location < locations.length; location++) {
      const mapping = locations.mapping[location]!;
      if (seen[mapping] === 0) known[mapping] = all;
      seen[mapping] = 1;
      const first = locations.lineStart[location]!;
      const end = locations.lineStart[location + 1]!;
      if (first === end) known[mapping]! &= ~all;
      if (end - first > 1) known[mapping]! |= Symbols.inlineFrames;
      for (let line = first; line < end; line++) {
        const functionRow = locations.lineFunction[line]!;
        if (functions.name[functionRow] === 0) known[mapping]! &= ~Symbols.functions;
        if (functions.filename[functionRow] === 0) known[mapping]! &= ~Symbols.filenames;
        if (locations.lineNumber[line] === 0) known[mapping]! &= ~Symbols.lineNumbers;
      }
    }
    return known;
  }

  #locations() {
    const { locations } = this.#profile;
    return Array.from({ length: locations.length }, (_, row) => {
      const line: LineInput[] = [];
      for (let i = locations.lineStart[row]!; i < locations.lineStart[row + 1]!; i++) {
        const functionId = locations.lineFunction[i]!;
        if (functionId === 0) continue;
        line.push({ functionId, line: locations.lineNumber[i]!, column: locations.lineColumn[i]! });
      }
      return { id: row + 1, mappingId: locations.mapping[row]!, address: locations.address[row]!, line };
    });
  }

  #functions() {
    const { functions } = this.#profile;
    return Array.from({ length: functions.length - 1 }, (_, i) => {
      const row = i + 1;
      return {
        id: row,
        name: this.#stringOf(functions.name[row]!),
        systemName: this.#stringOf(functions.systemName[row]!),
        filename: this.#stringOf(functions.filename[row]!),
        startLine: functions.startLine[row]!,
      };
    });
  }
}

/** Bits of what is known of a mapping's locations. */
const Symbols = { functions: 1, filenames: 2, lineNumbers: 4, inlineFrames: 8 } as const;

function isEmptyValueType({ type, unit }: ValueType): boolean {
  return type === '' && unit === '';
}

function isEmptyLabel({ key }: LabelInput): boolean {
  return key === undefined || key === 0;
}
