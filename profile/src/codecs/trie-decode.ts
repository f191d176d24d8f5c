// SPDX-License-Identifier: Apache-2.0
//
// Reads the binary trie of old Pyroscope agents: collapsed stacks that share their beginnings, byte by byte. Nodes in
// depth-first order, the children of one behind each other:
//
//   node = length of the text (varint) · text · value (varint) · number of children (varint) · children
//
// The texts from the root to a node, one behind another, are the stack of that node: names with `;` between them. A node
// may end anywhere, in a name or in the middle of a character, so names are read when a `;` or a value ends them.

import { Uint32Column } from '../column.ts';
import { HearthscopeError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import type { ProfileHeader } from '../profile-builder.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { NamedStacks, ROOT, type StackNode } from './named-stacks.ts';

const FORMAT = 'trie';
const SEMICOLON = 0x3b;
/** Text, value and number of children take a byte each. */
const MIN_NODE_BYTES = 3;

/** Bytes of names that are read from one trie. Nodes share beginnings, so a small trie can spell many long names; and long
 * names of equal length are slow to tell apart, as V8 hashes those beyond 16 383 characters by their length. */
export const MAX_TRIE_NAME_BYTES = 8 * 1_048_576;

/** @param header see {@link ./collapsed.ts}: `samples` in `count` unless it says otherwise
 * @param report counts what was changed or left out
 * @throws FormatError for malformed bytes, HearthscopeError invalid_argument for a limit that is exceeded */
export function decodeTrie(
  bytes: Uint8Array,
  header: Partial<ProfileHeader> = {},
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
  report?: DecodeReport,
): Profile {
  return new TrieDecoder(bytes, header, limits, report).decode();
}

class TrieDecoder {
  readonly #reader: ProtobufReader;
  readonly #report: DecodeReport | undefined;
  readonly #stacks: NamedStacks;
  /** The texts of the nodes from the root to the current one. */
  #path = new Uint8Array(256);
  #pathLength = 0;
  /** Where in the path each name starts, and the stack of the names before it. */
  readonly #nameStart = new Uint32Column();
  readonly #stackBefore = new Uint32Column();
  #nameBytes = 0;
  #invalidUtf8Names = 0;

  constructor(
    bytes: Uint8Array,
    header: Partial<ProfileHeader>,
    limits: DecodeLimits,
    report: DecodeReport | undefined,
  ) {
    this.#reader = new ProtobufReader(FORMAT, bytes);
    this.#report = report;
    this.#stacks = new NamedStacks(FORMAT, header, limits, report);
    this.#nameStart.push(0);
    this.#stackBefore.push(ROOT);
  }

  decode(): Profile {
    const reader = this.#reader;
    /** Children that are still to be read, and the length of the path before each open node. */
    const left = new Uint32Column();
    const outerLength = new Uint32Column();
    while (reader.pos < reader.limit) {
      const before = this.#pathLength;
      const length = reader.length();
      this.#append(reader.pos, length);
      reader.pos += length;
      this.#readValue();
      left.push(this.#readChildCount());
      outerLength.push(before);
      while (left.length > 0 && left.data[left.length - 1] === 0) {
        left.length--;
        outerLength.length--;
        this.#cutPath(outerLength.data[outerLength.length]!);
        if (left.length > 0) left.data[left.length - 1]!--;
      }
    }
    if (left.length > 0) reader.fail(`${left.data[left.length - 1]} children of a node are missing`);
    this.#report?.repair('invalid_utf8', this.#invalidUtf8Names);
    return this.#stacks.build();
  }

  #readValue(): void {
    const reader = this.#reader;
    const at = reader.pos;
    const value = reader.uint64();
    if (value === 0n) return;
    const top = this.#nameStart.length - 1;
    const start = this.#nameStart.data[top]!;
    const before = this.#stackBefore.data[top]!;
    const stack = start === this.#pathLength ? before : this.#child(before, start, this.#pathLength);
    this.#stacks.add(stack, value, at);
  }

  #readChildCount(): number {
    const reader = this.#reader;
    const at = reader.pos;
    reader.varint();
    const possible = Math.floor((reader.limit - reader.pos) / MIN_NODE_BYTES);
    if (reader.hi !== 0 || reader.lo >>> 0 > possible) {
      reader.fail(`a node has more children than the ${reader.limit - reader.pos} bytes left can hold`, at);
    }
    return reader.lo;
  }

  /** Adds text to the path; each `;` in it ends a name. */
  #append(from: number, length: number): void {
    const start = this.#pathLength;
    const end = start + length;
    if (end > this.#path.length) {
      const grown = new Uint8Array(Math.max(end, this.#path.length * 2));
      grown.set(this.#path.subarray(0, start));
      this.#path = grown;
    }
    this.#path.set(this.#reader.bytes.subarray(from, from + length), start);
    this.#pathLength = end;
    for (let at = start; at < end; at++) {
      if (this.#path[at] !== SEMICOLON) continue;
      const top = this.#nameStart.length - 1;
      const stack = this.#child(this.#stackBefore.data[top]!, this.#nameStart.data[top]!, at);
      this.#nameStart.push(at + 1);
      this.#stackBefore.push(stack);
    }
  }

  #cutPath(length: number): void {
    this.#pathLength = length;
    while (this.#nameStart.length > 1 && this.#nameStart.data[this.#nameStart.length - 1]! > length) {
      this.#nameStart.length--;
      this.#stackBefore.length--;
    }
  }

  #child(parent: StackNode, from: number, to: number): StackNode {
    this.#nameBytes += to - from;
    if (this.#nameBytes > MAX_TRIE_NAME_BYTES) {
      throw new HearthscopeError(
        'invalid_argument',
        `${FORMAT}: the names of all stacks exceed the limit of ${MAX_TRIE_NAME_BYTES} bytes`,
      );
    }
    const name = new ProtobufReader(FORMAT, this.#path.subarray(from, to));
    const frame = this.#stacks.name(name.rest());
    this.#invalidUtf8Names += name.invalidUtf8Strings;
    return this.#stacks.child(parent, frame);
  }
}
