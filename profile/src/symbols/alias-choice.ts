// SPDX-License-Identifier: Apache-2.0
//
// Which of several names at one address is shown. The rule must not depend on the order of a table, so that a
// stripped and an unstripped copy of the same binary agree:
//   1. the better rank: a symbol with a size, typed as a function, visible outside its file (the table's reader says);
//   2. fewer leading underscores (`read`, not `__read` or `__libc_read`): the name the caller wrote;
//   3. the shorter name (`strtol`, not `strtoimax`);
//   4. the first in byte order.

const underscore = 0x5f;

/** Negative when name `a` is the better one, positive when `b` is, 0 when they are equal. Ranks are compared before. */
export function compareAliases(a: Uint8Array, b: Uint8Array): number {
  const difference = leadingUnderscores(a) - leadingUnderscores(b) || a.byteLength - b.byteLength;
  if (difference !== 0) return difference;
  for (let i = 0; i < a.byteLength; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return 0;
}

function leadingUnderscores(name: Uint8Array): number {
  let count = 0;
  while (name[count] === underscore) count++;
  return count;
}
