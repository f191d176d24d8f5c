// SPDX-License-Identifier: Apache-2.0
//
// The settings of tenants: names with values, each with the time of its last change. Clients write without having read,
// so an older change must not undo a newer one.

import { join } from 'node:path';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { TenantDocuments } from './tenant-documents.ts';

export interface Setting {
  readonly name: string;
  readonly value: string;
  readonly modifiedAtUnixMillis: number;
}

export interface SettingsLimits {
  /** Settings of a tenant. */
  readonly maxSettings: number;
  readonly maxNameBytes: number;
  readonly maxValueBytes: number;
  /** Tenants with settings. */
  readonly maxTenants: number;
}

export const DEFAULT_SETTINGS_LIMITS: SettingsLimits = {
  maxSettings: 100,
  maxNameBytes: 256,
  maxValueBytes: 65_536,
  maxTenants: 10_000,
};

const FORMAT_VERSION = 1;
/** A byte of text takes at most six in JSON (`\u0001`); names of fields and the time come on top. */
const JSON_BYTES_PER_BYTE = 6;
const JSON_BYTES_PER_SETTING = 100;

interface SettingsDocument {
  /** Sorted by name. */
  readonly settings: readonly Setting[];
}

export class SettingsStore {
  readonly #limits: SettingsLimits;
  readonly #documents: TenantDocuments<SettingsDocument>;

  constructor(dataDir: string, limits: SettingsLimits = DEFAULT_SETTINGS_LIMITS) {
    this.#limits = limits;
    this.#documents = new TenantDocuments({
      folder: join(dataDir, 'settings'),
      fileName: 'settings.json',
      version: FORMAT_VERSION,
      maxBytes:
        (limits.maxSettings + 1) *
        ((limits.maxNameBytes + limits.maxValueBytes) * JSON_BYTES_PER_BYTE + JSON_BYTES_PER_SETTING),
      maxTenants: limits.maxTenants,
      empty: { settings: [] },
      parse: parseDocument,
    });
  }

  /** Sorted by name. */
  async get(tenant: string): Promise<readonly Setting[]> {
    return (await this.#documents.read(tenant)).settings;
  }

  /** @throws HearthscopeError already_exists when there is a newer value, invalid_argument or resource_exhausted when a
   * limit is passed */
  async set(tenant: string, setting: Setting): Promise<Setting> {
    this.#check(setting);
    await this.#documents.update(tenant, ({ settings }) => {
      const old = settings.find(({ name }) => name === setting.name);
      if (old !== undefined && old.modifiedAtUnixMillis > setting.modifiedAtUnixMillis) {
        throw newerUpdate('update', setting.name);
      }
      if (old === undefined && settings.length >= this.#limits.maxSettings) {
        throw new HearthscopeError(
          'resource_exhausted',
          `a tenant has at most ${this.#limits.maxSettings} settings; delete one`,
        );
      }
      const others = settings.filter(({ name }) => name !== setting.name);
      return { settings: [...others, setting].sort((a, b) => (a.name < b.name ? -1 : 1)) };
    });
    return setting;
  }

  /** Does nothing when there is no such setting.
   * @throws HearthscopeError already_exists when it was changed after `nowUnixMillis` */
  async delete(tenant: string, name: string, nowUnixMillis: number): Promise<void> {
    await this.#documents.update(tenant, (document) => {
      const old = document.settings.find((setting) => setting.name === name);
      if (old === undefined) return document;
      if (old.modifiedAtUnixMillis > nowUnixMillis) throw newerUpdate('delete', name);
      return { settings: document.settings.filter((setting) => setting.name !== name) };
    });
  }

  #check({ name, value }: Setting): void {
    const { maxNameBytes, maxValueBytes } = this.#limits;
    if (name === '') throw new HearthscopeError('invalid_argument', 'no setting name provided');
    checkSize('name', name, maxNameBytes);
    checkSize('value', value, maxValueBytes);
  }
}

function checkSize(what: string, text: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw new HearthscopeError(
    'invalid_argument',
    `the ${what} of a setting has ${bytes} bytes, the limit is ${maxBytes}`,
  );
}

/** The text is what clients know. */
function newerUpdate(action: string, name: string): HearthscopeError {
  return new HearthscopeError('already_exists', `failed to ${action} ${name}: newer update already written`);
}

function parseDocument({ settings }: Readonly<Record<string, unknown>>): SettingsDocument {
  if (!Array.isArray(settings)) throw new Error('`settings` is no list');
  return {
    settings: settings.map((setting: Partial<Setting> | null, i) => {
      const { name, value, modifiedAtUnixMillis } = setting ?? {};
      if (
        typeof name !== 'string' ||
        typeof value !== 'string' ||
        !Number.isSafeInteger(modifiedAtUnixMillis)
      ) {
        throw new Error(`settings[${i}] is no setting`);
      }
      return { name, value, modifiedAtUnixMillis: modifiedAtUnixMillis! };
    }),
  };
}
