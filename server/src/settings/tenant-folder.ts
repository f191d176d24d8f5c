// SPDX-License-Identifier: Apache-2.0
//
// Tenants are folders. Their ids were checked where they came in; this is the second lock on the door.

import { join } from 'node:path';
import { checkTenantId } from '@hearthscope/collector/tenant';

/** The folder of a tenant below that of all tenants.
 * @throws HearthscopeError invalid_argument for an id that is no name of a folder */
export function tenantFolder(root: string, tenant: string): string {
  checkTenantId(tenant);
  return join(root, tenant);
}

export function isTenantFolder(name: string): boolean {
  try {
    checkTenantId(name);
    return true;
  } catch {
    return false;
  }
}
