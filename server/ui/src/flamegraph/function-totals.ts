// SPDX-License-Identifier: Apache-2.0
//
// Self and total by function name, for the table beside the graph. A function that calls itself, directly or through
// others, counts the outermost call only: its total is the time during which it was on the stack, never more.

import { KERNEL_CODE } from './frame-kind.ts';
import type { FlameLayout } from './layout.ts';

export interface FunctionTotals {
  /** Index into the layout's names, one for each function that occurs; the root is left out. */
  readonly name: Uint32Array;
  /** By name index. */
  readonly self: Float64Array;
  /** By name index. */
  readonly total: Float64Array;
  /** Index into FRAME_KINDS by name index. A name that user code and the kernel share, such as `memcpy`, is that of the
   * side where most of its total is. */
  readonly kind: Uint8Array;
}

export function functionTotals(layout: FlameLayout): FunctionTotals {
  const self = new Float64Array(layout.names.length);
  const total = new Float64Array(layout.names.length);
  const kernelTotal = new Float64Array(layout.names.length);
  const kind = new Uint8Array(layout.names.length);
  const occurs = new Uint8Array(layout.names.length);
  /** How many frames of each name are on the path walked. */
  const onPath = new Uint32Array(layout.names.length);
  /** The next child to enter, for each node of the path. */
  const nextChild: number[] = layout.length > 0 ? [layout.childStart[0]!] : [];
  const path: number[] = layout.length > 0 ? [0] : [];
  while (path.length > 0) {
    const node = path.at(-1)!;
    const child = nextChild.at(-1)!;
    if (child < layout.childStart[node + 1]!) {
      nextChild[nextChild.length - 1] = child + 1;
      const name = layout.name[child]!;
      occurs[name] = 1;
      self[name]! += layout.self[child]!;
      const isKernel = layout.kind[child] === KERNEL_CODE;
      if (!isKernel) kind[name] = layout.kind[child]!;
      if (onPath[name] === 0) {
        total[name]! += layout.total[child]!;
        if (isKernel) kernelTotal[name]! += layout.total[child]!;
      }
      onPath[name]!++;
      path.push(child);
      nextChild.push(layout.childStart[child]!);
    } else {
      path.pop();
      nextChild.pop();
      if (node > 0) onPath[layout.name[node]!]!--;
    }
  }
  for (const name of kind.keys()) if (kernelTotal[name]! > total[name]! / 2) kind[name] = KERNEL_CODE;
  return {
    name: Uint32Array.from(layout.names.keys()).filter((name) => occurs[name] === 1),
    self,
    total,
    kind,
  };
}
