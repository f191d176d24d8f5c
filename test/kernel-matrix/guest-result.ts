// SPDX-License-Identifier: Apache-2.0
//
// What the guest tells the host.

export const GUEST_RESULT_MARK = 'GUEST-RESULT ';

export interface GuestProgram {
  readonly name: string;
  readonly samples: number;
  readonly complete: number;
  readonly right: number;
  /** Incomplete because they were taken before the tables were there. */
  readonly early: number;
  readonly problems: readonly string[];
  readonly failure: string | undefined;
}

export interface GuestResult {
  readonly kernel: string;
  /** By BPF program; all 0 before kernel 5.16, which does not say. */
  readonly instructions: Readonly<Record<string, number>>;
  readonly programs: readonly GuestProgram[];
  /** What went wrong, the end of the verifier's log included. */
  readonly error: string | undefined;
}
