// SPDX-License-Identifier: Apache-2.0
//
// What a decoder could not take over, counted by reason. Refused data is gone; repaired data is there, with a part
// changed or left out.

/** Profiles or samples that were refused for one reason. */
export interface Rejection {
  readonly what: 'profile' | 'sample';
  /** A short name for metrics, e.g. `stack_index_out_of_range`. */
  readonly reason: string;
  readonly count: number;
  /** A sentence about the first case. */
  readonly message: string;
}

/** Things that were changed on the way in, e.g. `invalid_utf8`. */
export interface Repair {
  readonly reason: string;
  readonly count: number;
}

export class DecodeReport {
  readonly #rejections = new Map<
    string,
    { what: 'profile' | 'sample'; reason: string; count: number; message: string }
  >();
  readonly #repairs = new Map<string, number>();

  reject(what: 'profile' | 'sample', reason: string, message: string, count = 1): void {
    if (count === 0) return;
    const key = `${what} ${reason}`;
    const known = this.#rejections.get(key);
    if (known === undefined) this.#rejections.set(key, { what, reason, count, message });
    else known.count += count;
  }

  repair(reason: string, count = 1): void {
    if (count > 0) this.#repairs.set(reason, (this.#repairs.get(reason) ?? 0) + count);
  }

  get rejected(): Rejection[] {
    return [...this.#rejections.values()];
  }

  get repaired(): Repair[] {
    return [...this.#repairs].map(([reason, count]) => ({ reason, count }));
  }
}
