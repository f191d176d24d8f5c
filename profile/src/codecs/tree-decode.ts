// SPDX-License-Identifier: Apache-2.0
//
// Reads the binary tree of old Pyroscope agents, where a node is a frame. Nodes in depth-first order, the children of
// one behind each other:
//
//   node = length of the name (varint) · name · self value (varint) · number of children (varint) · children
//
// The root is no frame; its name is empty. Answers in this format are written and read elsewhere, as stack trees.

import { Uint32Column } from '../column.ts';
import type { Profile } from '../profile.ts';
import type { ProfileHeader } from '../profile-builder.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { NamedStacks, ROOT } from './named-stacks.ts';

const FORMAT = 'tree';
/** Name, value and number of children take a byte each. */
const MIN_NODE_BYTES = 3;

/** @param header see {@link ./collapsed.ts}: `samples` in `count` unless it says otherwise
 * @param report counts what was changed or left out
 * @throws FormatError for malformed bytes, HearthscopeError invalid_argument for a limit that is exceeded */
export function decodeTree(
  bytes: Uint8Array,
  header: Partial<ProfileHeader> = {},
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
  report?: DecodeReport,
): Profile {
  const reader = new ProtobufReader(FORMAT, bytes);
  const stacks = new NamedStacks(FORMAT, header, limits, report);
  /** Open nodes, and how many of their children are still to be read. */
  const open = new Uint32Column();
  const left = new Uint32Column();
  while (reader.pos < reader.limit) {
    const parent = open.length === 0 ? ROOT : open.data[open.length - 1]!;
    const name = reader.string();
    const isRoot = open.length === 0 && name === '';
    const node = isRoot ? ROOT : stacks.child(parent, stacks.name(name));
    const valueAt = reader.pos;
    stacks.add(node, reader.uint64(), valueAt);
    const countAt = reader.pos;
    reader.varint();
    const bytesLeft = reader.limit - reader.pos;
    if (reader.hi !== 0 || reader.lo >>> 0 > Math.floor(bytesLeft / MIN_NODE_BYTES)) {
      reader.fail(`a node has more children than the ${bytesLeft} bytes left can hold`, countAt);
    }
    open.push(node);
    left.push(reader.lo);
    while (left.length > 0 && left.data[left.length - 1] === 0) {
      open.length--;
      left.length--;
      if (left.length > 0) left.data[left.length - 1]!--;
    }
  }
  if (left.length > 0) reader.fail(`${left.data[left.length - 1]} children of a node are missing`);
  report?.repair('invalid_utf8', reader.invalidUtf8Strings);
  return stacks.build();
}
