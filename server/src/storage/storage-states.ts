// SPDX-License-Identifier: Apache-2.0
//
// Several parts of the storage can refuse profiles, each for its own reason; readiness tells one of them.

export class StorageStates {
  readonly #onStateChange: (failure: string | undefined) => void;
  readonly #failures = new Map<string, string>();

  constructor(onStateChange: (failure: string | undefined) => void) {
    this.#onStateChange = onStateChange;
  }

  /** What a part calls when it begins to refuse, and with undefined when it does not any more. */
  of(part: string): (failure: string | undefined) => void {
    return (failure) => {
      if (failure === undefined) this.#failures.delete(part);
      else this.#failures.set(part, failure);
      const [first] = this.#failures.values();
      this.#onStateChange(first);
    };
  }
}
