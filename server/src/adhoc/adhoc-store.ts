// SPDX-License-Identifier: Apache-2.0
//
// The files that users have uploaded, by tenant, below a limit: there is no way to delete one, so the oldest make room.
//
//   <data dir>/adhoc/
//     staging/<random>                  being written; emptied at each start
//     tenants/<tenant>/<ULID>-<name>    {"version":1,"name":…,"uploadedAtUnixMillis":…,"sizeBytes":…} LF, then the file

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { Counter, type Registry } from 'prom-client';
import { writeFileDurably } from '../settings/durable-file.ts';
import { isTenantFolder, tenantFolder } from '../settings/tenant-folder.ts';
import { newUlid, ULID_PATTERN, ulidTime } from './ulid.ts';

export interface AdhocStoreLimits {
  /** Files of a tenant. */
  readonly maxFiles: number;
  /** Bytes of all files of a tenant. */
  readonly maxTotalBytes: number;
  /** Bytes of one file, whatever the tenant's own limit is. */
  readonly maxFileBytes: number;
  /** Tenants with files. */
  readonly maxTenants: number;
}

export const DEFAULT_ADHOC_STORE_LIMITS: AdhocStoreLimits = {
  maxFiles: 1000,
  maxTotalBytes: 256 * 1024 * 1024,
  maxFileBytes: 64 * 1024 * 1024,
  maxTenants: 1000,
};

export interface StoredProfile {
  readonly id: string;
  readonly name: string;
  readonly uploadedAtUnixMillis: number;
}

export interface LoadedProfile extends StoredProfile {
  readonly bytes: Uint8Array;
}

const FORMAT_VERSION = 1;
const MAX_HEADER_BYTES = 1024;
/** With the ULID before it, a name is one of a file on all file systems. */
const MAX_NAME_LENGTH = 150;
const DEFAULT_NAME = 'profile';
const ID = new RegExp(`^(${ULID_PATTERN})-([a-zA-Z0-9._-]{1,${MAX_NAME_LENGTH}})$`);
const ID_CHARACTERS = /^[a-zA-Z0-9._-]+$/;
const LINE_FEED = 0x0a;

export class AdhocStore {
  readonly #limits: AdhocStoreLimits;
  readonly #staging: string;
  readonly #tenants: string;
  readonly #now: () => number;
  readonly #removals: Counter<'reason'>;
  /** Uploads wait for each other, so that the limits hold. */
  #uploads: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, now: () => number, registry: Registry, limits: AdhocStoreLimits) {
    this.#limits = limits;
    this.#staging = join(folder, 'staging');
    this.#tenants = join(folder, 'tenants');
    this.#now = now;
    this.#removals = new Counter({
      name: 'hearthscope_adhoc_removals_total',
      help: 'Ad hoc profiles that were removed to make room, by the limit that was reached.',
      labelNames: ['reason'],
      registers: [registry],
    });
  }

  /** Removes what an earlier run left unfinished. Only one process may have the data directory. */
  static async open(
    dataDir: string,
    now: () => number,
    registry: Registry,
    limits: AdhocStoreLimits = DEFAULT_ADHOC_STORE_LIMITS,
  ): Promise<AdhocStore> {
    const store = new AdhocStore(join(dataDir, 'adhoc'), now, registry, limits);
    await rm(store.#staging, { recursive: true, force: true });
    return store;
  }

  /** Resolves when the file will survive the end of the process.
   * @param fileName as the user has it
   * @throws HearthscopeError resource_exhausted, unavailable when it cannot be written */
  async add(tenant: string, fileName: string, bytes: Uint8Array): Promise<StoredProfile> {
    const own = this.#uploads.then(() => this.#addNow(tenant, fileName, bytes));
    this.#uploads = own.catch(() => undefined);
    return own;
  }

  /** @throws HearthscopeError invalid_argument for what is no id, not_found, data_loss for a damaged file */
  async get(tenant: string, id: string, what = 'profile'): Promise<LoadedProfile> {
    if (!ID_CHARACTERS.test(id)) {
      throw new HearthscopeError(
        'invalid_argument',
        `id '${id.slice(0, MAX_NAME_LENGTH)}' is invalid: can only contain [a-zA-Z0-9_-.]`,
      );
    }
    const file = ID.test(id) ? await this.#read(join(tenantFolder(this.#tenants, tenant), id)) : undefined;
    if (file === undefined) throw new HearthscopeError('not_found', `${what} ${id} not found`);
    return { ...storedProfile(id), bytes: contentOf(id, file) };
  }

  /** The latest first. */
  async list(tenant: string): Promise<StoredProfile[]> {
    return (await this.#idsOf(tenant)).map(storedProfile).reverse();
  }

  async #addNow(tenant: string, fileName: string, bytes: Uint8Array): Promise<StoredProfile> {
    const { maxFileBytes, maxTenants } = this.#limits;
    if (bytes.length > maxFileBytes) {
      throw new HearthscopeError(
        'resource_exhausted',
        `the file has ${bytes.length} bytes, the limit is ${maxFileBytes}`,
      );
    }
    const folder = tenantFolder(this.#tenants, tenant);
    if (!existsSync(folder) && (await this.#tenantCount()) >= maxTenants) {
      throw new HearthscopeError('resource_exhausted', `${maxTenants} tenants have ad hoc profiles already`);
    }
    const uploadedAtUnixMillis = this.#now();
    const name = sanitisedName(fileName);
    const id = `${newUlid(uploadedAtUnixMillis)}-${name}`;
    const header = JSON.stringify({
      version: FORMAT_VERSION,
      name,
      uploadedAtUnixMillis,
      sizeBytes: bytes.length,
    });
    await this.#makeRoom(tenant, folder, bytes.length);
    try {
      await writeFileDurably(
        join(folder, id),
        Buffer.concat([Buffer.from(`${header}\n`), bytes]),
        join(this.#staging, randomUUID()),
      );
    } catch (error) {
      throw new HearthscopeError('unavailable', `the profile cannot be kept: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return { id, name, uploadedAtUnixMillis };
  }

  async #makeRoom(tenant: string, folder: string, bytes: number): Promise<void> {
    const { maxFiles, maxTotalBytes } = this.#limits;
    const ids = await this.#idsOf(tenant);
    const sizes = await Promise.all(ids.map(async (id) => (await stat(join(folder, id))).size));
    let total = sizes.reduce((sum, size) => sum + size, bytes + MAX_HEADER_BYTES);
    for (let oldest = 0; oldest < ids.length; oldest++) {
      const isOneTooMany = ids.length - oldest >= maxFiles;
      if (!isOneTooMany && total <= maxTotalBytes) return;
      await unlink(join(folder, ids[oldest]!));
      total -= sizes[oldest]!;
      this.#removals.inc({ reason: isOneTooMany ? 'too_many' : 'total_bytes' });
    }
  }

  /** The oldest first. */
  async #idsOf(tenant: string): Promise<string[]> {
    return (await namesIn(tenantFolder(this.#tenants, tenant))).filter((id) => ID.test(id)).sort();
  }

  async #tenantCount(): Promise<number> {
    return (await namesIn(this.#tenants)).filter(isTenantFolder).length;
  }

  /** Undefined when there is no such file. */
  async #read(path: string): Promise<Buffer | undefined> {
    try {
      const handle = await open(path, 'r');
      try {
        const { size } = await handle.stat();
        if (size > this.#limits.maxFileBytes + MAX_HEADER_BYTES) throw damaged(path, `${size} bytes`);
        return await handle.readFile();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (error instanceof HearthscopeError) throw error;
      throw new HearthscopeError('unavailable', `the profile cannot be read: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** The end of a name tells its format, so the front is cut off. Other characters than a few become `_`. */
export function sanitisedName(fileName: string): string {
  const name = fileName.replace(/[^a-zA-Z0-9._-]/gu, '_').slice(-MAX_NAME_LENGTH);
  return name === '' ? DEFAULT_NAME : name;
}

function storedProfile(id: string): StoredProfile {
  const [, ulid, name] = ID.exec(id)!;
  return { id, name: name!, uploadedAtUnixMillis: ulidTime(ulid!) };
}

function contentOf(id: string, file: Buffer): Uint8Array {
  const end = file.subarray(0, MAX_HEADER_BYTES).indexOf(LINE_FEED);
  if (end < 0) throw damaged(id, 'no header');
  let header: { readonly version?: unknown; readonly sizeBytes?: unknown };
  try {
    header = JSON.parse(file.toString('utf8', 0, end)) ?? {};
  } catch (error) {
    throw damaged(id, messageOf(error));
  }
  if (header.version !== FORMAT_VERSION) throw damaged(id, `version ${JSON.stringify(header.version)}`);
  const bytes = file.subarray(end + 1);
  if (bytes.length !== header.sizeBytes) throw damaged(id, `${bytes.length} bytes of ${header.sizeBytes}`);
  return bytes;
}

function damaged(what: string, how: string): HearthscopeError {
  return new HearthscopeError('data_loss', `the stored profile ${what} is damaged: ${how}`);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
