// SPDX-License-Identifier: Apache-2.0
//
// Secrets of users and how a guess is compared with one. Nothing here keeps a secret in plain text, and no comparison
// tells by its duration how much of a guess was right.

import { createHash, createHmac, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { bcryptMatches, isBcryptHash } from './bcrypt.ts';

export interface Secret {
  /** Whether comparing takes so long, on purpose, that it must not be done as often as anybody likes. */
  readonly isExpensive: boolean;
  matches(guess: string): boolean;
}

/** scrypt's memory is 128 · N · r; this is what its most used parameters need, eight times. */
const MAX_SCRYPT_BYTES = 128 * 2 ** 20;
const MAX_SCRYPT_PARALLELISM = 16;

const SCRYPT_HASH =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{1,88})\$([A-Za-z0-9+/]{22,88})$/;
const SHA256_HASH = /^sha256:([0-9a-fA-F]{64})$/;

/** Plain secrets are kept as a keyed sum, with a key that no other process has. */
const PROCESS_KEY = randomBytes(32);

/** A secret that a file has in plain text. */
export function plainSecret(text: string): Secret {
  const sum = keyedSum(text);
  return { isExpensive: false, matches: (guess) => timingSafeEqual(keyedSum(guess), sum) };
}

/** A secret that a file has as a hash: scrypt in the PHC string format, bcrypt, or `sha256:` and hexadecimal digits, which
 * is for long random tokens only.
 * @throws HearthscopeError invalid_argument, without the hash in its message */
export function hashedSecret(hash: string, where: string): Secret {
  const sha256 = SHA256_HASH.exec(hash);
  if (sha256 !== null) {
    const sum = Buffer.from(sha256[1]!, 'hex');
    return { isExpensive: false, matches: (guess) => timingSafeEqual(sha256Of(guess), sum) };
  }
  if (isBcryptHash(hash)) return { isExpensive: true, matches: (guess) => bcryptMatches(guess, hash) };
  const scrypt = SCRYPT_HASH.exec(hash);
  if (scrypt === null) {
    throw new HearthscopeError(
      'invalid_argument',
      `${where}: expected a hash such as "$scrypt$ln=15,r=8,p=1$SALT$HASH", "$2b$10$…" or "sha256:…"`,
    );
  }
  return scryptSecret(scrypt as unknown as readonly string[], where);
}

function scryptSecret([, ln, r, p, salt, hash]: readonly string[], where: string): Secret {
  const cost = 2 ** Number(ln);
  const blockSize = Number(r);
  const parallelization = Number(p);
  const memoryBytes = 128 * cost * blockSize;
  if (
    cost < 2 ||
    memoryBytes < 128 ||
    parallelization < 1 ||
    memoryBytes > MAX_SCRYPT_BYTES ||
    parallelization > MAX_SCRYPT_PARALLELISM
  ) {
    throw new HearthscopeError(
      'invalid_argument',
      `${where}: scrypt with these parameters needs more than ${MAX_SCRYPT_BYTES} bytes or ${MAX_SCRYPT_PARALLELISM} rounds, or they are zero`,
    );
  }
  const saltBytes = Buffer.from(salt!, 'base64');
  const expected = Buffer.from(hash!, 'base64');
  const options = { cost, blockSize, parallelization, maxmem: 2 * MAX_SCRYPT_BYTES };
  return {
    isExpensive: true,
    matches: (guess) => timingSafeEqual(scryptSync(guess, saltBytes, expected.length, options), expected),
  };
}

/** To look up what was guessed without keeping it. */
export function keyedSum(text: string): Buffer {
  return createHmac('sha256', PROCESS_KEY).update(text).digest();
}

export function sha256Of(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
