// SPDX-License-Identifier: Apache-2.0
//
// A client that uploads debug information the way others do, for tests.

import { setTimeout } from 'node:timers/promises';

const MAX_WAIT_MILLIS = 20_000;
const SERVICE = 'debuginfo.v1alpha1.DebuginfoService';

export type FileType = 'TYPE_UNSPECIFIED' | 'TYPE_EXECUTABLE_FULL' | 'TYPE_EXECUTABLE_NO_TEXT';

export interface HttpAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export class UploadClient {
  readonly #origin: string;

  constructor(port: number) {
    this.#origin = `http://127.0.0.1:${port}`;
  }

  /** Calls a method in JSON. */
  call(method: string, request: object): Promise<HttpAnswer> {
    return this.#post(method, JSON.stringify(request), { 'content-type': 'application/json' });
  }

  async shouldUpload(gnuBuildId: string, type: FileType = 'TYPE_UNSPECIFIED'): Promise<boolean> {
    const { body } = await this.call('ShouldInitiateUpload', { file: { gnuBuildId, type, name: 'a.out' } });
    return body.shouldInitiateUpload === true;
  }

  /** Sends the bytes without asking first. */
  send(buildId: string, bytes: Uint8Array, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.#post(`Upload/${buildId}`, Buffer.from(bytes), headers);
  }

  /** Asks and sends. */
  async upload(buildId: string, bytes: Uint8Array, type?: FileType): Promise<HttpAnswer> {
    await this.shouldUpload(buildId, type);
    return this.send(buildId, bytes);
  }

  /** The state of each file, by type. */
  async list(): Promise<Record<string, unknown>[]> {
    const { body } = await this.call('ListDebuginfo', {});
    return (body.object ?? []) as Record<string, unknown>[];
  }

  /** The value of a metric, 0 when it was never counted. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.#origin}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? 0);
  }

  /** Waits until something has been counted. */
  async counted(name: string): Promise<void> {
    const deadline = Date.now() + MAX_WAIT_MILLIS;
    while ((await this.metric(name)) === 0) {
      if (Date.now() > deadline) throw new Error(`nothing was counted in ${name}`);
      await setTimeout(10);
    }
  }

  async #post(
    method: string,
    body: string | Buffer<ArrayBuffer>,
    headers: Record<string, string>,
  ): Promise<HttpAnswer> {
    const response = await fetch(`${this.#origin}/${SERVICE}/${method}`, { method: 'POST', headers, body });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
}
