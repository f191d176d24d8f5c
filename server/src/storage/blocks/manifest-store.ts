// SPDX-License-Identifier: Apache-2.0
//
// Reads and writes a tenant's manifests. A change is a function from the manifest that stands to the next one; it is tried
// again on the newer one when somebody else was faster.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { objectKey } from '../object-store/object-key.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import {
  decodeManifest,
  emptyManifest,
  encodeManifest,
  MAX_MANIFEST_BYTES,
  type Manifest,
} from './manifest.ts';

/** Everything of this format lies below it. */
export const STORE_PREFIX = 'v1';

const MANIFEST_FOLDER = 'manifest';
const SEQUENCE_DIGITS = 16;
const MANIFEST_NAME = /^([0-9]{16})\.json$/;
/** Older ones are removed: readers of a listing may still be on their way to them. */
const KEPT_MANIFESTS = 8;
const MAX_ATTEMPTS = 20;

/** From the manifest that stands to the next one. */
export type ManifestChange = (manifest: Manifest) => Omit<Manifest, 'version' | 'tenant' | 'sequence'>;

export class ManifestStore {
  readonly #store: ObjectStore;
  readonly #tenant: string;
  #current: Manifest;
  /** Changes of this process wait for each other, as they would only get in each other's way. */
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(store: ObjectStore, manifest: Manifest) {
    this.#store = store;
    this.#tenant = manifest.tenant;
    this.#current = manifest;
  }

  /** @throws HearthscopeError data_loss for a manifest that cannot be read, failed_precondition for an unknown version */
  static async open(store: ObjectStore, tenant: string): Promise<ManifestStore> {
    const manifests = new ManifestStore(store, emptyManifest(tenant));
    await manifests.refresh();
    return manifests;
  }

  /** As last read or written here. */
  get current(): Manifest {
    return this.#current;
  }

  /** Reads the latest manifest. */
  async refresh(): Promise<Manifest> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const latest = (await this.#sequences()).at(-1) ?? 0;
      if (latest <= this.#current.sequence) return this.#current;
      try {
        this.#current = await this.#read(latest);
        return this.#current;
      } catch (error) {
        // It was removed in between, because there are newer ones.
        if (!(error instanceof HearthscopeError && error.code === 'not_found')) throw error;
      }
    }
    throw new HearthscopeError(
      'unavailable',
      `the manifest of tenant ${this.#tenant} changes too often to be read`,
    );
  }

  /** Resolves once the changed manifest is durable.
   * @param change must do without side effects, as it may be called several times
   * @throws HearthscopeError unavailable when others were faster each time */
  commit(change: ManifestChange): Promise<Manifest> {
    const commit = this.#changing.then(() => this.#commit(change));
    this.#changing = commit.catch(() => undefined);
    return commit;
  }

  async #commit(change: ManifestChange): Promise<Manifest> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const base = this.#current;
      const next: Manifest = {
        ...change(base),
        version: base.version,
        tenant: base.tenant,
        sequence: base.sequence + 1,
      };
      if (await this.#put(next.sequence, encodeManifest(next))) {
        this.#current = next;
        // The change is made, whatever becomes of old manifests: the next change tries to remove them again.
        await this.#removeOld(next.sequence).catch(() => undefined);
        return next;
      }
      await this.refresh();
      if (this.#current.sequence < next.sequence) this.#current = await this.#read(next.sequence);
    }
    throw new HearthscopeError(
      'unavailable',
      `the manifest of tenant ${this.#tenant} could not be written: others were faster ${MAX_ATTEMPTS} times`,
    );
  }

  /** @returns whether it is this manifest that has the number now */
  async #put(sequence: number, bytes: Uint8Array): Promise<boolean> {
    const key = this.#key(sequence);
    try {
      if (await this.#store.putIfAbsent(key, bytes)) return true;
    } catch (error) {
      // The answer may have been lost on the way, after the manifest was stored. Doing it again would count blocks twice.
      if (await this.#holds(key, bytes).catch(() => false)) return true;
      throw error;
    }
    return this.#holds(key, bytes);
  }

  async #holds(key: string, bytes: Uint8Array): Promise<boolean> {
    const info = await this.#store.head(key);
    if (info?.sizeBytes !== bytes.length) return false;
    return Buffer.from(await this.#store.get(key, bytes.length)).equals(bytes);
  }

  async #read(sequence: number): Promise<Manifest> {
    const key = this.#key(sequence);
    const manifest = decodeManifest(await this.#store.get(key, MAX_MANIFEST_BYTES), key);
    if (manifest.tenant !== this.#tenant || manifest.sequence !== sequence) {
      throw new HearthscopeError(
        'data_loss',
        `${key} says that it is manifest ${manifest.sequence} of tenant ${JSON.stringify(manifest.tenant)}`,
      );
    }
    return manifest;
  }

  async #removeOld(latest: number): Promise<void> {
    for (const sequence of await this.#sequences()) {
      if (sequence <= latest - KEPT_MANIFESTS) await this.#store.delete(this.#key(sequence));
    }
  }

  /** Ascending. */
  async #sequences(): Promise<number[]> {
    const sequences: number[] = [];
    for await (const { key } of this.#store.list(manifestPrefix(this.#tenant))) {
      const name = MANIFEST_NAME.exec(key.slice(key.lastIndexOf('/') + 1));
      if (name !== null) sequences.push(Number(name[1]));
    }
    return sequences.sort((a, b) => a - b);
  }

  #key(sequence: number): string {
    const name = `${String(sequence).padStart(SEQUENCE_DIGITS, '0')}.json`;
    return objectKey(STORE_PREFIX, this.#tenant, MANIFEST_FOLDER, name);
  }
}

/** Everything below it are manifests of the tenant. */
export function manifestPrefix(tenant: string): string {
  return `${objectKey(STORE_PREFIX, tenant, MANIFEST_FOLDER)}/`;
}

/** The tenants that have something stored. */
export async function storedTenants(store: ObjectStore): Promise<string[]> {
  const tenants: string[] = [];
  for await (const tenant of store.folders(`${STORE_PREFIX}/`)) tenants.push(tenant);
  return tenants;
}
