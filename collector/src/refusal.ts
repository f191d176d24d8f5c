// SPDX-License-Identifier: Apache-2.0
//
// Why one profile is refused, before it is counted.

export interface Refusal {
  /** Short, for metrics; those of Grafana Pyroscope where it has the check too. */
  readonly reason: string;
  /** For the client. */
  readonly message: string;
}
