// SPDX-License-Identifier: Apache-2.0
//
// What a profile says, independent of how its tables are laid out: for comparing profiles in tests. Indexes are resolved
// to content, samples with equal stack, attributes and link are joined, and everything without order is sorted.

import type { Attribute, Profile } from '../profile.ts';

export interface CanonicalProfile {
  readonly header: Readonly<Record<string, unknown>>;
  /** One line of JSON per distinct sample, sorted. */
  readonly samples: readonly string[];
}

interface JoinedSample {
  readonly values: bigint[];
  readonly timestamps: bigint[];
}

export function canonicalProfile(profile: Profile): CanonicalProfile {
  const { strings, samples, stacks, attributeSets } = profile;
  const joined = new Map<string, JoinedSample>();
  for (let row = 0; row < samples.length; row++) {
    const stack = samples.stack[row]!;
    const set = samples.attributeSet[row]!;
    const locations = stacks.location.subarray(stacks.locationStart[stack], stacks.locationStart[stack + 1]);
    const attributes = attributeSets.attribute.subarray(
      attributeSets.attributeStart[set],
      attributeSets.attributeStart[set + 1],
    );
    const key = JSON.stringify({
      stack: Array.from(locations, (location) => canonicalLocation(profile, location)),
      attributes: Array.from(attributes, (index) => canonicalAttribute(profile.attributes[index]!)).sort(),
      link: profile.links[samples.link[row]!],
    });
    const sample = joined.get(key) ?? { values: profile.sampleTypes.map(() => 0n), timestamps: [] };
    joined.set(key, sample);
    samples.values.forEach((column, type) => {
      sample.values[type]! += column[row]!;
    });
    sample.timestamps.push(
      ...samples.timestampUnixNanos.subarray(samples.timestampStart[row], samples.timestampStart[row + 1]),
    );
  }
  return {
    header: {
      id: profile.id,
      timeUnixNanos: profile.timeUnixNanos,
      durationNanos: profile.durationNanos,
      sampleTypes: profile.sampleTypes.map(({ type, unit }) => `${type}/${unit}`),
      periodType: `${profile.periodType.type}/${profile.periodType.unit}`,
      period: profile.period,
      profileAttributes: profile.profileAttributes.map(canonicalAttribute).sort(),
      comments: profile.comments,
      firstString: strings[0],
    },
    samples: [...joined]
      .map(([key, { values, timestamps }]) =>
        JSON.stringify([key, values.map(String), timestamps.map(String).sort()]),
      )
      .sort(),
  };
}

function canonicalAttribute({ key, value, unit }: Attribute): string {
  return JSON.stringify([key, typeof value, Object.is(value, -0) ? '-0' : String(value), unit]);
}

function canonicalLocation(profile: Profile, location: number): unknown {
  const { strings, locations, mappings, functions } = profile;
  const mapping = locations.mapping[location]!;
  const lines: unknown[] = [];
  for (let line = locations.lineStart[location]!; line < locations.lineStart[location + 1]!; line++) {
    const row = locations.lineFunction[line]!;
    lines.push({
      name: strings[functions.name[row]!],
      systemName: strings[functions.systemName[row]!],
      filename: strings[functions.filename[row]!],
      startLine: functions.startLine[row],
      line: locations.lineNumber[line],
      column: locations.lineColumn[line],
    });
  }
  return {
    address: String(locations.address[location]),
    frameType: strings[locations.frameType[location]!],
    mapping: {
      start: String(mappings.start[mapping]),
      limit: String(mappings.limit[mapping]),
      fileOffset: String(mappings.fileOffset[mapping]),
      filename: strings[mappings.filename[mapping]!],
      buildId: strings[mappings.buildId[mapping]!],
    },
    lines,
  };
}
