// SPDX-License-Identifier: Apache-2.0
//
// Reads typed values out of what was gathered: what was set, else the default.

import { parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';
import { settings } from './settings.ts';
import { parseSizeBytes } from './units.ts';

const defaults: ReadonlyMap<string, unknown> = new Map(
  settings.map(({ path, schema }) => [path, schema.default]),
);

/** Values are checked already. */
export class SettingReader {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  has(path: string): boolean {
    return this.#values.has(path);
  }

  value<T>(path: string): T {
    return (this.#values.get(path) ?? defaults.get(path)) as T;
  }

  bytes(path: string): number {
    return parseSizeBytes(this.value<string | number>(path))!;
  }

  millis(path: string): number {
    return parseDurationMillis(this.value<string>(path))!;
  }

  /** null for "off". */
  port(path: string): number | null {
    const given = this.value<number | 'off'>(path);
    return given === 'off' ? null : given;
  }
}
