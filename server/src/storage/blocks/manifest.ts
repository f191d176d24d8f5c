// SPDX-License-Identifier: Apache-2.0
//
// What a tenant's blocks are, at one moment: docs/formats/blocks.md. A manifest is never changed; the next one has the
// next number, and of several who write that number one wins (see manifest-store.ts).

import { crc32 } from 'node:zlib';
import { HearthscopeError } from '@hearthscope/profile/errors';

export const MANIFEST_VERSION = 1;
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

/** The files that a block may have. */
export const BLOCK_FILE_NAMES = [
  'series.parquet',
  'profiles.parquet',
  'samples.parquet',
  'links.parquet',
  'attributes.parquet',
  'samples-5m.parquet',
  'samples-1h.parquet',
  'symbols.bin',
] as const;
export type BlockFileName = (typeof BLOCK_FILE_NAMES)[number];

export interface BlockFile {
  readonly bytes: number;
  /** CRC-32 of the whole file. */
  readonly crc32: number;
  /** 0 for files that are no tables. */
  readonly rows: number;
}

export interface BlockMeta {
  /** A ULID, and the folder of its files. */
  readonly id: string;
  /** 0 as cut from the head, 1 an hour, 2 a day. */
  readonly level: number;
  /** Start times of its profiles, both ends inclusive, in milliseconds since the Unix epoch. */
  readonly startMillis: number;
  readonly endMillis: number;
  readonly series: number;
  readonly profiles: number;
  readonly samples: number;
  /** Who cut it from a head; absent once it was merged. Only they merge it, as they alone know when nobody answers for the
   * same profiles from memory any more. */
  readonly writer?: string;
  readonly files: Readonly<Partial<Record<BlockFileName, BlockFile>>>;
}

/** A block that is no part of the answers any more; its files stay a while for queries that began before. */
export interface Tombstone {
  readonly id: string;
  readonly deletedAtMillis: number;
  /** Absent: the whole block. Present: these files of a block that lives on. */
  readonly files?: readonly BlockFileName[];
}

/** Profiles of a service that somebody asked to be deleted. */
export interface ServiceDeletion {
  /** A ULID. */
  readonly id: string;
  readonly service: string;
  /** Profiles that start up to this moment. */
  readonly throughMillis: number;
  readonly requestedAtMillis: number;
  /** Writers that may still have such profiles outside of blocks. */
  readonly waitingFor: readonly string[];
}

export interface Manifest {
  readonly version: typeof MANIFEST_VERSION;
  readonly tenant: string;
  /** Its own number, 1 for the first. */
  readonly sequence: number;
  /** By writer: the last WAL segment whose profiles of this tenant are all in blocks. */
  readonly flushedSegments: Readonly<Record<string, number>>;
  readonly blocks: readonly BlockMeta[];
  readonly tombstones: readonly Tombstone[];
  readonly deletions: readonly ServiceDeletion[];
  /** The time that ages were last measured from; see retention.ts. */
  readonly retentionClockMillis?: number;
}

/** The last moment of which nothing of a service must be seen any more; -Infinity when all of it may. */
export function hiddenThrough(
  deletions: readonly Pick<ServiceDeletion, 'service' | 'throughMillis'>[],
  service: string,
): number {
  let millis = Number.NEGATIVE_INFINITY;
  for (const deletion of deletions) {
    if (deletion.service === service) millis = Math.max(millis, deletion.throughMillis);
  }
  return millis;
}

/** Bytes of all files of a block. */
export function bytesOf({ files }: BlockMeta): number {
  return Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
}

export function emptyManifest(tenant: string): Manifest {
  return {
    version: MANIFEST_VERSION,
    tenant,
    sequence: 0,
    flushedSegments: {},
    blocks: [],
    tombstones: [],
    deletions: [],
  };
}

/** A line of JSON, and its CRC-32 as 8 hex digits on the next line. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const json = JSON.stringify(manifest);
  return Buffer.from(`${json}\n${checksumLine(json)}\n`, 'utf8');
}

function checksumLine(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const FILE_NAMES: ReadonlySet<string> = new Set(BLOCK_FILE_NAMES);

/** @param where names the object in errors
 * @throws HearthscopeError failed_precondition for an unknown version, data_loss for anything else that is wrong */
export function decodeManifest(bytes: Uint8Array, where: string): Manifest {
  const check = new ManifestCheck(where);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const [json = '', checksum] = text.split('\n', 2);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw check.error('', 'it is damaged: no JSON');
  }
  const manifest = check.object(value, 'manifest');
  if (manifest.version !== MANIFEST_VERSION) {
    throw new HearthscopeError(
      'failed_precondition',
      `${where} has format version ${JSON.stringify(manifest.version)}, this Hearthscope reads version ${MANIFEST_VERSION}; run the version that wrote it`,
    );
  }
  if (checksum !== checksumLine(json)) throw check.error('', 'it is damaged: its checksum is wrong');
  return {
    version: MANIFEST_VERSION,
    tenant: check.text(manifest.tenant, 'tenant'),
    sequence: check.count(manifest.sequence, 'sequence'),
    flushedSegments: Object.fromEntries(
      Object.entries(check.object(manifest.flushedSegments, 'flushedSegments')).map(([writer, segment]) => [
        writer,
        check.count(segment, `flushedSegments.${writer}`),
      ]),
    ),
    blocks: check.list(manifest.blocks, 'blocks').map((block, i) => check.block(block, `blocks[${i}]`)),
    tombstones: check
      .list(manifest.tombstones, 'tombstones')
      .map((tombstone, i) => check.tombstone(tombstone, `tombstones[${i}]`)),
    deletions: check
      .list(manifest.deletions, 'deletions')
      .map((deletion, i) => check.deletion(deletion, `deletions[${i}]`)),
    ...(manifest.retentionClockMillis !== undefined && {
      retentionClockMillis: check.integer(manifest.retentionClockMillis, 'retentionClockMillis'),
    }),
  };
}

class ManifestCheck {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  error(field: string, what: string): HearthscopeError {
    return new HearthscopeError('data_loss', `${this.#where}: ${field === '' ? '' : `${field}: `}${what}`);
  }

  object(value: unknown, field: string): Readonly<Record<string, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.error(field, 'no object');
    return value as Readonly<Record<string, unknown>>;
  }

  list(value: unknown, field: string): readonly unknown[] {
    if (!Array.isArray(value)) throw this.error(field, 'no list');
    return value;
  }

  text(value: unknown, field: string): string {
    if (typeof value !== 'string') throw this.error(field, 'no text');
    return value;
  }

  integer(value: unknown, field: string): number {
    if (!Number.isSafeInteger(value)) throw this.error(field, 'no integer');
    return value as number;
  }

  count(value: unknown, field: string): number {
    const count = this.integer(value, field);
    if (count < 0) throw this.error(field, 'negative');
    return count;
  }

  ulid(value: unknown, field: string): string {
    const id = this.text(value, field);
    if (!ULID.test(id)) throw this.error(field, `${JSON.stringify(id)} is no ULID`);
    return id;
  }

  block(value: unknown, field: string): BlockMeta {
    const block = this.object(value, field);
    const files: Partial<Record<BlockFileName, BlockFile>> = {};
    for (const [name, file] of Object.entries(this.object(block.files, `${field}.files`))) {
      if (!FILE_NAMES.has(name)) throw this.error(`${field}.files`, `unknown file ${JSON.stringify(name)}`);
      const at = `${field}.files.${name}`;
      const { bytes, crc32, rows } = this.object(file, at);
      files[name as BlockFileName] = {
        bytes: this.count(bytes, `${at}.bytes`),
        crc32: this.count(crc32, `${at}.crc32`),
        rows: this.count(rows, `${at}.rows`),
      };
    }
    return {
      id: this.ulid(block.id, `${field}.id`),
      level: this.count(block.level, `${field}.level`),
      startMillis: this.integer(block.startMillis, `${field}.startMillis`),
      endMillis: this.integer(block.endMillis, `${field}.endMillis`),
      series: this.count(block.series, `${field}.series`),
      profiles: this.count(block.profiles, `${field}.profiles`),
      samples: this.count(block.samples, `${field}.samples`),
      ...(block.writer !== undefined && { writer: this.text(block.writer, `${field}.writer`) }),
      files,
    };
  }

  tombstone(value: unknown, field: string): Tombstone {
    const tombstone = this.object(value, field);
    const id = this.ulid(tombstone.id, `${field}.id`);
    const deletedAtMillis = this.integer(tombstone.deletedAtMillis, `${field}.deletedAtMillis`);
    if (tombstone.files === undefined) return { id, deletedAtMillis };
    const files = this.list(tombstone.files, `${field}.files`).map((name) => {
      if (typeof name !== 'string' || !FILE_NAMES.has(name)) {
        throw this.error(`${field}.files`, `unknown file ${JSON.stringify(name)}`);
      }
      return name as BlockFileName;
    });
    return { id, deletedAtMillis, files };
  }

  deletion(value: unknown, field: string): ServiceDeletion {
    const deletion = this.object(value, field);
    return {
      id: this.ulid(deletion.id, `${field}.id`),
      service: this.text(deletion.service, `${field}.service`),
      throughMillis: this.integer(deletion.throughMillis, `${field}.throughMillis`),
      requestedAtMillis: this.integer(deletion.requestedAtMillis, `${field}.requestedAtMillis`),
      waitingFor: this.list(deletion.waitingFor, `${field}.waitingFor`).map((writer) =>
        this.text(writer, `${field}.waitingFor`),
      ),
    };
  }
}
