// SPDX-License-Identifier: Apache-2.0
//
// The debug information that clients have uploaded, by tenant and build id, on disk below a limit. What there is is known
// in memory, so that the many agents that ask about the same binaries cost nothing.

import { rm, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { isTenantFolder } from '../settings/tenant-folder.ts';
import type { DebugFileKind, DebugFiles, Inspection } from '../symbolize/symbol-protocol.ts';
import { isBuildId } from './build-id.ts';
import type { DebugInfoLimits } from './debug-info-limits.ts';
import { type DebugInfoMetrics, debugInfoMetrics, type RemovalReason } from './debug-info-metrics.ts';
import {
  ELF_NAME,
  type FileMetadata,
  namesIn,
  readStored,
  removeIfEmpty,
  removeStored,
  StagedFile,
} from './stored-file.ts';
import { UploadRefusal } from './upload-refusal.ts';
import { UploadTickets } from './upload-tickets.ts';

const KINDS: readonly DebugFileKind[] = ['executable', 'debug'];
/** When a file was used last is written down no more often than this. */
const USE_RECORD_MILLIS = 3_600_000;
/** Received bytes after which the free room on the disk is looked at again. */
const BYTES_BETWEEN_ROOM_CHECKS = 16 * 1024 * 1024;
const MAX_NAME_LENGTH = 255;

export interface DebugInfoStoreOptions {
  readonly dataDir: string;
  readonly limits: DebugInfoLimits;
  /** Says what a file is; it is foreign, so this is not done in the calling thread. */
  readonly inspect: (path: string) => Promise<Inspection>;
  /** Called when the files of a build id have changed, with the version that is no more. */
  readonly onChange: (tenant: string, buildId: string, gone: string) => void;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** A file of a tenant's, or one that is on its way. */
export interface DebugInfoEntry {
  readonly buildId: string;
  readonly name: string;
  /** Undefined while it is not known. */
  readonly kind: DebugFileKind | undefined;
  readonly startedAtUnixMillis: number;
  /** Undefined while it is on its way. */
  readonly finishedAtUnixMillis: number | undefined;
  readonly sizeBytes: number;
}

interface StoredFile {
  readonly tenant: string;
  readonly folder: string;
  readonly metadata: FileMetadata;
  lastUsedUnixMillis: number;
  useRecordedUnixMillis: number;
}

export class DebugInfoStore {
  readonly metrics: DebugInfoMetrics;
  readonly limits: DebugInfoLimits;
  readonly #options: DebugInfoStoreOptions;
  readonly #staging: string;
  readonly #tenants: string;
  /** By {@link keyOf}. */
  readonly #files = new Map<string, StoredFile>();
  readonly #tickets: UploadTickets;
  #bytes = 0;
  /** Received and not yet in their place. */
  #arriving = { bytes: 0, files: 0 };
  #uploading = 0;

  private constructor(options: DebugInfoStoreOptions) {
    this.#options = options;
    this.limits = options.limits;
    const root = join(options.dataDir, 'debuginfo');
    this.#staging = join(root, 'staging');
    this.#tenants = join(root, 'tenants');
    this.#tickets = new UploadTickets(options.limits, options.now);
    this.metrics = debugInfoMetrics(options.registry, () => ({
      bytes: this.#bytes,
      files: this.#files.size,
      uploading: this.#uploading,
    }));
  }

  /** Reads what there is and removes what an earlier run left unfinished. Only one process may have the data directory.
   * @throws HearthscopeError failed_precondition when the directory cannot be used */
  static async open(options: DebugInfoStoreOptions): Promise<DebugInfoStore> {
    const store = new DebugInfoStore(options);
    try {
      await store.#load();
    } catch (error) {
      throw new HearthscopeError(
        'failed_precondition',
        `the debug information in ${options.dataDir} cannot be used: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return store;
  }

  /** The files of a build id, which are about to be used. */
  filesOf(tenant: string, buildId: string): DebugFiles {
    const version: string[] = [];
    const paths: Partial<Record<DebugFileKind, string>> = {};
    for (const kind of KINDS) {
      const file = this.#files.get(keyOf(tenant, buildId, kind));
      if (file === undefined) continue;
      paths[kind] = join(file.folder, ELF_NAME);
      version.push(`${kind} ${file.metadata.sha256}`);
      this.#use(file);
    }
    return { ...paths, version: version.join(' ') };
  }

  /** Whether a client shall upload a file, and why. When it shall, it is expected from then on.
   * @param kind undefined when the client does not say: then any file of the build id will do */
  shouldUpload(
    tenant: string,
    buildId: string,
    kind: DebugFileKind | undefined,
    name: string,
  ): { readonly shouldUpload: boolean; readonly reason: string } {
    const has = (each: DebugFileKind) => this.#files.has(keyOf(tenant, buildId, each));
    if (kind === undefined ? KINDS.some(has) : has(kind)) {
      return { shouldUpload: false, reason: 'it is here already' };
    }
    const ticket = this.#tickets.issue(tenant, buildId, name.slice(0, MAX_NAME_LENGTH));
    switch (ticket) {
      case 'issued':
        return { shouldUpload: true, reason: 'it is not here yet' };
      case 'expected':
        return { shouldUpload: false, reason: 'another client was asked to upload it a short time ago' };
      case 'too_many':
        return { shouldUpload: false, reason: 'too many uploads are expected already; try again later' };
    }
  }

  /** Whether there is a file of the build id. */
  has(tenant: string, buildId: string): boolean {
    return KINDS.some((kind) => this.#files.has(keyOf(tenant, buildId, kind)));
  }

  /** Receives a file that was asked for; it is visible and durable when this resolves.
   * @param announcedBytes what the client says that it will send, 0 when it does not say
   * @param receive hands the bytes over, one chunk after the other
   * @returns false when there was such a file already, which stays
   * @throws UploadRefusal, and the errors of the file system */
  async receive(
    tenant: string,
    buildId: string,
    announcedBytes: number,
    receive: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<boolean> {
    const { maxFileBytes, maxConcurrentUploads } = this.limits;
    const ticket = this.#tickets.take(tenant, buildId);
    if (ticket === undefined) {
      throw new UploadRefusal(
        'not_asked_for',
        `ask with ShouldInitiateUpload first whether ${buildId} shall be uploaded`,
      );
    }
    try {
      if (announcedBytes > maxFileBytes) throw tooLarge(maxFileBytes);
      if (this.#uploading >= maxConcurrentUploads) {
        throw new UploadRefusal('busy', `${this.#uploading} uploads are being received; try again later`);
      }
      this.#tickets.countUpload(tenant);
      this.#uploading++;
      try {
        return await this.#receive(tenant, buildId, announcedBytes, ticket, receive);
      } finally {
        this.#uploading--;
      }
    } finally {
      // Whoever failed, or another client, may try again at once.
      this.#tickets.remove(tenant, buildId);
    }
  }

  /** What a tenant has, and what is expected, by build id. */
  list(tenant: string): DebugInfoEntry[] {
    const stored = [...this.#files.values()].filter((file) => file.tenant === tenant);
    const entries: DebugInfoEntry[] = [
      ...stored.map(({ metadata }) => metadata),
      ...this.#tickets.of(tenant).map(({ buildId, name, issuedAtUnixMillis }) => ({
        buildId,
        name,
        kind: undefined,
        startedAtUnixMillis: issuedAtUnixMillis,
        finishedAtUnixMillis: undefined,
        sizeBytes: 0,
      })),
    ];
    return entries.sort((a, b) => (a.buildId < b.buildId ? -1 : a.buildId > b.buildId ? 1 : 0));
  }

  /** Removes all files of a build id.
   * @returns false when there are none */
  async remove(tenant: string, buildId: string): Promise<boolean> {
    const files = KINDS.flatMap((kind) => this.#files.get(keyOf(tenant, buildId, kind)) ?? []);
    for (const file of files) await this.#remove(file, 'deleted');
    return files.length > 0;
  }

  async #load(): Promise<void> {
    for (const name of namesIn(this.#staging)) {
      await rm(join(this.#staging, name), { recursive: true, force: true });
      this.metrics.removals.inc({ reason: 'incomplete' satisfies RemovalReason });
    }
    for (const tenant of namesIn(this.#tenants)) {
      if (!isTenantFolder(tenant)) continue;
      for (const buildId of namesIn(join(this.#tenants, tenant))) {
        if (!isBuildId(buildId)) continue;
        for (const kind of KINDS) await this.#loadFile(tenant, buildId, kind);
        // A crash may have come between making it and filling it.
        await removeIfEmpty(join(this.#tenants, tenant, buildId));
      }
    }
    await this.#makeRoom();
  }

  async #loadFile(tenant: string, buildId: string, kind: DebugFileKind): Promise<void> {
    const parent = join(this.#tenants, tenant, buildId);
    if (!namesIn(parent).includes(kind)) return;
    const folder = join(parent, kind);
    const stored = readStored(folder);
    if (stored === undefined || stored.metadata.buildId !== buildId || stored.metadata.kind !== kind) {
      this.#options.logger.warn({ tenant, buildId, kind }, 'damaged debug information is removed');
      await removeStored(folder, this.#staging);
      this.metrics.removals.inc({ reason: 'unreadable_metadata' satisfies RemovalReason });
      return;
    }
    const { metadata, lastUsedUnixMillis } = stored;
    this.#add({ tenant, folder, metadata, lastUsedUnixMillis, useRecordedUnixMillis: lastUsedUnixMillis });
  }

  async #receive(
    tenant: string,
    buildId: string,
    announcedBytes: number,
    ticket: { readonly name: string; readonly issuedAtUnixMillis: number },
    receive: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<boolean> {
    const { maxFileBytes } = this.limits;
    await this.#requireRoom(announcedBytes);
    await using staged = await StagedFile.create(this.#staging);
    let nextRoomCheck = BYTES_BETWEEN_ROOM_CHECKS;
    await receive(async (chunk) => {
      if (staged.sizeBytes + chunk.length > maxFileBytes) throw tooLarge(maxFileBytes);
      if (staged.sizeBytes >= nextRoomCheck) {
        await this.#requireRoom(0);
        nextRoomCheck += BYTES_BETWEEN_ROOM_CHECKS;
      }
      await staged.write(chunk);
      this.metrics.receivedBytes.inc(chunk.length);
    });
    const sha256 = await staged.finish();
    const { kind, machine, hasSymbolTable, hasDebugInfo } = await this.#inspect(staged.elfPath, buildId);
    if (this.#files.has(keyOf(tenant, buildId, kind))) return false;
    const { sizeBytes } = staged;
    const metadata: FileMetadata = {
      buildId,
      kind,
      name: ticket.name,
      sizeBytes,
      sha256,
      machine,
      hasSymbolTable,
      hasDebugInfo,
      startedAtUnixMillis: ticket.issuedAtUnixMillis,
      finishedAtUnixMillis: this.#options.now(),
    };
    this.#arriving.bytes += sizeBytes;
    this.#arriving.files++;
    try {
      if (sizeBytes > this.limits.maxTotalBytes) throw tooLarge(this.limits.maxTotalBytes);
      await this.#makeRoom();
      return await this.#place(staged, tenant, metadata);
    } finally {
      this.#arriving.bytes -= sizeBytes;
      this.#arriving.files--;
    }
  }

  async #place(staged: StagedFile, tenant: string, metadata: FileMetadata): Promise<boolean> {
    const { buildId, kind, sizeBytes, name } = metadata;
    const folder = join(this.#folderOf(tenant), buildId, kind);
    const gone = this.#versionOf(tenant, buildId);
    if (!(await staged.place(folder, metadata))) return false;
    const now = this.#options.now();
    this.#add({ tenant, folder, metadata, lastUsedUnixMillis: now, useRecordedUnixMillis: now });
    this.#options.logger.info({ tenant, buildId, kind, sizeBytes, name }, 'debug information stored');
    this.#options.onChange(tenant, buildId, gone);
    return true;
  }

  /** @throws UploadRefusal when the file is not what it is said to be */
  async #inspect(path: string, buildId: string): Promise<Inspection> {
    let inspection: Inspection;
    try {
      inspection = await this.#options.inspect(path);
    } catch (error) {
      if (error instanceof HearthscopeError && error.code === 'invalid_argument') {
        throw new UploadRefusal('not_elf', `this is no ELF file that can be read: ${error.message}`);
      }
      throw new UploadRefusal('unverified', `it could not be checked what this file is: ${messageOf(error)}`);
    }
    if (inspection.buildId !== buildId) {
      const found = inspection.buildId === '' ? 'none' : inspection.buildId;
      throw new UploadRefusal('build_id_mismatch', `the build id of this file is ${found}, not ${buildId}`);
    }
    return inspection;
  }

  async #requireRoom(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#staging);
    const { minFreeBytes } = this.limits;
    if (bavail * bsize - bytes >= minFreeBytes) return;
    throw new UploadRefusal(
      'disk_full',
      `the disk of the server has ${bavail * bsize} bytes free, of which ${minFreeBytes} are not for debug information`,
    );
  }

  /** Removes what was used least recently until everything is within the limits. */
  async #makeRoom(): Promise<void> {
    const { maxTotalBytes, maxFiles } = this.limits;
    const hasTooManyBytes = () => this.#bytes + this.#arriving.bytes > maxTotalBytes;
    const hasTooManyFiles = () => this.#files.size + this.#arriving.files > maxFiles;
    if (!hasTooManyBytes() && !hasTooManyFiles()) return;
    const byUse = [...this.#files.values()].sort((a, b) => a.lastUsedUnixMillis - b.lastUsedUnixMillis);
    for (const file of byUse) {
      if (hasTooManyBytes()) await this.#remove(file, 'total_bytes');
      else if (hasTooManyFiles()) await this.#remove(file, 'too_many');
      else return;
    }
  }

  #add(file: StoredFile): void {
    const { buildId, kind, sizeBytes } = file.metadata;
    this.#files.set(keyOf(file.tenant, buildId, kind), file);
    this.#bytes += sizeBytes;
  }

  async #remove(file: StoredFile, reason: RemovalReason): Promise<void> {
    const { tenant, folder, metadata } = file;
    const key = keyOf(tenant, metadata.buildId, metadata.kind);
    if (this.#files.get(key) !== file) return;
    const gone = this.#versionOf(tenant, metadata.buildId);
    this.#files.delete(key);
    this.#bytes -= metadata.sizeBytes;
    this.metrics.removals.inc({ reason });
    this.#options.onChange(tenant, metadata.buildId, gone);
    await removeStored(folder, this.#staging);
  }

  #use(file: StoredFile): void {
    const now = this.#options.now();
    file.lastUsedUnixMillis = now;
    if (now - file.useRecordedUnixMillis < USE_RECORD_MILLIS) return;
    file.useRecordedUnixMillis = now;
    utimes(join(file.folder, ELF_NAME), now / 1000, now / 1000).catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'the use of a debug file could not be written down');
    });
  }

  #versionOf(tenant: string, buildId: string): string {
    return KINDS.flatMap((kind) => {
      const file = this.#files.get(keyOf(tenant, buildId, kind));
      return file === undefined ? [] : [`${kind} ${file.metadata.sha256}`];
    }).join(' ');
  }

  #folderOf(tenant: string): string {
    if (!isTenantFolder(tenant)) {
      throw new HearthscopeError('internal', `the tenant ${JSON.stringify(tenant)} cannot be a folder`);
    }
    return join(this.#tenants, tenant);
  }
}

function keyOf(tenant: string, buildId: string, kind: DebugFileKind): string {
  return `${kind} ${buildId} ${tenant}`;
}

function tooLarge(maxBytes: number): UploadRefusal {
  return new UploadRefusal('too_large', `the file is larger than ${maxBytes} bytes`);
}
