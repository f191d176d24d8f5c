// SPDX-License-Identifier: Apache-2.0
//
// Cuts work that would hold the page up into pieces between which the browser paints and takes input.

/** Resolves in a task of its own, once the browser had its turn. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve);
  });
}
