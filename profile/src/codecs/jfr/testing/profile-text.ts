// SPDX-License-Identifier: Apache-2.0
//
// What a profile says as lines of text, for tests to compare: `root;leaf:line value,value key=value`, sorted.

import type { Profile } from '../../../profile.ts';

/** Lines of frames are written when they are not 0. */
export function profileText({
  samples,
  stacks,
  locations,
  functions,
  strings,
  ...profile
}: Profile): string[] {
  const lines = Array.from({ length: samples.length }, (_, row) => {
    const stack = samples.stack[row]!;
    const frames: string[] = [];
    for (let i = stacks.locationStart[stack]!; i < stacks.locationStart[stack + 1]!; i++) {
      const location = stacks.location[i]!;
      for (let line = locations.lineStart[location]!; line < locations.lineStart[location + 1]!; line++) {
        const name = strings[functions.name[locations.lineFunction[line]!]!]!;
        const number = locations.lineNumber[line]!;
        frames.push(number === 0 ? name : `${name}:${number}`);
      }
    }
    const { attributeStart, attribute } = profile.attributeSets;
    const set = samples.attributeSet[row]!;
    const attributes = Array.from(
      attribute.subarray(attributeStart[set], attributeStart[set + 1]),
      (index) => ` ${profile.attributes[index]!.key}=${profile.attributes[index]!.value}`,
    );
    const values = samples.values.map((column) => column[row]).join(',');
    return `${frames.reverse().join(';')} ${values}${attributes.sort().join('')}`;
  });
  return lines.sort();
}
