// SPDX-License-Identifier: Apache-2.0
//
// Reads OTLP export requests for profiles in JSON by writing them as protobuf and reading that, so there is one decoder
// that knows what a request means. As the JSON names its fields, its numbering is never in doubt.
//
// A field may have its JSON name or its protobuf name; 64-bit numbers may be strings; ids may be hex, as OTLP wants them,
// or base64, as protobuf's own JSON has them; null is as good as absent. Fields that are not known are passed over and
// counted, as the specification asks. Anything else is refused with the path at which it stands.

import { HearthscopeError, messageOf } from '../errors.ts';
import { ProtobufWriter } from '../wire/protobuf-writer.ts';
import { DEFAULT_DECODE_LIMITS } from './decode-limits.ts';
import { MAX_VALUE_DEPTH } from './otlp-attributes.ts';
import { decodeOtlpRequest, type OtlpDecodeOptions, type OtlpDecodeResult } from './otlp-decode.ts';
import {
  type JsonField,
  OTLP_JSON_MESSAGES,
  type OtlpJsonMessage,
  type ScalarKind,
} from './otlp-json-schema.ts';

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const MIN_INT32 = -(2n ** 31n);
const MAX_UINT32 = 2n ** 32n - 1n;
/** Messages inside each other, from the request to the deepest value of an attribute. */
const MAX_MESSAGE_DEPTH = 8 + 3 * MAX_VALUE_DEPTH;
/** Trace, profile and span ids in hex; in base64 they have other lengths. */
const HEX_ID = /^(?:[0-9a-f]{32}|[0-9a-f]{16})$/i;
const INTEGER = /^-?\d{1,20}$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
/** Where a number may stand that a JavaScript number cannot hold. Rarely it is the inside of a string, which only costs
 * time. */
const LONG_NUMBER = /[:,[]\s*-?\d{16}/;
/** Of a value that is not what it should be, for the error. */
const MAX_SHOWN_LENGTH = 40;

/** @param bytes UTF-8
 * @throws HearthscopeError invalid_argument for what is no such request, with the path where it fails to be one */
export function decodeOtlpJsonRequest(bytes: Uint8Array, options: OtlpDecodeOptions = {}): OtlpDecodeResult {
  const { maxJsonBytes } = options.limits ?? DEFAULT_DECODE_LIMITS;
  if (bytes.length > maxJsonBytes) {
    throw refuse(
      '',
      `a request in JSON of ${bytes.length} bytes exceeds the limit of ${maxJsonBytes}; send protobuf`,
    );
  }
  const encoder = new OtlpJsonEncoder();
  const result = decodeOtlpRequest(encoder.encode(parse(bytes)), { ...options, numbering: '1.10' });
  if (encoder.unknownFields === 0) return result;
  return {
    ...result,
    repaired: [...result.repaired, { reason: 'unknown_json_field', count: encoder.unknownFields }],
  };
}

function refuse(path: string, what: string): HearthscopeError {
  return new HearthscopeError(
    'invalid_argument',
    `otlp profiles JSON: ${path === '' ? '' : `${path}: `}${what}`,
  );
}

function parse(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return LONG_NUMBER.test(text) ? JSON.parse(text, exactNumber) : JSON.parse(text);
  } catch (error) {
    throw refuse('', messageOf(error));
  }
}

/** Integers beyond the exact range of numbers stay what they were in the text. */
function exactNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
}

class OtlpJsonEncoder {
  unknownFields = 0;
  readonly #writer = new ProtobufWriter();
  /** Names and indexes from the request to the value being written. */
  readonly #path: (string | number)[] = [];
  #depth = 0;

  encode(request: unknown): Uint8Array {
    this.#message('ExportProfilesServiceRequest', request);
    return this.#writer.finish();
  }

  #fail(what: string): never {
    const path = this.#path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
    throw refuse(path.slice(1), what);
  }

  #expected(what: string, value: unknown): never {
    const text = JSON.stringify(value) ?? String(value);
    const shown =
      text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH).toWellFormed()}…` : text;
    this.#fail(`expected ${what}, got ${shown}`);
  }

  #message(name: OtlpJsonMessage, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      this.#expected('an object', value);
    if (++this.#depth > MAX_MESSAGE_DEPTH) this.#fail(`nested deeper than ${MAX_VALUE_DEPTH} values`);
    const fields = OTLP_JSON_MESSAGES[name];
    for (const key in value) {
      const content = (value as Readonly<Record<string, unknown>>)[key];
      if (content === null) continue;
      const field = fields.get(key);
      if (field === undefined) {
        this.unknownFields++;
        continue;
      }
      this.#path.push(key);
      this.#field(field, content);
      this.#path.pop();
    }
    this.#depth--;
  }

  #field(field: JsonField, value: unknown): void {
    const { number, type, isRepeated } = field;
    if (!isRepeated) {
      if (isMessage(type)) this.#writer.row(number, () => this.#message(type, value));
      else this.#scalar(field, type, value);
      return;
    }
    if (!Array.isArray(value)) this.#expected('an array', value);
    if (isMessage(type)) {
      this.#each(value, (element) => this.#writer.row(number, () => this.#message(type, element)));
    } else if (type === 'string') {
      this.#each(value, (element) => this.#writer.presentString(number, this.#string(element)));
    } else if (type === 'fixed64') {
      const integers = this.#each(value, (element) => this.#integer(element, 0n, MAX_UINT64));
      this.#writer.packedFixed64(number, integers);
    } else {
      const [min, max] = type === 'index' ? [MIN_INT32, MAX_UINT32] : [MIN_INT64, MAX_INT64];
      const integers = this.#each(value, (element) => this.#integer(element, min, max));
      this.#writer.packedInt64(number, integers);
    }
  }

  /** Looks at the elements of an array, each with its index in the path. */
  #each<Result>(values: readonly unknown[], look: (value: unknown) => Result): Result[] {
    const depth = this.#path.length;
    const results = values.map((value, index) => {
      this.#path[depth] = index;
      return look(value);
    });
    this.#path.length = depth;
    return results;
  }

  #scalar({ number, isOneof }: JsonField, kind: ScalarKind, value: unknown): void {
    const writer = this.#writer;
    switch (kind) {
      case 'string':
        if (isOneof) writer.presentString(number, this.#string(value));
        else writer.string(number, this.#string(value));
        break;
      case 'bytes':
        writer.blob(number, this.#base64(this.#string(value)));
        break;
      case 'id':
        writer.blob(number, this.#id(this.#string(value)));
        break;
      case 'bool':
        if (typeof value !== 'boolean') this.#expected('true or false', value);
        writer.presentInt64(number, value ? 1n : 0n);
        break;
      case 'double':
        writer.presentDouble(number, this.#double(value));
        break;
      case 'fixed64':
        writer.fixed64(number, this.#integer(value, 0n, MAX_UINT64));
        break;
      case 'uint64':
        writer.int64(number, this.#integer(value, 0n, MAX_UINT64));
        break;
      case 'int64':
        writer.presentInt64(number, this.#integer(value, MIN_INT64, MAX_INT64));
        break;
      case 'index':
        writer.presentInt64(number, this.#integer(value, MIN_INT32, MAX_UINT32));
        break;
    }
  }

  #string(value: unknown): string {
    return typeof value === 'string' ? value : this.#expected('a string', value);
  }

  #integer(value: unknown, min: bigint, max: bigint): bigint {
    const isInteger =
      typeof value === 'number'
        ? Number.isSafeInteger(value)
        : typeof value === 'string' && INTEGER.test(value);
    if (!isInteger) this.#expected('an integer', value);
    const integer = BigInt(value as number | string);
    if (integer < min || integer > max) this.#expected(`an integer from ${min} to ${max}`, value);
    return integer;
  }

  #double(value: unknown): number {
    if (typeof value === 'number') return value;
    const text = this.#string(value);
    const number = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isNaN(number) && text !== 'NaN') this.#expected('a number', value);
    return number;
  }

  #id(text: string): Uint8Array {
    if (!HEX_ID.test(text)) return this.#base64(text);
    return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
      Number.parseInt(text.slice(i * 2, i * 2 + 2), 16),
    );
  }

  #base64(text: string): Uint8Array {
    if (!BASE64.test(text)) this.#expected('base64', text);
    try {
      const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
      return Uint8Array.from(binary, (character) => character.charCodeAt(0));
    } catch {
      return this.#expected('base64', text);
    }
  }
}

function isMessage(type: JsonField['type']): type is OtlpJsonMessage {
  return Object.hasOwn(OTLP_JSON_MESSAGES, type);
}
