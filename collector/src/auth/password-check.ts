// SPDX-License-Identifier: Apache-2.0
//
// Compares passwords without letting anybody spend the server's time: a comparison that is slow on purpose is done seldom,
// and what it found is remembered for a while.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { TokenBucket } from '../limits/token-bucket.ts';
import type { User } from './credentials.ts';
import { keyedSum, type Secret } from './secret.ts';

/** Slow comparisons in a second, and at once after a pause. Guesses beyond are refused without being looked at. */
export const SLOW_CHECKS_PER_SECOND = 2;
export const SLOW_CHECKS_AT_ONCE = 10;
/** Outcomes that are remembered; beyond, the oldest is forgotten. */
const MAX_REMEMBERED = 10_000;

export class PasswordCheck {
  readonly #now: () => number;
  readonly #bucket: TokenBucket;
  /** By user and password, keyed; valid for the secret that it was compared with. */
  readonly #outcomes = new Map<string, { readonly secret: Secret; readonly matches: boolean }>();

  constructor(now: () => number) {
    this.#now = now;
    this.#bucket = new TokenBucket(SLOW_CHECKS_AT_ONCE, now());
  }

  /** @param decoy compared with when there is no such user, so that it takes as long
   * @throws HearthscopeError resource_exhausted */
  matches(name: string, password: string, user: User | undefined, decoy: Secret): boolean {
    const secret = user?.secret ?? decoy;
    if (!secret.isExpensive) return secret.matches(password) && user !== undefined;
    const key = keyedSum(`${name}:${password}`).toString('base64');
    let outcome = this.#outcomes.get(key);
    if (outcome?.secret !== secret) {
      if (!this.#bucket.take(1, SLOW_CHECKS_PER_SECOND, SLOW_CHECKS_AT_ONCE, this.#now())) {
        throw new HearthscopeError('resource_exhausted', 'too many attempts to log in, try again later');
      }
      outcome = { secret, matches: secret.matches(password) };
      this.#remember(key, outcome);
    }
    return outcome.matches && user !== undefined;
  }

  #remember(key: string, outcome: { readonly secret: Secret; readonly matches: boolean }): void {
    const oldest = this.#outcomes.keys().next();
    if (this.#outcomes.size >= MAX_REMEMBERED && !oldest.done) this.#outcomes.delete(oldest.value);
    this.#outcomes.set(key, outcome);
  }
}
