// SPDX-License-Identifier: Apache-2.0
//
// Reads speedscope's JSON: one table of frames, and any number of profiles that are either samples with weights or
// events that open and close frames. A profile that contradicts itself is left out, those beside it are kept.
//
// Weights are doubles in the profile's unit. Times become whole nanoseconds; samples and bytes become whole numbers.

import { HearthscopeError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import type { ValueType } from '../profile-type.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { JsonDocument, type JsonObject } from './json-text.ts';
import { type FrameIndex, type NamedFrame, NamedStacks, ROOT, type StackNode } from './named-stacks.ts';

const FORMAT = 'speedscope';

export const SPEEDSCOPE_SCHEMA = 'https://www.speedscope.app/file-format-schema.json';

export type SpeedscopeUnit = 'none' | 'nanoseconds' | 'microseconds' | 'milliseconds' | 'seconds' | 'bytes';

/** Sample type of a unit, and what one of it is in the sample type's unit. */
const UNITS: Readonly<Record<SpeedscopeUnit, { readonly valueType: ValueType; readonly scale: number }>> = {
  none: { valueType: { type: 'samples', unit: 'count' }, scale: 1 },
  nanoseconds: { valueType: { type: 'wall', unit: 'nanoseconds' }, scale: 1 },
  microseconds: { valueType: { type: 'wall', unit: 'nanoseconds' }, scale: 1e3 },
  milliseconds: { valueType: { type: 'wall', unit: 'nanoseconds' }, scale: 1e6 },
  seconds: { valueType: { type: 'wall', unit: 'nanoseconds' }, scale: 1e9 },
  bytes: { valueType: { type: 'samples', unit: 'bytes' }, scale: 1 },
};

export interface SpeedscopeProfile {
  readonly name: string;
  readonly type: 'evented' | 'sampled';
  readonly unit: SpeedscopeUnit;
  readonly startValue: number;
  /** One sample type: `wall` in `nanoseconds`, `samples` in `count` for the unit `none`, `samples` in `bytes`. */
  readonly profile: Profile;
}

/** @param report gets profiles that are left out (`malformed_profile`, `max_profiles`) and what was changed
 * @returns the profiles in the order of the file
 * @throws HearthscopeError invalid_argument when the file as a whole is not speedscope's or exceeds a limit */
export function decodeSpeedscope(
  bytes: Uint8Array,
  limits: DecodeLimits,
  report: DecodeReport,
): SpeedscopeProfile[] {
  const json = new JsonDocument(FORMAT, bytes, limits);
  const { root } = json;
  if (root.$schema !== SPEEDSCOPE_SCHEMA)
    throw json.error(`unknown schema: ${String(root.$schema).slice(0, 200)}`);
  const frames = readFrames(json, limits);
  const inputs = json.array(root.profiles, 'profiles');
  report.reject(
    'profile',
    'max_profiles',
    `${FORMAT}: ${inputs.length} profiles exceed the limit of ${limits.maxProfiles}`,
    Math.max(0, inputs.length - limits.maxProfiles),
  );
  const profiles: SpeedscopeProfile[] = [];
  inputs.slice(0, limits.maxProfiles).forEach((input, index) => {
    const path = `profiles[${index}]`;
    try {
      profiles.push(
        new SpeedscopeReader(json, json.object(input, path), path, frames, limits, report).read(),
      );
    } catch (error) {
      if (!(error instanceof HearthscopeError) || error.code !== 'invalid_argument') throw error;
      report.reject('profile', 'malformed_profile', error.message);
    }
  });
  return profiles;
}

function readFrames(json: JsonDocument, { maxTableRows }: DecodeLimits): NamedFrame[] {
  const shared = json.object(json.root.shared, 'shared');
  const frames = json.array(shared.frames, 'shared.frames');
  if (frames.length > maxTableRows) {
    throw json.error(`${frames.length} frames exceed the limit of ${maxTableRows}`);
  }
  return frames.map((value, index) => {
    const path = `shared.frames[${index}]`;
    const frame = json.object(value, path);
    return {
      name: json.string(frame.name, `${path}.name`),
      filename: json.string(frame.file, `${path}.file`),
      line: lineNumber(frame.line),
      column: lineNumber(frame.col),
    };
  });
}

/** What is no line of any file is none. */
function lineNumber(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 32 ? value : 0;
}

/** Reads one profile. */
class SpeedscopeReader {
  readonly #json: JsonDocument;
  readonly #input: JsonObject;
  readonly #path: string;
  readonly #unit: SpeedscopeUnit;
  readonly #frames: readonly NamedFrame[];
  readonly #stacks: NamedStacks;
  /** By index in the file, as far as this profile uses them. */
  readonly #frameIndexes: FrameIndex[] = [];
  readonly #report: DecodeReport;
  #fractions = 0;

  constructor(
    json: JsonDocument,
    input: JsonObject,
    path: string,
    frames: readonly NamedFrame[],
    limits: DecodeLimits,
    report: DecodeReport,
  ) {
    this.#json = json;
    this.#input = input;
    this.#path = path;
    this.#frames = frames;
    this.#report = report;
    const unit = json.string(input.unit, `${path}.unit`);
    if (!Object.hasOwn(UNITS, unit)) throw json.error(`${path}.unit: unknown unit: ${unit.slice(0, 200)}`);
    this.#unit = unit as SpeedscopeUnit;
    this.#stacks = new NamedStacks(FORMAT, { sampleTypes: [UNITS[this.#unit].valueType] }, limits, report);
  }

  read(): SpeedscopeProfile {
    const json = this.#json;
    const input = this.#input;
    const { type } = input;
    if (type === 'evented') this.#readEvents();
    else if (type === 'sampled') this.#readSamples();
    else throw json.error(`${this.#path}: profile type ${String(type).slice(0, 200)} not supported`);
    const profile = this.#stacks.build();
    this.#report.repair('fraction_rounded', this.#fractions);
    return {
      name: json.string(input.name, `${this.#path}.name`),
      type,
      unit: this.#unit,
      startValue: json.number(input.startValue, `${this.#path}.startValue`),
      profile,
    };
  }

  #readSamples(): void {
    const json = this.#json;
    const samples = json.array(this.#input.samples, `${this.#path}.samples`);
    const weights = json.array(this.#input.weights, `${this.#path}.weights`);
    if (samples.length !== weights.length) {
      throw json.error(
        `${this.#path}: unequal lengths of samples and weights: ${samples.length} != ${weights.length}`,
      );
    }
    samples.forEach((sample, row) => {
      const path = `${this.#path}.samples[${row}]`;
      let node: StackNode = ROOT;
      for (const frame of json.array(sample, path)) node = this.#stacks.child(node, this.#frame(frame, path));
      this.#add(node, json.number(weights[row], `${this.#path}.weights[${row}]`), row);
    });
  }

  #readEvents(): void {
    const json = this.#json;
    const events = json.array(this.#input.events, `${this.#path}.events`);
    const open: { readonly frame: FrameIndex; readonly node: StackNode }[] = [];
    let last = json.number(this.#input.startValue, `${this.#path}.startValue`);
    events.forEach((value, row) => {
      const path = `${this.#path}.events[${row}]`;
      const event = json.object(value, path);
      const at = json.number(event.at, `${path}.at`);
      if (at < last) throw json.error(`${path}: events out of order, ${at} < ${last}`);
      const frame = this.#frame(event.frame, `${path}.frame`);
      const top = open.at(-1);
      if (top !== undefined) this.#add(top.node, at - last, row);
      last = at;
      if (event.type === 'O') {
        open.push({ frame, node: this.#stacks.child(top?.node ?? ROOT, frame) });
      } else if (event.type !== 'C') {
        throw json.error(`${path}: unknown event type ${String(event.type).slice(0, 200)}`);
      } else if (top?.frame !== frame) {
        throw json.error(`${path} closes a frame that is not the one opened last`);
      } else {
        open.pop();
      }
    });
    this.#report.repair('frame_not_closed', open.length);
  }

  #frame(value: unknown, path: string): FrameIndex {
    const row = this.#json.index(value, this.#frames.length, path);
    this.#frameIndexes[row] ??= this.#stacks.frame(this.#frames[row]!);
    return this.#frameIndexes[row];
  }

  #add(node: StackNode, weight: number, row: number): void {
    if (weight < 0) throw this.#json.error(`${this.#path}: negative weight ${weight} of sample ${row}`);
    const scaled = weight * UNITS[this.#unit].scale;
    const whole = Math.round(scaled);
    if (!Number.isFinite(whole)) throw this.#json.error(`${this.#path}: weight ${weight} of sample ${row}`);
    if (whole !== scaled) this.#fractions++;
    this.#stacks.add(node, BigInt(whole));
  }
}
