// SPDX-License-Identifier: Apache-2.0
//
// Deletion of one service's data: POST /api/v1/deletions asks for it, GET says what is not all removed yet. From the answer
// of the POST on no query sees the data; its bytes go with the next upkeep of blocks.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { PlainAnswer, PlainRequest, RouteGroup, ServiceContext } from '../http/service-context.ts';
import type { ServiceDeletion } from '../storage/blocks/manifest.ts';

export const DELETIONS_PATH = '/api/v1/deletions';

/** Longer names cannot be stored. */
const MAX_SERVICE_LENGTH = 65_536;

/** What keeps the profiles. */
export interface ServiceDeletions {
  /** Resolves once no answer has the service's profiles any more that start up to the moment. */
  deleteService(tenant: string, service: string, throughMillis: number): Promise<ServiceDeletion>;
  /** What is not all removed yet. */
  deletions(tenant: string): Promise<readonly ServiceDeletion[]>;
}

export function deletionRoutes(
  { authenticator, now }: Pick<ServiceContext, 'authenticator' | 'now'>,
  store: ServiceDeletions,
): RouteGroup {
  return {
    plain: [
      {
        method: 'POST',
        path: DELETIONS_PATH,
        handle: async (request) => {
          const tenant = authenticator.tenant(request.identity, 'write');
          const { service, throughMillis } = wanted(request, now());
          return json(202, plainDeletion(await store.deleteService(tenant, service, throughMillis)));
        },
      },
      {
        method: 'GET',
        path: DELETIONS_PATH,
        handle: async ({ identity }) => {
          const deletions = await store.deletions(authenticator.tenant(identity, 'read'));
          return json(200, { deletions: deletions.map(plainDeletion) });
        },
      },
    ],
  };
}

/** `{"service_name": "a", "through_millis": 1700000000000}`; without a time all that there is now.
 * @throws HearthscopeError invalid_argument */
function wanted({ body }: PlainRequest, nowMillis: number): { service: string; throughMillis: number } {
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new HearthscopeError('invalid_argument', 'the body is no JSON');
  }
  const { service_name: service, through_millis: through = nowMillis } = (content ?? {}) as Readonly<
    Record<string, unknown>
  >;
  if (typeof service !== 'string' || service === '' || service.length > MAX_SERVICE_LENGTH) {
    throw new HearthscopeError('invalid_argument', 'service_name: expected the name of a service');
  }
  const throughMillis = Number(through);
  if (!Number.isSafeInteger(throughMillis) || throughMillis < 0 || throughMillis > nowMillis) {
    throw new HearthscopeError(
      'invalid_argument',
      `through_millis: expected milliseconds since 1970, until now, got ${JSON.stringify(through)}`,
    );
  }
  return { service, throughMillis };
}

function plainDeletion({ id, service, throughMillis, requestedAtMillis }: ServiceDeletion): object {
  return {
    id,
    service_name: service,
    through_millis: throughMillis,
    requested_at_millis: requestedAtMillis,
  };
}

function json(status: number, content: object): PlainAnswer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(content)}\n` };
}
