// SPDX-License-Identifier: Apache-2.0
//
// Profiles written as text, for tests: one stack a line, root first, `main;work 70`. What a test does not care about
// (mappings, addresses, times) has plain defaults.

import { HearthscopeError } from '../errors.ts';
import type { Attribute, Profile } from '../profile.ts';
import { ProfileBuilder, type ProfileHeader } from '../profile-builder.ts';

const DEFAULT_HEADER: ProfileHeader = {
  timeUnixNanos: 1_700_000_000_000_000_000n,
  durationNanos: 10_000_000_000n,
  sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
  periodType: { type: 'cpu', unit: 'nanoseconds' },
  period: 52_631_578n,
};

/** Builds a profile from lines `root;child;leaf value[,value…] [key=value…]`; one value per sample type of the header.
 * Empty lines and lines starting with `#` are skipped. A frame `name@kernel` gets the frame type `kernel`; a frame
 * `leaf<caller` is one location in which `leaf` is inlined into `caller`. Attributes have string values.
 * @throws HearthscopeError invalid_argument with the line number */
export function profileFromText(text: string, header: Partial<ProfileHeader> = {}): Profile {
  const builder = new ProfileBuilder({ ...DEFAULT_HEADER, ...header });
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const match = /^(.*?) (-?\d+(?:,-?\d+)*)((?: [^\s=]+=\S*)*)$/.exec(line);
    if (match === null) {
      throw new HearthscopeError(
        'invalid_argument',
        `text profile: line ${index + 1} is not "root;leaf value": ${line}`,
      );
    }
    const [, frames, values, attributes] = match as unknown as [string, string, string, string];
    const locations = frames.split(';').map((frame) => locationFromText(builder, frame));
    const attributeSet = builder.attributeSet(
      attributes
        .split(' ')
        .filter((pair) => pair !== '')
        .map((pair) => builder.attribute(attributeFromText(pair))),
    );
    builder.addSample(
      builder.stack(locations.reverse()),
      values.split(',').map((value) => BigInt(value)),
      { attributeSet },
    );
  });
  return builder.build();
}

function locationFromText(builder: ProfileBuilder, frame: string): number {
  const [names, frameType = ''] = frame.split('@') as [string, string?];
  return builder.location({
    mapping: 0,
    address: 0n,
    frameType,
    lines: names.split('<').map((name) => ({ function: builder.function({ name }) })),
  });
}

function attributeFromText(pair: string): Attribute {
  const equals = pair.indexOf('=');
  return { key: pair.slice(0, equals), value: pair.slice(equals + 1), unit: '' };
}
