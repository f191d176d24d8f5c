// SPDX-License-Identifier: Apache-2.0
//
// Go's rows, which come all at once and as columns, laid as one range: Go's functions follow each other without gaps.

import type { GoUnwindRows } from './go-unwind-rows.ts';
import type { UnwindRanges } from './unwind-ranges.ts';
import { isUnwindCommand } from './unwind-table.ts';
import type { UnwindTableBuilder } from './unwind-table-builder.ts';

/** All of Go's rows as one range; rules go into the table as they are needed. */
export function rangeOfGoRows({ start, limit, addresses, rowRules, rules }: GoUnwindRows): UnwindRanges {
  /** Per rule: its index in the table; -1 before it is needed. */
  const tableRules = new Int32Array(rules.length).fill(-1);
  const tableRule = (rule: number, builder: UnwindTableBuilder): number => {
    if (isUnwindCommand(rule)) return rule;
    if (tableRules[rule] === -1) tableRules[rule] = builder.rule(rules[rule]!);
    return tableRules[rule]!;
  };
  return {
    starts: Float64Array.of(start),
    limits: Float64Array.of(limit),
    addRows(_index, from, to, builder) {
      let row = lastRowUpTo(addresses, from);
      builder.add(from, tableRule(rowRules[row]!, builder));
      for (row += 1; row < addresses.length && addresses[row]! < to; row++) {
        builder.add(addresses[row]!, tableRule(rowRules[row]!, builder));
      }
    },
  };
}

function lastRowUpTo(addresses: Float64Array, address: number): number {
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (addresses[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}
