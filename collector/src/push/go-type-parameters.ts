// SPDX-License-Identifier: Apache-2.0
//
// Go names a generic function after the shapes of its type arguments, and a stack may name any of the instances, whichever
// was called. The names then tell nothing apart but split one function into many, so the shapes are cut out:
//
//   (*Client[go.shape.struct { … },go.shape.int]).CallUnary  ─▶  (*Client).CallUnary

import type { Profile } from '@hearthscope/profile/profile';

const SHAPES_START = '[go.shape.';

/** The name without its lists of shapes; a list that is not closed stays, with all behind it. */
export function withoutShapes(name: string): string {
  let kept = '';
  let from = 0;
  for (let start = name.indexOf(SHAPES_START); start >= 0; start = name.indexOf(SHAPES_START, from)) {
    const end = closingBracket(name, start);
    if (end < 0) break;
    kept += name.slice(from, start);
    from = end + 1;
  }
  return kept + name.slice(from);
}

/** Where the bracket that opens at `start` is closed, or -1. */
function closingBracket(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '[') depth++;
    else if (text[at] === ']' && --depth === 0) return at;
  }
  return -1;
}

/** The same profile with such names shortened. Functions that then have the same name are still several rows.
 * @returns the profile itself when it has none */
export function withoutGoTypeParameters(profile: Profile): { profile: Profile; shortened: number } {
  let shortened = 0;
  const strings = profile.strings.map((text) => {
    const short = withoutShapes(text);
    if (short !== text) shortened++;
    return short;
  });
  return { profile: shortened === 0 ? profile : { ...profile, strings }, shortened };
}
