// SPDX-License-Identifier: Apache-2.0
//
// The profilers of old Python and Ruby clients name functions by their bare names, of which every program has many alike.
// Their names get the file in front.

import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import type { Profile } from '@hearthscope/profile/profile';

const SCRIPTING_SPIES: ReadonlySet<string> = new Set(['pyspy', 'rbspy', 'scripting']);

/** UTF-16 code units of the names made for one profile: many functions may name one very long file. */
export const MAX_NEW_NAME_LENGTH = 16 * 1_048_576;

/** Functions of scripting languages named `<file> <function>`. Functions of pyspy in files with absolute paths, which are
 * those of the interpreter and its libraries, stay as they are.
 * @param report counts `file_name_left_out`: functions that keep their name because of the limit
 * @returns the profile itself when nothing is to be renamed */
export function withFileNames(
  profile: Profile,
  spyName: string,
  maxSymbolLength: number,
  report: DecodeReport,
): Profile {
  if (!SCRIPTING_SPIES.has(spyName)) return profile;
  const { functions } = profile;
  const strings = [...profile.strings];
  const indexOf = new Map<string, number>();
  const name = functions.name.slice();
  let length = 0;
  for (let row = 1; row < functions.length; row++) {
    const filename = profile.strings[functions.filename[row]!]!;
    if (spyName === 'pyspy' && filename.startsWith('/')) continue;
    const bare = profile.strings[name[row]!]!;
    length += filename.length + 1 + bare.length;
    if (length > MAX_NEW_NAME_LENGTH) {
      report.repair('file_name_left_out');
      continue;
    }
    const text = `${filename} ${bare}`.slice(-maxSymbolLength).toWellFormed();
    let index = indexOf.get(text);
    if (index === undefined) {
      index = strings.push(text) - 1;
      indexOf.set(text, index);
    }
    name[row] = index;
  }
  return { ...profile, strings, functions: { ...functions, name } };
}
