// SPDX-License-Identifier: Apache-2.0
//
// Writes a columnar Profile as pprof, uncompressed, with the pprof-format package. That encoder gives an empty
// sub-message the length 0 but two bytes, and cuts off the end of the file for it; so nothing empty may reach it, which
// `isEmpty…` in this file sees to.
//
// pprof has no place for frame types, timestamps, ids and profile attributes besides its own four; they are left out.
// Links become the string labels `trace_id` and `span_id`. A string attribute without text and a line without function
// say nothing in pprof and are left out too.

import { PprofAttribute } from '@hearthscope/profile/codecs/pprof-attributes';
import { isEmptyValueType, MappingSymbols, mappingSymbols } from '@hearthscope/profile/codecs/pprof-facts';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Attribute, Profile } from '@hearthscope/profile/profile';
import type { ValueType } from '@hearthscope/profile/profile-type';
import { type LabelInput, type LineInput, Profile as PprofProfile, StringTable } from 'pprof-format';

/** @returns uncompressed bytes
 * @throws HearthscopeError invalid_argument when a sample type has neither type nor unit */
export function encodePprofPayload(profile: Profile): Uint8Array {
  return new PprofPayload(profile).encode();
}

class PprofPayload {
  readonly #profile: Profile;
  readonly #strings = new StringTable();

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  encode(): Uint8Array {
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
      defaultSampleType: this.#string(this.#attribute(PprofAttribute.defaultSampleType)),
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
    const symbols = mappingSymbols(this.#profile);
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
        hasFunctions: (known & MappingSymbols.functions) !== 0,
        hasFilenames: (known & MappingSymbols.filenames) !== 0,
        hasLineNumbers: (known & MappingSymbols.lineNumbers) !== 0,
        hasInlineFrames: (known & MappingSymbols.inlineFrames) !== 0,
      };
    });
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

function isEmptyLabel({ key }: LabelInput): boolean {
  return key === undefined || key === 0;
}
