// SPDX-License-Identifier: Apache-2.0
//
// Writes a columnar Profile as pprof, uncompressed.
//
// pprof has no place for frame types, timestamps, ids and profile attributes besides its own four; they are left out.
// Links become the string labels `trace_id` and `span_id`. A string attribute without text and a line without function
// say nothing in pprof and are left out too.

import { HearthscopeError } from '../errors.ts';
import type { Attribute, Profile } from '../profile.ts';
import type { ValueType } from '../profile-type.ts';
import { finish, type Steps } from '../steps.ts';
import { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { PprofAttribute } from './pprof-attributes.ts';
import { isEmptyValueType, MappingSymbols, mappingSymbols } from './pprof-facts.ts';

export interface PprofEncodeOptions {
  /** The type of the sample type that viewers show first. Default: what a pprof that was decoded said, or nothing. */
  readonly defaultSampleType?: string;
}

/** Rows of a table written in one step. */
const ROWS_PER_STEP = 1024;

/** Field numbers of Profile. */
const ProfileField = {
  sampleType: 1,
  sample: 2,
  mapping: 3,
  location: 4,
  function: 5,
  string: 6,
  dropFrames: 7,
  keepFrames: 8,
  timeNanos: 9,
  durationNanos: 10,
  periodType: 11,
  period: 12,
  comment: 13,
  defaultSampleType: 14,
  docUrl: 15,
} as const;

/** @returns uncompressed bytes
 * @throws HearthscopeError invalid_argument when a sample type has neither type nor unit */
export function encodePprof(profile: Profile, options: PprofEncodeOptions = {}): Uint8Array {
  return finish(encodePprofInSteps(profile, options));
}

export function* encodePprofInSteps(profile: Profile, options: PprofEncodeOptions = {}): Steps<Uint8Array> {
  return yield* new PprofEncoder(profile).encodeInSteps(options);
}

class PprofEncoder {
  readonly #profile: Profile;
  readonly #output = new ProtobufWriter();
  readonly #strings: string[] = [''];
  readonly #stringIndex = new Map([['', 0]]);

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  *encodeInSteps({
    defaultSampleType = this.#attribute(PprofAttribute.defaultSampleType),
  }: PprofEncodeOptions): Steps<Uint8Array> {
    const { sampleTypes, samples, mappings, locations, functions, comments } = this.#profile;
    if (sampleTypes.length === 0 || sampleTypes.some(isEmptyValueType)) {
      throw new HearthscopeError('invalid_argument', 'pprof needs sample types that have a type or a unit');
    }
    const output = this.#output;
    for (const type of sampleTypes) this.#valueType(ProfileField.sampleType, type);
    yield* this.#table(0, samples.length, (row) => this.#sample(row));
    const symbols = mappingSymbols(this.#profile);
    // Ids are rows, as row 0, "no mapping" and "no function", is left out.
    yield* this.#table(1, mappings.length, (row) => this.#mapping(row, symbols[row]!));
    yield* this.#table(0, locations.length, (row) => this.#location(row));
    yield* this.#table(1, functions.length, (row) => this.#function(row));
    output.uint32(ProfileField.dropFrames, this.#string(this.#attribute(PprofAttribute.dropFrames)));
    output.uint32(ProfileField.keepFrames, this.#string(this.#attribute(PprofAttribute.keepFrames)));
    output.int64(ProfileField.timeNanos, this.#profile.timeUnixNanos);
    output.int64(ProfileField.durationNanos, this.#profile.durationNanos);
    this.#valueType(ProfileField.periodType, this.#profile.periodType);
    output.int64(ProfileField.period, this.#profile.period);
    output.packedUint32(
      ProfileField.comment,
      comments.map((comment) => this.#string(comment)),
    );
    output.uint32(ProfileField.defaultSampleType, this.#string(defaultSampleType));
    output.uint32(ProfileField.docUrl, this.#string(this.#attribute(PprofAttribute.docUrl)));
    yield* this.#table(0, this.#strings.length, (row) =>
      output.presentString(ProfileField.string, this.#strings[row]!),
    );
    return output.finish();
  }

  *#table(from: number, to: number, write: (row: number) => void): Steps<void> {
    for (let row = from; row < to; row++) {
      if (row % ROWS_PER_STEP === 0) yield;
      write(row);
    }
  }

  /** The text of a profile attribute, '' when there is none. */
  #attribute(key: string): string {
    const value = this.#profile.profileAttributes.find((attribute) => attribute.key === key)?.value;
    return value === undefined ? '' : String(value);
  }

  #string(text: string): number {
    let index = this.#stringIndex.get(text);
    if (index === undefined) {
      index = this.#strings.push(text) - 1;
      this.#stringIndex.set(text, index);
    }
    return index;
  }

  #stringOf(index: number): number {
    return this.#string(this.#profile.strings[index]!);
  }

  #valueType(field: number, { type, unit }: ValueType): void {
    this.#output.message(field, () => {
      this.#output.uint32(1, this.#string(type));
      this.#output.uint32(2, this.#string(unit));
    });
  }

  #sample(row: number): void {
    const { samples, stacks } = this.#profile;
    const stack = samples.stack[row]!;
    const first = stacks.locationStart[stack]!;
    this.#output.message(ProfileField.sample, () => {
      this.#output.packedUint32(
        1,
        stacks.location.subarray(first, stacks.locationStart[stack + 1]).map((location) => location + 1),
      );
      this.#output.packedInt64(
        2,
        samples.values.map((values) => values[row]!),
      );
      this.#labels(samples.attributeSet[row]!, samples.link[row]!);
    });
  }

  #labels(attributeSet: number, link: number): void {
    const { attributeSets, attributes, links } = this.#profile;
    const end = attributeSets.attributeStart[attributeSet + 1]!;
    for (let i = attributeSets.attributeStart[attributeSet]!; i < end; i++) {
      this.#attributeLabel(attributes[attributeSets.attribute[i]!]!);
    }
    if (link === 0) return;
    this.#label('trace_id', links[link]!.traceId);
    this.#label('span_id', links[link]!.spanId);
  }

  /** Integers are numeric labels; a double or a boolean is text, as pprof has neither. */
  #attributeLabel({ key, value, unit }: Attribute): void {
    if (typeof value !== 'bigint') {
      this.#label(key, String(value));
      return;
    }
    if (key === '') return;
    this.#output.message(3, () => {
      this.#output.uint32(1, this.#string(key));
      this.#output.int64(3, value);
      this.#output.uint32(4, this.#string(unit));
    });
  }

  #label(key: string, text: string): void {
    if (key === '' || text === '') return;
    this.#output.message(3, () => {
      this.#output.uint32(1, this.#string(key));
      this.#output.uint32(2, this.#string(text));
    });
  }

  #mapping(row: number, known: number): void {
    const { mappings } = this.#profile;
    const output = this.#output;
    const flag = (bit: number) => ((known & bit) === 0 ? 0 : 1);
    output.message(ProfileField.mapping, () => {
      output.uint32(1, row);
      output.int64(2, mappings.start[row]!);
      output.int64(3, mappings.limit[row]!);
      output.int64(4, mappings.fileOffset[row]!);
      output.uint32(5, this.#stringOf(mappings.filename[row]!));
      output.uint32(6, this.#stringOf(mappings.buildId[row]!));
      output.uint32(7, flag(MappingSymbols.functions));
      output.uint32(8, flag(MappingSymbols.filenames));
      output.uint32(9, flag(MappingSymbols.lineNumbers));
      output.uint32(10, flag(MappingSymbols.inlineFrames));
    });
  }

  #location(row: number): void {
    const { locations } = this.#profile;
    const output = this.#output;
    output.message(ProfileField.location, () => {
      output.uint32(1, row + 1);
      output.uint32(2, locations.mapping[row]!);
      output.int64(3, locations.address[row]!);
      for (let line = locations.lineStart[row]!; line < locations.lineStart[row + 1]!; line++) {
        const functionId = locations.lineFunction[line]!;
        if (functionId === 0) continue;
        output.message(4, () => {
          output.uint32(1, functionId);
          output.uint32(2, locations.lineNumber[line]!);
          output.uint32(3, locations.lineColumn[line]!);
        });
      }
    });
  }

  #function(row: number): void {
    const { functions } = this.#profile;
    const output = this.#output;
    output.message(ProfileField.function, () => {
      output.uint32(1, row);
      output.uint32(2, this.#stringOf(functions.name[row]!));
      output.uint32(3, this.#stringOf(functions.systemName[row]!));
      output.uint32(4, this.#stringOf(functions.filename[row]!));
      output.uint32(5, functions.startLine[row]!);
    });
  }
}
