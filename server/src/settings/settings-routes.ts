// SPDX-License-Identifier: Apache-2.0
//
// settings.v1.SettingsService.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type Setting as SettingMessage, SettingsService } from '../../gen/settings/v1/settings_pb.js';
import { answering, JSON_OPTIONS } from '../api/connect-service.ts';
import { identityOfCall } from '../http/request-identity.ts';
import type { RouteGroup, ServiceContext } from '../http/service-context.ts';

import {
  DEFAULT_SETTINGS_LIMITS,
  type Setting,
  type SettingsLimits,
  SettingsStore,
} from './settings-store.ts';

export function settingsRoutes(
  context: Pick<ServiceContext, 'authenticator' | 'dataDir' | 'now'>,
  limits: SettingsLimits = DEFAULT_SETTINGS_LIMITS,
): RouteGroup {
  const { authenticator, now } = context;
  const store = new SettingsStore(context.dataDir, limits);
  return {
    connect: (router) => {
      router.service(
        SettingsService,
        {
          get: answering(async (_request, call) => {
            const settings = await store.get(authenticator.tenant(identityOfCall(call), 'read'));
            return { settings: settings.map(settingFields) };
          }),
          set: answering(async ({ setting }, call) => {
            const tenant = authenticator.tenant(identityOfCall(call), 'write');
            if (setting === undefined) {
              throw new HearthscopeError('invalid_argument', 'no setting values provided');
            }
            return { setting: settingFields(await store.set(tenant, settingOf(setting, now()))) };
          }),
          delete: answering(async ({ name }, call) => {
            const tenant = authenticator.tenant(identityOfCall(call), 'write');
            if (name === '') throw new HearthscopeError('invalid_argument', 'no setting name provided');
            await store.delete(tenant, name, now());
            return {};
          }),
        },
        { jsonOptions: JSON_OPTIONS },
      );
    },
  };
}

/** A time that clients leave out is now; one that no date has is refused. */
function settingOf({ name, value, modifiedAt }: SettingMessage, nowMillis: number): Setting {
  const modifiedAtUnixMillis = modifiedAt > 0n ? Number(modifiedAt) : nowMillis;
  if (!Number.isSafeInteger(modifiedAtUnixMillis)) {
    throw new HearthscopeError('invalid_argument', `modifiedAt ${modifiedAt} is no time in milliseconds`);
  }
  return { name, value, modifiedAtUnixMillis };
}

function settingFields({ name, value, modifiedAtUnixMillis }: Setting) {
  return { name, value, modifiedAt: BigInt(modifiedAtUnixMillis) };
}
