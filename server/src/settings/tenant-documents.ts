// SPDX-License-Identifier: Apache-2.0
//
// One small JSON document for each tenant, on disk:
//
//   <folder>/<tenant>/<file name>     {"version": 1, …}
//
// It is read for each question: what it holds is asked for rarely, and memory then does not grow with tenants. Changes of
// one tenant wait for each other. A document that cannot be read is an error and stays as it is: whoever repairs it
// decides what is lost.

import { existsSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { writeFileDurably } from './durable-file.ts';
import { isTenantFolder, tenantFolder } from './tenant-folder.ts';

export interface TenantDocumentsOptions<Document extends object> {
  /** Of all tenants; made when it is first written to. */
  readonly folder: string;
  readonly fileName: string;
  /** Of the format; written into each file. A file of another version is not read. */
  readonly version: number;
  /** Of a file. */
  readonly maxBytes: number;
  /** Tenants that have a folder; a further one is refused. */
  readonly maxTenants: number;
  /** What a tenant has who has no file. */
  readonly empty: Document;
  /** @throws when the JSON is no such document */
  readonly parse: (json: Readonly<Record<string, unknown>>) => Document;
}

export class TenantDocuments<Document extends object> {
  readonly #options: TenantDocumentsOptions<Document>;
  /** The last change of each tenant that has not ended. */
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(options: TenantDocumentsOptions<Document>) {
    this.#options = options;
  }

  /** The tenants that have a document, sorted. */
  tenants(): string[] {
    return this.#folders().filter((tenant) => existsSync(this.#pathOf(tenant)));
  }

  /** @throws HearthscopeError data_loss when the file is damaged, failed_precondition when it is newer than this server */
  async read(tenant: string): Promise<Document> {
    const path = this.#pathOf(tenant);
    const text = await this.#textOf(path);
    if (text === undefined) return this.#options.empty;
    let version: unknown;
    try {
      const json = JSON.parse(text) as Readonly<Record<string, unknown>>;
      version = json.version;
      if (version === this.#options.version) return this.#options.parse(json);
    } catch (error) {
      throw new HearthscopeError('data_loss', `${path} is damaged: ${messageOf(error)}`, { cause: error });
    }
    throw new HearthscopeError(
      'failed_precondition',
      `${path} has version ${JSON.stringify(version)}; this server reads version ${this.#options.version}`,
    );
  }

  /** Replaces the document by what `change` makes of it; when `change` throws, or returns the same document, nothing is
   * written.
   * @throws HearthscopeError resource_exhausted when it becomes too large, unavailable when it cannot be written */
  async update(tenant: string, change: (document: Document) => Document): Promise<Document> {
    const before = this.#changes.get(tenant) ?? Promise.resolve();
    const own = before.then(() => this.#updateNow(tenant, change));
    const settled = own.catch(() => undefined);
    this.#changes.set(tenant, settled);
    try {
      return await own;
    } finally {
      if (this.#changes.get(tenant) === settled) this.#changes.delete(tenant);
    }
  }

  async #updateNow(tenant: string, change: (document: Document) => Document): Promise<Document> {
    const { version, maxBytes, maxTenants } = this.#options;
    const document = await this.read(tenant);
    const changed = change(document);
    if (changed === document) return document;
    const text = JSON.stringify({ version, ...changed });
    const bytes = Buffer.byteLength(text);
    if (bytes > maxBytes) {
      throw new HearthscopeError(
        'resource_exhausted',
        `${this.#options.fileName} of a tenant would have ${bytes} bytes, the limit is ${maxBytes}`,
      );
    }
    const path = this.#pathOf(tenant);
    if (!existsSync(path) && this.#folders().length >= maxTenants) {
      throw new HearthscopeError(
        'resource_exhausted',
        `${maxTenants} tenants have ${this.#options.fileName} already, which is the limit`,
      );
    }
    try {
      await writeFileDurably(path, text);
    } catch (error) {
      throw new HearthscopeError('unavailable', `${path} cannot be written: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return changed;
  }

  #pathOf(tenant: string): string {
    return join(tenantFolder(this.#options.folder, tenant), this.#options.fileName);
  }

  #folders(): string[] {
    if (!existsSync(this.#options.folder)) return [];
    return readdirSync(this.#options.folder).filter(isTenantFolder).sort();
  }

  /** Undefined when there is no file. */
  async #textOf(path: string): Promise<string | undefined> {
    try {
      const handle = await open(path, 'r');
      try {
        const { size } = await handle.stat();
        if (size > this.#options.maxBytes) {
          throw new HearthscopeError('data_loss', `${path} is damaged: ${size} bytes are too many`);
        }
        return await handle.readFile('utf8');
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (error instanceof HearthscopeError) throw error;
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new HearthscopeError('unavailable', `${path} cannot be read: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}
