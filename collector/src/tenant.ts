// SPDX-License-Identifier: Apache-2.0
//
// Whose data a request writes. One place decides, so that no receiver can forget to ask.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** The tenant of every request while multi-tenancy is off. */
export const ANONYMOUS_TENANT = 'anonymous';

export const TENANT_HEADER = 'x-scope-orgid';

export const MAX_TENANT_ID_LENGTH = 150;

/** Tenant ids become folder names, so the characters are few and `.` and `..` are out. */
const TENANT_ID = /^[0-9A-Za-z!\-_.*'()]+$/;

/** Header names in lower case, as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The one tenant that a request may write to.
 * @param enabled whether multi-tenancy is on; when it is off the header is ignored
 * @throws HearthscopeError unauthenticated without the header, invalid_argument when it names no valid tenant */
export function tenantOf(headers: RequestHeaders, enabled: boolean): string {
  if (!enabled) return ANONYMOUS_TENANT;
  const header = headers[TENANT_HEADER];
  const id = typeof header === 'string' ? header.trim() : (header?.join(',') ?? '');
  if (id === '') throw new HearthscopeError('unauthenticated', 'no org id');
  if (id.length > MAX_TENANT_ID_LENGTH) {
    throw new HearthscopeError(
      'invalid_argument',
      `tenant ID is too long: ${id.length} characters, at most ${MAX_TENANT_ID_LENGTH} are allowed`,
    );
  }
  if (!TENANT_ID.test(id)) {
    throw new HearthscopeError(
      'invalid_argument',
      `tenant ID ${JSON.stringify(id)} contains an unsupported character; 0-9 a-z A-Z ! - _ . * ' ( ) are allowed`,
    );
  }
  if (id === '.' || id === '..') {
    throw new HearthscopeError('invalid_argument', `tenant ID ${JSON.stringify(id)} is not allowed`);
  }
  return id;
}
