// SPDX-License-Identifier: Apache-2.0
//
// What forwarding needs of a protocol: one attempt to deliver one request, and what became of it.

import type { ErrorCode } from '@hearthscope/profile/errors';
import type { NormalisedProfile } from '../normalised-profile.ts';

export interface ForwardRequest {
  readonly tenant: string;
  /** Encoded, not compressed. */
  readonly body: Uint8Array;
}

export type ForwardOutcome =
  | {
      readonly kind: 'accepted';
      /** Profiles that were refused within an otherwise accepted request. */
      readonly rejectedProfiles: number;
      /** What the receiver says about it; '' when nothing. */
      readonly message: string;
    }
  | {
      /** Worth another attempt with the same bytes. */
      readonly kind: 'retry';
      /** A short word for the counter: `http_503`, `timeout`, `ECONNREFUSED`. */
      readonly reason: string;
      readonly message: string;
      /** The receiver's wish; undefined when it has none. */
      readonly retryAfterMillis: number | undefined;
    }
  | {
      /** The same bytes would be refused again. */
      readonly kind: 'refused';
      readonly reason: string;
      readonly message: string;
      /** What the sender is told. */
      readonly code: ErrorCode;
    };

export interface ForwardTransport {
  /** One attempt. Never rejects. @param signal ends the attempt early, as a retry */
  send(request: ForwardRequest, signal: AbortSignal): Promise<ForwardOutcome>;
}

/** Normalised profiles as the bodies that a transport sends. */
export type ForwardEncoder = (profiles: readonly NormalisedProfile[]) => EncodedProfiles;

export interface EncodedProfiles {
  readonly bodies: readonly Uint8Array[];
  /** What could not be encoded, by reason. */
  readonly lost: Readonly<Record<string, number>>;
}
