// SPDX-License-Identifier: Apache-2.0
//
// Counts, by reason, what of a binary's unwind information could not be used.

/** Reasons are stable names in snake case, for metrics. */
export class UnwindProblems {
  readonly counts: Record<string, number> = {};

  count(reason: string, by = 1): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + by;
  }

  addAll(counts: Readonly<Record<string, number>>): void {
    for (const [reason, by] of Object.entries(counts)) this.count(reason, by);
  }
}
