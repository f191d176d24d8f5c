// SPDX-License-Identifier: Apache-2.0
//
// Trees for the tests of the flame graph, and their encoding as the server sends it.

import fc from 'fast-check';
import type { FlameGraphMessage } from './layout.ts';

export interface FlameTree {
  readonly name: string;
  readonly self: number;
  readonly children: readonly FlameTree[];
}

const NAMES = ['main', 'run', 'parse', 'read', 'asm_exc_page_fault', 'schedule_[k]'];

/** Trees with recursion, bars of 1 beside bars of 1000, and names that repeat; siblings have distinct names. */
export const treeArbitrary: fc.Arbitrary<FlameTree> = fc
  .letrec<{ tree: FlameTree }>((tie) => ({
    tree: fc.record({
      name: fc.constantFrom(...NAMES),
      self: fc.oneof(fc.nat(3), fc.nat(1000)),
      children: fc.oneof(
        { depthSize: 'medium', withCrossShrink: true },
        fc.constant([]),
        fc.uniqueArray(tie('tree'), { maxLength: NAMES.length, selector: ({ name }) => name }),
      ),
    }),
  }))
  .tree.map((tree) => withoutEmpty({ ...tree, name: 'total' }));

/** A bar of width 0 is never sent. */
function withoutEmpty(tree: FlameTree): FlameTree {
  return { ...tree, children: tree.children.map(withoutEmpty).filter((child) => totalOf(child) > 0) };
}

export function totalOf(tree: FlameTree): number {
  return tree.children.reduce((sum, child) => sum + totalOf(child), tree.self);
}

/** Levels of [gap, total, self, name]; a bar's self comes before its children, as the server draws it. */
export function treeMessage(root: FlameTree): FlameGraphMessage {
  const names: string[] = [];
  const levels: { values: string[] }[] = [];
  let row = [{ tree: root, x: 0 }];
  while (row.length > 0) {
    const values: string[] = [];
    let end = 0;
    const next: typeof row = [];
    for (const { tree, x } of row) {
      if (!names.includes(tree.name)) names.push(tree.name);
      const total = totalOf(tree);
      values.push(String(x - end), String(total), String(tree.self), String(names.indexOf(tree.name)));
      end = x + total;
      let childX = x + tree.self;
      for (const child of tree.children) {
        next.push({ tree: child, x: childX });
        childX += totalOf(child);
      }
    }
    levels.push({ values });
    row = next;
  }
  return { names, levels };
}
