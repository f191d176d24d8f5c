// SPDX-License-Identifier: Apache-2.0
//
// SIGINT and SIGTERM ask for an orderly stop; a second Ctrl-C, by somebody who does not want to wait, forces it.

import { constants } from 'node:os';
import { SIGNAL_EXIT_BASE } from './exit-codes.ts';

/** npm passes on a signal that the terminal has already sent to the whole group: the same key press, twice. */
const SAME_KEY_PRESS_MILLIS = 500;

export interface StopActions {
  readonly stop: () => void;
  /** Called right before the process exits. */
  readonly force: () => void;
}

/** @returns a function that takes the handlers away again */
export function onStopSignals({ stop, force }: StopActions): () => void {
  let firstAtMillis: number | undefined;
  const handle = (signal: NodeJS.Signals) => {
    if (firstAtMillis === undefined) {
      firstAtMillis = Date.now();
      stop();
    } else if (signal === 'SIGINT' && Date.now() - firstAtMillis > SAME_KEY_PRESS_MILLIS) {
      force();
      process.exit(SIGNAL_EXIT_BASE + constants.signals[signal]);
    }
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, handle);
  return () => {
    for (const signal of signals) process.off(signal, handle);
  };
}
