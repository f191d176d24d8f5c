// SPDX-License-Identifier: Apache-2.0
//
// google.rpc.Status, the error of OTLP over HTTP and the detail of errors over gRPC:
//   Status { int32 code = 1; string message = 2; repeated Any details = 3 }
//   Any { string type_url = 1; bytes value = 2 }   RetryInfo { Duration retry_delay = 1 }   Duration { int64 seconds = 1 }

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ErrorCode } from '@hearthscope/profile/errors';
import type { Refusal } from './refusal.ts';

const GRPC_STATUS: Record<ErrorCode, number> = {
  canceled: 1,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
};

const RETRY_INFO_TYPE_URL = 'type.googleapis.com/google.rpc.RetryInfo';

export function grpcStatusOf(code: ErrorCode): number {
  return GRPC_STATUS[code];
}

/** A retryable refusal carries RetryInfo; without it, senders drop the data of a RESOURCE_EXHAUSTED request. */
export function encodeRpcStatus({ code, message, retryAfterSeconds }: Refusal): Uint8Array {
  const status = new BinaryWriter();
  status.tag(1, WireType.Varint).int32(grpcStatusOf(code));
  status.tag(2, WireType.LengthDelimited).string(message);
  if (retryAfterSeconds > 0) {
    status.tag(3, WireType.LengthDelimited).fork();
    status.tag(1, WireType.LengthDelimited).string(RETRY_INFO_TYPE_URL);
    status.tag(2, WireType.LengthDelimited).fork();
    status.tag(1, WireType.LengthDelimited).fork();
    status.tag(1, WireType.Varint).int64(retryAfterSeconds);
    status.join().join().join();
  }
  return status.finish();
}
