// SPDX-License-Identifier: Apache-2.0
//
// Profiles with other stacks over the same locations: cut, reshaped, or chosen. Samples whose stacks became equal are one.
// Only what samples refer to is in the result.

import { BigInt64Column } from './column.ts';
import { HearthscopeError } from './errors.ts';
import type { Profile } from './profile.ts';
import { ProfileMerger } from './profile-merger.ts';
import type { Steps } from './steps.ts';
import { UintListTable } from './uint-list-table.ts';

export class RestackedProfile {
  readonly #profile: Profile;
  readonly #stacks = new UintListTable();
  readonly #values = new BigInt64Column();

  /** @param profile whose header and locations the result has */
  constructor(profile: Profile) {
    this.#profile = profile;
  }

  /** @param locations of the profile, leaf first
   * @throws HearthscopeError failed_precondition when a sum leaves int64 */
  add(locations: ArrayLike<number>, value: bigint): void {
    const known = this.#stacks.length;
    const row = this.#stacks.intern(locations);
    if (row === known) {
      this.#values.push(value);
      return;
    }
    const sum = this.#values.data[row]! + value;
    this.#values.data[row] = sum;
    if (this.#values.data[row] !== sum) {
      throw new HearthscopeError('failed_precondition', 'the sum of a stack does not fit into an int64');
    }
  }

  /** One sample a stack, without attributes, links and times. */
  *buildInSteps(): Steps<Profile> {
    const profile = this.#profile;
    const { length } = this.#stacks;
    const whole: Profile = {
      ...profile,
      stacks: {
        length,
        locationStart: this.#stacks.finishStart(),
        location: this.#stacks.finishItems(),
      },
      samples: {
        length,
        stack: Uint32Array.from({ length }, (_, stack) => stack),
        values: [this.#values.finish()],
        attributeSet: new Uint32Array(length),
        link: new Uint32Array(length),
        timestampStart: new Uint32Array(length + 1),
        timestampUnixNanos: new BigUint64Array(0),
      },
    };
    const used = new ProfileMerger(profile);
    yield* used.addInSteps(whole);
    return used.build();
  }
}
