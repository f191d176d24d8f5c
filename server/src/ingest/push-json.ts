// SPDX-License-Identifier: Apache-2.0
//
// A push.v1.PushRequest in JSON, as the protobuf bytes that the pipeline reads. Profiles are base64 in it.

import { fromJsonString, toBinary } from '@bufbuild/protobuf';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { PushRequestSchema } from '../../gen/push/v1/push_pb.js';

/** Fields that are newer than this server are ignored.
 * @throws HearthscopeError invalid_argument */
export function pushRequestOfJson(body: Uint8Array): Uint8Array {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return toBinary(
      PushRequestSchema,
      fromJsonString(PushRequestSchema, text, { ignoreUnknownFields: true }),
    );
  } catch (error) {
    throw new HearthscopeError('invalid_argument', `PushRequest in JSON: ${messageOf(error)}`);
  }
}
