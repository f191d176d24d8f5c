// SPDX-License-Identifier: Apache-2.0
//
// Whose data a request writes or reads, as its header says.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** The tenant of every request while multi-tenancy is off. */
export const ANONYMOUS_TENANT = 'anonymous';

export const TENANT_HEADER = 'x-scope-orgid';

export const MAX_TENANT_ID_LENGTH = 150;
/** Tenants that one query may read. */
export const MAX_QUERY_TENANTS = 100;

/** Tenant ids become folder names, so the characters are few and `.` and `..` are out. */
const TENANT_ID = /^[0-9A-Za-z!\-_.*'()]+$/;

/** Header names in lower case, as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The one tenant that a request may write to.
 * @param enabled whether multi-tenancy is on; when it is off the header is ignored
 * @throws HearthscopeError unauthenticated without the header, invalid_argument when it names no valid tenant */
export function tenantOf(headers: RequestHeaders, enabled: boolean): string {
  if (!enabled) return ANONYMOUS_TENANT;
  const id = tenantHeader(headers);
  if (id === '') throw noTenant();
  if (id.includes('|')) throw new HearthscopeError('invalid_argument', 'multiple org IDs present');
  checkTenantId(id);
  return id;
}

/** The tenants that a query reads, `a|b` in the header; sorted and distinct.
 * @param enabled whether multi-tenancy is on; when it is off the header is ignored
 * @throws HearthscopeError unauthenticated without the header, invalid_argument when it names no valid tenants */
export function tenantsOf(headers: RequestHeaders, enabled: boolean): readonly string[] {
  if (!enabled) return [ANONYMOUS_TENANT];
  const header = tenantHeader(headers);
  if (header === '') throw noTenant();
  const ids = [...new Set(header.split('|'))].sort();
  if (ids.length > MAX_QUERY_TENANTS) {
    throw new HearthscopeError(
      'invalid_argument',
      `${ids.length} tenants in one query, at most ${MAX_QUERY_TENANTS} are allowed`,
    );
  }
  for (const id of ids) checkTenantId(id);
  return ids;
}

/** What the request says about its tenant; '' when it says nothing. */
export function tenantHeader(headers: RequestHeaders): string {
  const header = headers[TENANT_HEADER];
  return typeof header === 'string' ? header.trim() : (header?.join(',') ?? '');
}

export function noTenant(): HearthscopeError {
  return new HearthscopeError('unauthenticated', 'no org id');
}

/** @throws HearthscopeError invalid_argument when the id is none that a tenant may have */
export function checkTenantId(id: string): void {
  if (id === '') throw new HearthscopeError('invalid_argument', 'tenant ID is empty');
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
}
