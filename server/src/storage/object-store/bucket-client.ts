// SPDX-License-Identifier: Apache-2.0
//
// What differs between the clouds: one request each, tried once, with the official SDK. Everything else (keys, prefix, time
// limits, tries, what a failure means to the caller) is the same for all of them and is in bucket-object-store.ts.

import type { ErrorCode } from '@hearthscope/profile/errors';

export interface BucketBody {
  /** By the answer's headers; the stream may break off before. */
  readonly promisedBytes: number;
  /** Of the whole object. */
  readonly objectBytes: number;
  readonly stream: AsyncIterable<Uint8Array>;
}

export interface BucketObject {
  readonly sizeBytes: number;
  /** Who wrote it: {@link WriteMark}. Undefined when the object says nothing about it. */
  readonly writer: string | undefined;
}

/** Kept with the object, so that a writer whose answer was lost can tell its own object from another's. */
export interface WriteMark {
  readonly writer: string;
}

/** The name that {@link WriteMark.writer} has among the metadata of an object. */
export const WRITER_METADATA = 'hearthscopewriter';

export interface BucketPage {
  readonly objects: readonly { readonly key: string; readonly sizeBytes: number }[];
  /** With the `/` at the end; only when asked for. */
  readonly folders: readonly string[];
  /** What asks for the next page; undefined on the last one. */
  readonly next: string | undefined;
}

export interface PageQuery {
  readonly prefix: string;
  /** Whether keys are cut at the next `/` behind the prefix. */
  readonly byFolder: boolean;
  readonly maxEntries: number;
  readonly page: string | undefined;
}

/** An object that comes in parts. Every request may be repeated. */
export interface BucketUpload {
  /** @param offset where the part begins; parts come in order */
  writePart(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  finish(signal: AbortSignal): Promise<void>;
  /** Gives up what was sent. */
  cancel(signal: AbortSignal): Promise<void>;
}

export interface BucketFailure {
  readonly code: ErrorCode;
  readonly isRetryable: boolean;
  /** Without secrets, as far as the SDK goes. */
  readonly message: string;
}

/** Keys are complete ones, with the prefix. Failures are what the SDK throws; {@link BucketClient.failure} explains them. */
export interface BucketClient {
  /** Without the prefix. */
  readonly location: string;
  /** Texts that no message may show. */
  readonly secrets: readonly string[];
  /** @param range undefined for the whole object; else not empty */
  read(
    key: string,
    range: { readonly start: number; readonly length: number } | undefined,
    signal: AbortSignal,
  ): Promise<BucketBody>;
  /** Undefined when there is no such object. */
  head(key: string, signal: AbortSignal): Promise<BucketObject | undefined>;
  /** @returns false when `ifAbsent` and there is an object of that name */
  write(
    key: string,
    bytes: Uint8Array,
    options: WriteMark & { readonly ifAbsent: boolean },
    signal: AbortSignal,
  ): Promise<boolean>;
  beginUpload(key: string, sizeBytes: number, mark: WriteMark, signal: AbortSignal): Promise<BucketUpload>;
  list(query: PageQuery, signal: AbortSignal): Promise<BucketPage>;
  /** Resolves when there is no such object any more. */
  delete(key: string, signal: AbortSignal): Promise<void>;
  failure(error: unknown): BucketFailure;
  close(): void;
}

const CODES_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  408: 'deadline_exceeded',
  429: 'unavailable',
  501: 'unimplemented',
};

/** What a status of HTTP means. @param status undefined when no answer came */
export function failureOfStatus(status: number | undefined, message: string): BucketFailure {
  const isRetryable =
    status === undefined ||
    status < 400 ||
    status === 408 ||
    status === 429 ||
    (status >= 500 && status !== 501);
  const code = status === undefined ? 'unavailable' : CODES_BY_STATUS[status];
  return { code: code ?? (isRetryable ? 'unavailable' : 'failed_precondition'), isRetryable, message };
}
