// SPDX-License-Identifier: Apache-2.0
//
// Keeps what is shown up to date: loads when the selection changes, and again at the chosen interval. What was loaded
// before stays until its successor is there, so that nothing flickers.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { useEffect, useRef, useState } from 'preact/hooks';
import {
  hasFrames,
  loadProfileData,
  type ProfileData,
  type ProfileQuery,
  type Sources,
} from './profile-data.ts';
import { startRefreshLoop } from './refresh-loop.ts';
import { isLive } from './time-range.ts';

/** A page that waits for the first profile looks more often, and so does one that waits for the server. */
const WAITING_MILLIS = 2_000;

export interface ProfileLoad {
  /** The latest that could be loaded, possibly of an earlier selection. */
  readonly data: ProfileData | undefined;
  /** Why the latest load failed. */
  readonly error: HearthscopeError | undefined;
  /** A load for what is selected now is under way. */
  readonly isLoading: boolean;
}

/** The second element loads at once. */
export function useProfileData(
  sources: Sources,
  query: ProfileQuery,
  refreshSeconds: number,
): [ProfileLoad, () => void] {
  const { service, type, filter, range, baseline, single, overview, file, baseFile } = query;
  const [load, setLoad] = useState<ProfileLoad>({ data: undefined, error: undefined, isLoading: true });
  const [loads, setLoads] = useState(0);
  const refreshMillis = useRef(0);
  refreshMillis.current = refreshSeconds * 1_000;

  // Each of these starts the loop anew.
  useEffect(() => {
    let isWaiting = false;
    const loop = startRefreshLoop({
      load: async (signal) => {
        setLoad((before) => ({ ...before, isLoading: true }));
        const asked = { service, type, filter, range, baseline, single, overview, file, baseFile };
        const loaded = await tryLoad(sources, asked, signal);
        if (signal.aborted) return;
        isWaiting = file === '' && isLive(range) && (isUnreachable(loaded.error) || isEmpty(loaded.data));
        setLoad((before) => ({ data: loaded.data ?? before.data, error: loaded.error, isLoading: false }));
      },
      intervalMillis: () =>
        isWaiting ? Math.min(WAITING_MILLIS, refreshMillis.current) : refreshMillis.current,
      isHidden: () => document.hidden,
    });
    document.addEventListener('visibilitychange', loop.visibilityChanged);
    return () => {
      document.removeEventListener('visibilitychange', loop.visibilityChanged);
      loop.stop();
    };
  }, [
    sources,
    service,
    type,
    filter,
    range,
    baseline,
    single,
    overview,
    file,
    baseFile,
    refreshSeconds,
    loads,
  ]);

  return [load, () => setLoads((count) => count + 1)];
}

interface Loaded {
  readonly data: ProfileData | undefined;
  readonly error: HearthscopeError | undefined;
}

async function tryLoad(sources: Sources, query: ProfileQuery, signal: AbortSignal): Promise<Loaded> {
  try {
    return { data: await loadProfileData(sources, query, signal), error: undefined };
  } catch (error) {
    const known =
      error instanceof HearthscopeError ? error : new HearthscopeError('internal', messageOf(error));
    return { data: undefined, error: known };
  }
}

/** Whether the server may be there in a moment, as it is not while it starts. */
export function isUnreachable(error: HearthscopeError | undefined): boolean {
  return error?.code === 'unavailable';
}

function isEmpty(data: ProfileData | undefined): boolean {
  return data !== undefined && !hasFrames(data);
}
