// SPDX-License-Identifier: Apache-2.0
//
// Asks again and again, one at a time: the wait starts when the answer is there, so a slow server is never asked twice
// at once. While the page cannot be seen nothing is asked; when it is seen again, at once if something is due.

export interface RefreshLoop {
  /** Looks whether the page can be seen now; call it when that changes. */
  visibilityChanged(): void;
  stop(): void;
}

export interface RefreshOptions {
  /** Asks once. Never rejects: what goes wrong is part of what it shows. */
  readonly load: (signal: AbortSignal) => Promise<void>;
  /** Called after each load, since the wait may depend on what was found. 0 ends the loop. */
  readonly intervalMillis: () => number;
  readonly isHidden: () => boolean;
}

/** Loads at once and then at intervals, until stopped; stopping also aborts a load in progress. */
export function startRefreshLoop({ load, intervalMillis, isHidden }: RefreshOptions): RefreshLoop {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isDue = false;

  const run = async (): Promise<void> => {
    isDue = false;
    await load(controller.signal);
    if (controller.signal.aborted) return;
    const wait = intervalMillis();
    if (wait > 0) timer = setTimeout(wake, wait);
  };
  const wake = (): void => {
    isDue = true;
    if (!isHidden()) void run();
  };
  void run();

  return {
    visibilityChanged() {
      if (isDue && !isHidden()) void run();
    },
    stop() {
      controller.abort();
      isDue = false;
      clearTimeout(timer);
    },
  };
}
