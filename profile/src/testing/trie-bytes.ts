// SPDX-License-Identifier: Apache-2.0
//
// The binary trie of old Pyroscope agents, for tests: see codecs/trie-decode.ts for the layout.

interface TrieNode {
  /** Of the bytes between the parent and this node. */
  text: Uint8Array;
  value: bigint;
  readonly children: TrieNode[];
}

const utf8 = new TextEncoder();

/** @param stacks keys such as `main;work`, whose values are summed when they repeat */
export function encodeTrie(stacks: Iterable<readonly [key: string, value: bigint]>): Uint8Array {
  const root: TrieNode = { text: new Uint8Array(0), value: 0n, children: [] };
  for (const [key, value] of stacks) nodeOf(root, utf8.encode(key)).value += value;
  const bytes: number[] = [];
  write(root, bytes);
  return Uint8Array.from(bytes);
}

/** Splits nodes where keys part, in the middle of a character as well. */
function nodeOf(from: TrieNode, key: Uint8Array): TrieNode {
  let node = from;
  for (let at = 0; at < key.length; ) {
    const next = node.children.find(({ text }) => text[0] === key[at]);
    if (next === undefined) {
      const leaf: TrieNode = { text: key.subarray(at), value: 0n, children: [] };
      node.children.push(leaf);
      return leaf;
    }
    let same = 0;
    while (same < next.text.length && at + same < key.length && next.text[same] === key[at + same]) same++;
    if (same < next.text.length) {
      const tail: TrieNode = { ...next, text: next.text.subarray(same), children: [...next.children] };
      next.text = next.text.subarray(0, same);
      next.value = 0n;
      next.children.splice(0, next.children.length, tail);
    }
    node = next;
    at += same;
  }
  return node;
}

function write({ text, value, children }: TrieNode, bytes: number[]): void {
  writeVarint(BigInt(text.length), bytes);
  bytes.push(...text);
  writeVarint(value, bytes);
  writeVarint(BigInt(children.length), bytes);
  for (const child of children) write(child, bytes);
}

export function writeVarint(value: bigint, bytes: number[]): void {
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
}
