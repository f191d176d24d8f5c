// SPDX-License-Identifier: Apache-2.0
//
// What tests ask of an answer: the function at each address, without what was inlined into it.

import type { NamedFrames } from '../symbol-request.ts';

/** The name of the outermost frame of each address, '' where there is none. */
export function outermostNames({ frameStart, names }: NamedFrames): string[] {
  return Array.from({ length: frameStart.length - 1 }, (_, i) =>
    frameStart[i + 1]! > frameStart[i]! ? names[frameStart[i + 1]! - 1]! : '',
  );
}
