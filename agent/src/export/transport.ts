// SPDX-License-Identifier: Apache-2.0
//
// What the exporter needs of a protocol: one attempt to deliver one request, and what became of it in the terms of the
// OTLP specification. Whether and when to try again is the exporter's business.

/** An encoded ExportProfilesServiceRequest. */
export interface ExportRequest {
  /** As it goes over the wire: gzipped already where the protocol has no compression of its own. */
  readonly body: Uint8Array;
}

export type ExportOutcome =
  | {
      readonly kind: 'accepted';
      /** Profiles that the receiver refused within an otherwise accepted request. */
      readonly rejectedProfiles: number;
      /** What the receiver says about it; '' when nothing. */
      readonly message: string;
    }
  | {
      /** Worth another attempt with the same bytes. */
      readonly kind: 'retry';
      /** A short word for the counter: `http_503`, `unavailable`, `timeout`, `ECONNREFUSED`. */
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
    };

export interface ExportTransport {
  /** True when bodies are to be gzipped by the caller. */
  readonly wantsGzip: boolean;
  /** One attempt. Never rejects. @param signal ends the attempt early, as a retry with reason `aborted` */
  send(request: ExportRequest, signal: AbortSignal): Promise<ExportOutcome>;
  close(): void;
}

/** Messages come from the network and go to the log: one line, not endless. */
const MAX_MESSAGE_CHARACTERS = 300;

export function printableMessage(message: string): string {
  return message
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_MESSAGE_CHARACTERS);
}
