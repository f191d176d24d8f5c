// SPDX-License-Identifier: Apache-2.0
//
// A pprof as the message that answers carry. It is protobuf already, and may be large; so it is read only when it has to
// become JSON, and passed through as it is otherwise.

import { create, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { type Profile, ProfileSchema } from '../../gen/google/v1/profile_pb.js';

/** @param bytes a Profile; none for an empty one
 * @param isReadable whether the fields of the message are needed; without, it can be written in binary alone */
export function profileMessage(bytes: Uint8Array, isReadable: boolean): Profile {
  if (isReadable) return fromBinary(ProfileSchema, bytes);
  const message = create(ProfileSchema);
  if (bytes.length === 0) return message;
  // Fields that a schema does not know are written as they were read. The first field with all that follows it looks
  // like one such field.
  const reader = new BinaryReader(bytes);
  const [no, wireType] = reader.tag();
  message.$unknown = [{ no, wireType, data: bytes.subarray(reader.pos) }];
  return message;
}
