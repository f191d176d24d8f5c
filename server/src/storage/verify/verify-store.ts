// SPDX-License-Identifier: Apache-2.0
//
// Checks everything that is stored: manifests, and every block that they name.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { blocksPrefix } from '../blocks/block-writer.ts';
import { bytesOf, decodeManifest, MAX_MANIFEST_BYTES, type Manifest } from '../blocks/manifest.ts';
import { ManifestStore, manifestPrefix, storedTenants } from '../blocks/manifest-store.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import type { SqlEngine } from '../sql/sql-engine.ts';
import { type OnProblem, verifyBlock } from './verify-block.ts';

export interface VerifyOptions {
  readonly store: ObjectStore;
  readonly engine: SqlEngine;
  /** Absent: all. */
  readonly tenant?: string | undefined;
  readonly onProblem: OnProblem;
}

export interface VerifiedStore {
  readonly tenants: number;
  readonly blocks: number;
  readonly bytes: number;
  /** Folders of blocks that no manifest names: of a crash, or of a block that is being made. Upkeep removes them a day
   * later. */
  readonly unnamedBlocks: number;
}

/** @throws HearthscopeError when the store cannot be read */
export async function verifyStore({
  store,
  engine,
  tenant,
  onProblem,
}: VerifyOptions): Promise<VerifiedStore> {
  const tenants = tenant === undefined ? await storedTenants(store) : [tenant];
  const totals = { tenants: tenants.length, blocks: 0, bytes: 0, unnamedBlocks: 0 };
  for (const name of tenants) {
    const manifest = await verifyManifests(store, name, onProblem);
    if (manifest === undefined) continue;
    for (const block of manifest.blocks) {
      const problems: [string, string][] = [];
      await verifyBlock({ store, engine, tenant: name, block }, (key, problem) =>
        problems.push([key, problem]),
      );
      totals.blocks++;
      totals.bytes += bytesOf(block);
      // A server may have replaced the block meanwhile, and removed its files.
      if (problems.length === 0 || !(await isStillNamed(store, name, block.id))) continue;
      for (const problem of problems) onProblem(...problem);
    }
    totals.unnamedBlocks += await unnamedBlocks(store, name, manifest);
  }
  return totals;
}

/** Reads all that are kept. @returns the one that stands; undefined when it cannot be read */
async function verifyManifests(
  store: ObjectStore,
  tenant: string,
  onProblem: OnProblem,
): Promise<Manifest | undefined> {
  let latest: Manifest | undefined;
  let isReadable = true;
  for await (const { key } of store.list(manifestPrefix(tenant))) {
    try {
      latest = decodeManifest(await store.get(key, MAX_MANIFEST_BYTES), key);
      isReadable = true;
    } catch (error) {
      // Old ones are removed while a server works.
      if (!(error instanceof HearthscopeError)) throw error;
      if (error.code === 'not_found') continue;
      if (error.code === 'unavailable') throw error;
      onProblem(key, error.message);
      isReadable = false;
    }
  }
  if (latest === undefined || !isReadable) return undefined;
  if (latest.tenant !== tenant) {
    onProblem(
      `${manifestPrefix(tenant)}${latest.sequence}`,
      `it is of tenant ${JSON.stringify(latest.tenant)}`,
    );
    return undefined;
  }
  const live = new Set(latest.blocks.map(({ id }) => id));
  for (const { id, files } of latest.tombstones) {
    if (files === undefined && live.has(id)) {
      onProblem(manifestPrefix(tenant), `block ${id} is removed and there at the same time`);
    }
  }
  return latest;
}

async function isStillNamed(store: ObjectStore, tenant: string, blockId: string): Promise<boolean> {
  const { current } = await ManifestStore.open(store, tenant);
  return current.blocks.some(({ id }) => id === blockId);
}

async function unnamedBlocks(store: ObjectStore, tenant: string, manifest: Manifest): Promise<number> {
  const named = new Set([...manifest.blocks, ...manifest.tombstones].map(({ id }) => id));
  let unnamed = 0;
  for await (const id of store.folders(blocksPrefix(tenant))) if (!named.has(id)) unnamed++;
  return unnamed;
}
