// SPDX-License-Identifier: Apache-2.0
//
// adhocprofiles.v1.AdHocProfileService.

import { siBytes } from '@hearthscope/collector/limits/byte-text';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { AdHocProfileService } from '../../gen/adhocprofiles/v1/adhocprofiles_pb.js';
import { answering, JSON_OPTIONS } from '../api/connect-service.ts';
import { identityOfCall } from '../http/request-identity.ts';
import type { RouteGroup, ServiceContext } from '../http/service-context.ts';
import { checkMaxNodes } from '../query/query-limits.ts';
import { AdhocReader, type AdhocReaderLimits } from './adhoc-reader.ts';
import { AdhocStore, type AdhocStoreLimits, sanitisedName } from './adhoc-store.ts';
import type { AdhocAnswer } from './adhoc-view.ts';

type AdhocContext = Pick<
  ServiceContext,
  'authenticator' | 'dataDir' | 'limitsOf' | 'now' | 'logger' | 'registry'
>;

export interface AdhocOptions {
  /** Whether the code that reads files can be loaded only now, because the process will be a user who cannot read it. */
  readonly mustLoadNow?: boolean;
  readonly reader?: AdhocReaderLimits;
  readonly store?: AdhocStoreLimits;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export async function adhocRoutes(context: AdhocContext, options: AdhocOptions = {}): Promise<RouteGroup> {
  const { authenticator, dataDir, limitsOf, now, logger, registry } = context;
  const store = await AdhocStore.open(dataDir, now, registry, options.store);
  const reader = new AdhocReader(logger, registry, options.reader);
  if (options.mustLoadNow === true) await reader.loadNow();
  const choice = (tenant: string, profileType: string | undefined, maxNodes: bigint | undefined) => ({
    profileType,
    maxNodes: checkMaxNodes(maxNodes === undefined ? undefined : Number(maxNodes), limitsOf(tenant)),
    limits: limitsOf(tenant).decode,
  });
  return {
    connect: (router) => {
      router.service(
        AdHocProfileService,
        {
          upload: answering(async ({ name, profile, maxNodes }, call) => {
            const tenant = authenticator.tenant(identityOfCall(call), 'write');
            const bytes = decodeBase64(profile, limitsOf(tenant).maxProfileSizeBytes);
            const file = { name: sanitisedName(name), bytes };
            // What cannot be shown is not kept.
            const answer = await reader.ask({ kind: 'view', file, ...choice(tenant, undefined, maxNodes) });
            return { ...(await store.add(tenant, name, bytes).then(profileFields)), ...viewFields(answer) };
          }),
          get: answering(async ({ id, profileType, maxNodes }, call) => {
            const tenant = authenticator.tenant(identityOfCall(call), 'read');
            const file = await store.get(tenant, id);
            const answer = await reader.ask({ kind: 'view', file, ...choice(tenant, profileType, maxNodes) });
            return { ...profileFields(file), ...viewFields(answer) };
          }),
          list: answering(async (_request, call) => {
            const tenant = authenticator.tenant(identityOfCall(call), 'read');
            return { profiles: (await store.list(tenant)).map(profileFields) };
          }),
          diff: answering(async ({ leftId, rightId, profileType, maxNodes }, call) => {
            const tenant = authenticator.tenant(identityOfCall(call), 'read');
            const left = await store.get(tenant, leftId, 'left profile');
            const right = await store.get(tenant, rightId, 'right profile');
            const { profileTypes, flamebearer } = await reader.ask({
              kind: 'diff',
              left,
              right,
              ...choice(tenant, profileType, maxNodes),
            });
            return { profileTypes: [...profileTypes], flamebearerProfile: flamebearer };
          }),
        },
        { jsonOptions: JSON_OPTIONS },
      );
    },
    close: () => reader.stop(),
  };
}

/** @param maxBytes 0 for no limit */
function decodeBase64(text: string, maxBytes: number): Uint8Array {
  const base64 = text.replace(/[\r\n]/g, '');
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) {
    throw new HearthscopeError('invalid_argument', 'the profile is not base64 (standard alphabet, padded)');
  }
  const bytes = Buffer.from(base64, 'base64');
  if (maxBytes > 0 && bytes.length > maxBytes) {
    throw new HearthscopeError(
      'invalid_argument',
      `profile payload size exceeds limit of ${siBytes(maxBytes)}`,
    );
  }
  return bytes;
}

function profileFields(profile: {
  readonly id: string;
  readonly name: string;
  readonly uploadedAtUnixMillis: number;
}) {
  return { id: profile.id, name: profile.name, uploadedAt: BigInt(profile.uploadedAtUnixMillis) };
}

function viewFields({ profileType, profileTypes, flamebearer }: AdhocAnswer) {
  return { profileType, profileTypes: [...profileTypes], flamebearerProfile: flamebearer };
}
