// SPDX-License-Identifier: Apache-2.0
//
// A profile whose nameless locations have become lines. Samples, stacks, addresses and mappings stay as they are, so
// totals do too, and everything that reads a profile shows the names.

import { Uint32Column } from '@hearthscope/profile/column';
import type { Profile } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import type { AddressFrames, NamedFrame } from './frame-cache.ts';

/** Locations handled in one step. */
const LOCATIONS_PER_STEP = 8192;

/** @param framesOf by location; only of locations without lines, and never empty */
export function* namedProfile(
  profile: Profile,
  framesOf: ReadonlyMap<number, AddressFrames>,
): Steps<Profile> {
  if (framesOf.size === 0) return profile;
  const { locations } = profile;
  const tables = new FunctionAppender(profile);
  const lineStart = new Uint32Array(locations.length + 1);
  const lineFunction = new Uint32Column();
  const lineNumber = new Uint32Column();
  const lineColumn = new Uint32Column();
  for (let location = 0; location < locations.length; location++) {
    if (location % LOCATIONS_PER_STEP === 0) yield;
    for (const frame of framesOf.get(location) ?? []) {
      lineFunction.push(tables.functionIndex(frame));
      lineNumber.push(frame.line);
      lineColumn.push(frame.column);
    }
    for (let line = locations.lineStart[location]!; line < locations.lineStart[location + 1]!; line++) {
      lineFunction.push(locations.lineFunction[line]!);
      lineNumber.push(locations.lineNumber[line]!);
      lineColumn.push(locations.lineColumn[line]!);
    }
    lineStart[location + 1] = lineFunction.length;
  }
  return {
    ...profile,
    ...tables.finish(),
    locations: {
      ...locations,
      lineStart,
      lineFunction: lineFunction.finish(),
      lineNumber: lineNumber.finish(),
      lineColumn: lineColumn.finish(),
    },
  };
}

/** Adds functions behind those that a profile has. */
class FunctionAppender {
  readonly #profile: Profile;
  readonly #strings: string[];
  readonly #stringIndex: Map<string, number>;
  /** By frame object first: the frames of a cache are the same objects each time. */
  readonly #byFrame = new Map<NamedFrame, number>();
  readonly #byContent = new Map<string, number>();
  readonly #name = new Uint32Column();
  readonly #systemName = new Uint32Column();
  readonly #filename = new Uint32Column();
  readonly #startLine = new Uint32Column();

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#strings = [...profile.strings];
    this.#stringIndex = new Map(this.#strings.map((text, index) => [text, index]));
  }

  functionIndex(frame: NamedFrame): number {
    const known = this.#byFrame.get(frame);
    if (known !== undefined) return known;
    const name = this.#string(frame.name);
    const systemName = this.#string(frame.systemName);
    const filename = this.#string(frame.file);
    const content = `${name} ${systemName} ${filename} ${frame.startLine}`;
    let index = this.#byContent.get(content);
    if (index === undefined) {
      index = this.#profile.functions.length + this.#name.length;
      this.#name.push(name);
      this.#systemName.push(systemName);
      this.#filename.push(filename);
      this.#startLine.push(frame.startLine);
      this.#byContent.set(content, index);
    }
    this.#byFrame.set(frame, index);
    return index;
  }

  finish(): Pick<Profile, 'strings' | 'functions'> {
    const { functions } = this.#profile;
    return {
      strings: this.#strings,
      functions: {
        length: functions.length + this.#name.length,
        name: joined(functions.name, this.#name),
        systemName: joined(functions.systemName, this.#systemName),
        filename: joined(functions.filename, this.#filename),
        startLine: joined(functions.startLine, this.#startLine),
      },
    };
  }

  #string(text: string): number {
    let index = this.#stringIndex.get(text);
    if (index === undefined) {
      index = this.#strings.push(text) - 1;
      this.#stringIndex.set(text, index);
    }
    return index;
  }
}

function joined(before: Uint32Array, behind: Uint32Column): Uint32Array {
  const all = new Uint32Array(before.length + behind.length);
  all.set(before);
  all.set(behind.finish(), before.length);
  return all;
}
