// SPDX-License-Identifier: Apache-2.0
//
// A client's way to a group of routes without a port, for tests. Requests and answers are real messages of the protocol;
// the header of the tenant is what names the caller.

import { createRouterTransport, type Transport } from '@connectrpc/connect';
import type { Authenticator, RequestIdentity } from '@hearthscope/collector/auth/authenticator';
import { ANONYMOUS_TENANT, TENANT_HEADER } from '@hearthscope/collector/tenant';
import { identityValues } from '../../http/request-identity.ts';
import type { RouteGroup } from '../../http/service-context.ts';

export function routeTransport({ connect }: RouteGroup): Transport {
  return createRouterTransport(connect!, {
    router: {
      interceptors: [
        (next) => (request) => {
          const values = identityValues({
            headers: Object.fromEntries(request.header),
            socket: {} as never,
          });
          return next({ ...request, contextValues: values });
        },
      ],
    },
  });
}

/** Believes the header. */
export const tenantByHeader: Authenticator = {
  tenant: tenantOf,
  tenants: (request) => [tenantOf(request)],
};

function tenantOf({ headers }: RequestIdentity): string {
  const header = headers[TENANT_HEADER];
  return typeof header === 'string' ? header : ANONYMOUS_TENANT;
}
