// SPDX-License-Identifier: Apache-2.0
//
// What a frame is. The wire carries names alone, so the kind is read from the form of a frame's name and from the frames
// that it was called by.

import { isKernelEntry } from './kernel-entry.ts';

export type FrameKind =
  | 'user'
  | 'kernel'
  /** No symbol was found: `binary+0xoffset`, or `[unknown]` where there is no binary either. */
  | 'unresolved'
  /** `other`: what the server left out to stay within the node limit. */
  | 'truncated';

/** Columns hold a kind as its index in here. */
export const FRAME_KINDS: readonly FrameKind[] = ['user', 'kernel', 'unresolved', 'truncated'];

export const USER_CODE = FRAME_KINDS.indexOf('user');
export const KERNEL_CODE = FRAME_KINDS.indexOf('kernel');
const UNRESOLVED_CODE = FRAME_KINDS.indexOf('unresolved');
export const TRUNCATED_CODE = FRAME_KINDS.indexOf('truncated');

const OFFSET = /\+0x[0-9a-f]+$/;
const UNKNOWN = '[unknown]';
/** How some profilers mark a function of the kernel. */
const KERNEL_SUFFIX = /_\[k\]$/;

/** Nodes in the order of their depth, as {@link ./layout.ts} has them: parents before children, 0 the root. */
interface FrameColumns {
  readonly length: number;
  readonly names: readonly string[];
  readonly name: Uint32Array;
  readonly parent: Uint32Array;
}

/** The kind of each node, as an index into {@link FRAME_KINDS}. What the kernel calls is the kernel. */
export function frameKinds({ length, names, name, parent }: FrameColumns): Uint8Array {
  const kindOfName = Uint8Array.from(names, kindByName);
  const entersKernel = Uint8Array.from(names, (text) =>
    Number(KERNEL_SUFFIX.test(text) || isKernelEntry(text)),
  );
  const inKernel = new Uint8Array(length);
  const kinds = new Uint8Array(length);
  // The root stands for everything and is no frame.
  for (let node = 1; node < length; node++) {
    inKernel[node] = inKernel[parent[node]!]! | entersKernel[name[node]!]!;
    const kind = kindOfName[name[node]!]!;
    kinds[node] = kind === USER_CODE && inKernel[node] === 1 ? KERNEL_CODE : kind;
  }
  return kinds;
}

/** What the name alone tells: without the frames above it, a function of the kernel is like any other. */
function kindByName(name: string): number {
  if (name === 'other') return TRUNCATED_CODE;
  return name === UNKNOWN || OFFSET.test(name) ? UNRESOLVED_CODE : USER_CODE;
}

/** What belongs together and is coloured alike: the binary, package, namespace, class or C prefix of a name. */
export function packageOf(name: string): string {
  const bare = name.replace(KERNEL_SUFFIX, '');
  if (bare === UNKNOWN || OFFSET.test(bare)) return bare.replace(OFFSET, '');
  // Arguments and template parameters name other packages.
  const head = bare.replace(/^[<&*(\s]+/, '').replace(/[(<[{].*$/s, '');
  const scope = head.indexOf('::');
  if (scope > 0) return head.slice(0, scope);
  const slash = head.lastIndexOf('/');
  if (slash >= 0) {
    const dot = head.indexOf('.', slash);
    return dot > 0 ? head.slice(0, dot) : head;
  }
  const dot = head.lastIndexOf('.');
  if (dot > 0) return head.slice(0, dot);
  const prefix = /^_*[A-Za-z0-9]+(?=_)/.exec(head);
  return prefix === null ? head : prefix[0].replace(/^_+/, '');
}
