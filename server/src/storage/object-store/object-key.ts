// SPDX-License-Identifier: Apache-2.0
//
// Keys of objects. Parts come from requests (tenant ids) and from listings of foreign buckets, so each is checked before it
// becomes a part of a path.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** Tenant ids, ULIDs and file names are made of these; `.` and `..` are refused. */
const KEY_PART = /^[0-9A-Za-z!\-_.*'()]{1,255}$/;

export const MAX_KEY_LENGTH = 1024;

/** @throws HearthscopeError invalid_argument when a part could leave its folder */
export function objectKey(...parts: readonly string[]): string {
  const key = parts.join('/');
  checkObjectKey(key);
  return key;
}

/** @throws HearthscopeError invalid_argument */
export function checkObjectKey(key: string): void {
  const isSafe =
    key.length <= MAX_KEY_LENGTH &&
    key.split('/').every((part) => KEY_PART.test(part) && part !== '.' && part !== '..');
  if (!isSafe) throw new HearthscopeError('invalid_argument', `${JSON.stringify(key)} is no object key`);
}

/** A prefix is a key, a key with `/` behind it, or nothing. */
export function checkObjectPrefix(prefix: string): void {
  if (prefix !== '') checkObjectKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}
