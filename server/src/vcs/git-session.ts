// SPDX-License-Identifier: Apache-2.0
//
// What a user's browser keeps of a login at GitHub: the tokens, encrypted so that only this server reads them, and only
// for the tenant that they were made for.
//
//   token  = base64( nonce 12 | ciphertext of JSON | tag 16 )      AES-256-GCM, key = SHA-256(secret ":" tenant)
//   cookie = base64( {"token": token} ) or, of older clients, base64( {"metadata": token, "expiry": millis} )

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { HearthscopeError } from '@hearthscope/profile/errors';

/** Tokens of GitHub for one user. */
export interface GitTokens {
  readonly accessToken: string;
  /** '' when GitHub gave none. */
  readonly refreshToken: string;
  readonly expiresUnixMillis: number;
}

export const SESSION_COOKIE = 'pyroscope_git_session';
/** How long the browser may keep a refresh token; GitHub says that this never changes. */
export const REFRESH_LIFETIME_MILLIS = 15_897_600_000;
/** Characters of a cookie. */
export const MAX_COOKIE_LENGTH = 8192;

export const MIN_SECRET_BYTES = 16;

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Says what is in it; changes with its format. */
const CONTEXT = Buffer.from('hearthscope git session 1');

export class GitSessions {
  readonly #secret: string;

  /** @throws HearthscopeError failed_precondition for a secret that could be guessed */
  constructor(secret: string) {
    if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
      throw new HearthscopeError(
        'failed_precondition',
        `the secret of GitHub sessions must have at least ${MIN_SECRET_BYTES} bytes`,
      );
    }
    this.#secret = secret;
  }

  encrypt(tenant: string, tokens: GitTokens): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#keyOf(tenant), nonce).setAAD(CONTEXT);
    const ciphertext = Buffer.concat([cipher.update(JSON.stringify(tokens)), cipher.final()]);
    return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64');
  }

  /** The header that sets the cookie, for clients that do not make their own. */
  cookie(token: string, { expiresUnixMillis }: GitTokens, nowMillis: number): string {
    const value = Buffer.from(JSON.stringify({ metadata: token, expiry: expiresUnixMillis })).toString(
      'base64',
    );
    const expires = new Date(nowMillis + REFRESH_LIFETIME_MILLIS).toUTCString();
    return `${SESSION_COOKIE}=${value}; Expires=${expires}; Secure; SameSite=Lax`;
  }

  /** The tokens in the cookies of a request.
   * @throws HearthscopeError unauthenticated, without saying what is wrong */
  read(tenant: string, cookies: string): GitTokens {
    const tokens = this.#readCookie(tenant, cookies);
    if (tokens === undefined) throw new HearthscopeError('unauthenticated', 'invalid token');
    return tokens;
  }

  #readCookie(tenant: string, cookies: string): GitTokens | undefined {
    const cookie = cookies
      .split(';')
      .map((each) => each.trim())
      .find((each) => each.startsWith(`${SESSION_COOKIE}=`));
    if (cookie === undefined || cookie.length > MAX_COOKIE_LENGTH) return undefined;
    try {
      const value = decodeURIComponent(cookie.slice(SESSION_COOKIE.length + 1)).replace(/^"|"$/g, '');
      const { token, metadata } = JSON.parse(Buffer.from(value, 'base64').toString());
      return this.#decrypt(tenant, token ?? metadata);
    } catch {
      return undefined;
    }
  }

  /** @throws when it is not ours, or was changed */
  #decrypt(tenant: string, token: string): GitTokens {
    const bytes = Buffer.from(token, 'base64');
    const decipher = createDecipheriv(CIPHER, this.#keyOf(tenant), bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    }).setAAD(CONTEXT);
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    return JSON.parse(plain.toString()) as GitTokens;
  }

  #keyOf(tenant: string): Buffer {
    return createHash('sha256').update(`${this.#secret}:${tenant}`).digest();
  }
}
