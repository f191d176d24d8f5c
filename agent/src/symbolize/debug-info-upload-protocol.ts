// SPDX-License-Identifier: Apache-2.0
//
// What the agent's main thread and its upload worker say to each other: one job at a time.

import type { BinaryRef } from './symbol-request.ts';

/** Plain data for the worker's start. */
export interface UploadWorkerConfig {
  /** Base URL of the server. */
  readonly serverUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM of the authorities to trust, for https; '' for those of the system. */
  readonly authorities: string;
  /** Larger files are not sent. */
  readonly maxFileBytes: number;
  readonly maxBytesPerSecond: number;
}

export interface UploadJob {
  /** Lower-case hex. */
  readonly buildId: string;
  readonly ref: BinaryRef;
}

/** What became of a job; labels of `hearthscope_agent_debuginfo_uploads_total`. */
export type UploadOutcome =
  | 'uploaded'
  /** The server has it, or has asked another agent. */
  | 'not_wanted'
  /** Neither the binary nor its debug file can be opened any more, or they are others now. */
  | 'gone'
  | 'too_large'
  /** The server said why. */
  | 'refused'
  /** The server takes no debug information. */
  | 'unsupported'
  /** The server is busy or cannot be reached. */
  | 'unavailable'
  | 'worker_lost'
  | 'timeout';

export interface UploadReport {
  readonly outcome: UploadOutcome;
  /** For people. */
  readonly message: string;
  readonly sentBytes: number;
}
