// SPDX-License-Identifier: Apache-2.0
//
// The page's state is its address: reading it, changing it, and following the browser's back and forward.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { formatPageState, type PageState, parsePageState } from './url-state.ts';

/** `replace` leaves no entry in the history: for what changes with every keystroke. */
export type ChangePageState = (change: Partial<PageState>, how?: 'push' | 'replace') => void;

export function usePageState(): [PageState, ChangePageState] {
  const [state, setState] = useState(() => parsePageState(location.search));

  useEffect(() => {
    const follow = (): void => setState(parsePageState(location.search));
    addEventListener('popstate', follow);
    return () => removeEventListener('popstate', follow);
  }, []);

  // The latest state is kept aside, so that two changes in one turn build on each other.
  const latest = useRef(state);
  latest.current = state;
  const change = useCallback<ChangePageState>((part, how = 'push') => {
    latest.current = { ...latest.current, ...part };
    const query = formatPageState(latest.current);
    if (query !== location.search.slice(1)) {
      const address = query === '' ? location.pathname : `${location.pathname}?${query}`;
      if (how === 'push') history.pushState(null, '', address);
      else history.replaceState(null, '', address);
    }
    setState(latest.current);
  }, []);

  return [state, change];
}
