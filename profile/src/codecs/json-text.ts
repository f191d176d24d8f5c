// SPDX-License-Identifier: Apache-2.0
//
// JSON of which nothing is known yet: parsed within a size limit, and looked at through checks that say where the
// document is not what its format promises.

import { HearthscopeError, messageOf } from '../errors.ts';
import type { DecodeLimits } from './decode-limits.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads parts of a JSON document; `path` in the errors is like `profiles[2].weights`. */
export class JsonDocument {
  readonly root: JsonObject;
  readonly #format: string;

  /** @param format for errors, e.g. `speedscope`
   * @throws HearthscopeError invalid_argument for bytes beyond `maxPayloadBytes`, for text that is no JSON, and for JSON
   * that is no object */
  constructor(format: string, bytes: Uint8Array, { maxPayloadBytes }: DecodeLimits) {
    this.#format = format;
    if (bytes.length > maxPayloadBytes) {
      throw this.error(`${bytes.length} bytes exceed the limit of ${maxPayloadBytes} bytes`);
    }
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder().decode(bytes));
    } catch (error) {
      throw this.error(messageOf(error));
    }
    this.root = this.object(value, 'the document');
  }

  error(what: string): HearthscopeError {
    return new HearthscopeError('invalid_argument', `${this.#format}: ${what}`);
  }

  object(value: unknown, path: string): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.error(`${path} is not an object`);
    }
    return value as JsonObject;
  }

  array(value: unknown, path: string): readonly unknown[] {
    if (!Array.isArray(value)) throw this.error(`${path} is not an array`);
    return value;
  }

  /** '' when absent. */
  string(value: unknown, path: string): string {
    if (value === undefined || value === null) return '';
    if (typeof value !== 'string') throw this.error(`${path} is not a string`);
    return value;
  }

  /** 0 when absent. */
  number(value: unknown, path: string): number {
    if (value === undefined || value === null) return 0;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.error(`${path} is not a number`);
    return value;
  }

  /** A whole number, not negative and below `end`. */
  index(value: unknown, end: number, path: string): number {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= end) {
      throw this.error(`${path} is ${JSON.stringify(value)}, expected a whole number below ${end}`);
    }
    return value as number;
  }
}
