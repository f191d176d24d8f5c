// SPDX-License-Identifier: Apache-2.0
//
// The seam to wherever blocks are kept: a folder, or a bucket of a cloud. Keys are like paths with `/`; they are made of
// checked parts only (see object-key.ts), and no key is the folder of another. All of it is what every object storage has:
// no rename, no append, no lock.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';

/** What is known of an object without reading it. */
export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** Failures are HearthscopeErrors: `not_found` for an object that is not there, `permission_denied` and `unauthenticated`
 * for credentials, `unavailable` for what may work later, `deadline_exceeded` for what took too long, `canceled` (or the
 * reason of the signal) for what the caller gave up, `failed_precondition` for a bucket that is not there or cannot do what
 * is asked of it. After a failed write the object may be stored all the same. */
export interface ObjectStore {
  /** For people: `file:/var/lib/…`, `s3://bucket/prefix`. Holds no secrets. */
  readonly location: string;
  /** `length` bytes from `start` on; fewer only at the end of the object.
   * @throws HearthscopeError not_found, data_loss when fewer bytes came than were promised */
  getRange(key: string, start: number, length: number, options?: RequestOptions): Promise<Uint8Array>;
  /** The whole object. @param maxBytes beyond it the object is refused before it is read
   * @throws HearthscopeError not_found, resource_exhausted beyond `maxBytes`, data_loss */
  get(key: string, maxBytes: number, options?: RequestOptions): Promise<Uint8Array>;
  /** Undefined when there is no such object. */
  head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined>;
  /** Stores an object, durably, in place of any of that name; no reader ever sees a part of it. */
  put(key: string, bytes: Uint8Array, options?: RequestOptions): Promise<void>;
  /** Stores a local file in the same way. The file is left where it is. */
  putFile(key: string, path: string, options?: RequestOptions): Promise<void>;
  /** Stores an object unless there is one of that name; of several writers exactly one gets true. */
  putIfAbsent(key: string, bytes: Uint8Array, options?: RequestOptions): Promise<boolean>;
  /** All objects whose keys begin with `prefix`, in the order of their keys. */
  list(prefix: string, options?: RequestOptions): AsyncIterable<ObjectInfo>;
  /** The names of the folders right below `prefix`, which ends with `/`, in the order that their keys have: `a-b/`, `a/`. */
  folders(prefix: string, options?: RequestOptions): AsyncIterable<string>;
  /** An object that is not there is no error. */
  delete(key: string, options?: RequestOptions): Promise<void>;
  /** Where the object lies as a local file; undefined in stores that have none. */
  localPath(key: string): string | undefined;
  /** What was asked of a remote store so far; undefined for one that asks nobody. */
  counters?(): ObjectStoreCounts;
  close(): Promise<void>;
}

export const BUCKET_OPERATIONS = ['read', 'head', 'write', 'upload', 'list', 'delete'] as const;
export type BucketOperation = (typeof BUCKET_OPERATIONS)[number];

/** Plain data, for metrics. */
export interface ObjectStoreCounts {
  /** Requests sent, each try counted. */
  readonly requests: Readonly<Record<BucketOperation, number>>;
  /** Tries that failed, by error code; those that were tried again are among them. */
  readonly failures: Readonly<Record<string, number>>;
  /** Tries after the first. */
  readonly retries: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** @throws HearthscopeError invalid_argument */
export function checkRange(start: number, length: number): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(length) || start < 0 || length < 0) {
    throw new HearthscopeError('invalid_argument', `${length} bytes from ${start} on are no range`);
  }
}

/** @throws HearthscopeError the reason of a signal that was given up, canceled when it is none of ours */
export function checkSignal({ signal }: RequestOptions): void {
  if (!signal?.aborted) return;
  const reason: unknown = signal.reason;
  if (reason instanceof HearthscopeError) throw reason;
  throw new HearthscopeError('canceled', `the request was given up: ${messageOf(reason)}`);
}
