// SPDX-License-Identifier: Apache-2.0
//
// What a store holds, from its manifests alone.

import { type HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { type BlockMeta, bytesOf, type Manifest, type ServiceDeletion } from '../blocks/manifest.ts';
import { ManifestStore, storedTenants } from '../blocks/manifest-store.ts';
import type { ObjectStore } from '../object-store/object-store.ts';

export interface BlockReport {
  readonly id: string;
  readonly level: number;
  /** Start times of its profiles, in milliseconds since the Unix epoch, both ends inclusive. */
  readonly startMillis: number;
  readonly endMillis: number;
  readonly series: number;
  readonly profiles: number;
  readonly samples: number;
  readonly bytes: number;
  /** Of all files, sums and symbols included; 0 when there are no samples. */
  readonly bytesPerSample: number;
  /** Bytes by file. */
  readonly files: Readonly<Record<string, number>>;
}

export interface TenantReport {
  readonly tenant: string;
  /** Why nothing else is known. */
  readonly problem?: string;
  /** The number of the manifest. */
  readonly sequence: number;
  /** Oldest first. */
  readonly blocks: readonly BlockReport[];
  readonly bytes: number;
  readonly samples: number;
  readonly bytesPerSample: number;
  /** Blocks, or files of blocks, that are going to be removed. */
  readonly tombstones: number;
  readonly deletions: readonly ServiceDeletion[];
  /** By writer: the last segment of its WAL that is in blocks. */
  readonly flushedSegments: Readonly<Record<string, number>>;
}

/** @throws HearthscopeError when the store cannot be read; what is wrong with one tenant is in its report */
export async function inspectStore(store: ObjectStore): Promise<TenantReport[]> {
  const reports: TenantReport[] = [];
  for (const tenant of await storedTenants(store)) {
    try {
      reports.push(tenantReport((await ManifestStore.open(store, tenant)).current));
    } catch (error) {
      if ((error as HearthscopeError).code === 'unavailable') throw error;
      reports.push({ ...tenantReport(undefined), tenant, problem: messageOf(error) });
    }
  }
  return reports;
}

function tenantReport(manifest: Manifest | undefined): TenantReport {
  const blocks = (manifest?.blocks ?? []).map(blockReport).sort((a, b) => a.startMillis - b.startMillis);
  const bytes = blocks.reduce((sum, block) => sum + block.bytes, 0);
  const samples = blocks.reduce((sum, block) => sum + block.samples, 0);
  return {
    tenant: manifest?.tenant ?? '',
    sequence: manifest?.sequence ?? 0,
    blocks,
    bytes,
    samples,
    bytesPerSample: perSample(bytes, samples),
    tombstones: manifest?.tombstones.length ?? 0,
    deletions: manifest?.deletions ?? [],
    flushedSegments: manifest?.flushedSegments ?? {},
  };
}

function blockReport(block: BlockMeta): BlockReport {
  const { id, level, startMillis, endMillis, series, profiles, samples, files } = block;
  const bytes = bytesOf(block);
  return {
    id,
    level,
    startMillis,
    endMillis,
    series,
    profiles,
    samples,
    bytes,
    bytesPerSample: perSample(bytes, samples),
    files: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, file.bytes])),
  };
}

function perSample(bytes: number, samples: number): number {
  return samples === 0 ? 0 : bytes / samples;
}
