// SPDX-License-Identifier: Apache-2.0
//
// What the style sheet knows by a media query and the code has to know as well.

import { useEffect, useState } from 'preact/hooks';
import type { ColourScheme } from './flamegraph/colour.ts';

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const follow = (): void => setMatches(list.matches);
    follow();
    list.addEventListener('change', follow);
    return () => list.removeEventListener('change', follow);
  }, [query]);
  return matches;
}

export function useColourScheme(): ColourScheme {
  return useMedia('(prefers-color-scheme: dark)') ? 'dark' : 'light';
}
