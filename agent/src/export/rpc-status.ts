// SPDX-License-Identifier: Apache-2.0
//
// Reads google.rpc.Status, which OTLP receivers send with an error: in the body over HTTP, in the trailer
// `grpc-status-details-bin` over gRPC.
//
//   Status    { int32 code = 1; string message = 2; repeated Any details = 3 }
//   Any       { string type_url = 1; bytes value = 2 }
//   RetryInfo { Duration retry_delay = 1 }        Duration { int64 seconds = 1; int32 nanos = 2 }

import { ProtobufReader, WireType } from '@hearthscope/profile/wire/protobuf-reader';

export interface RpcStatus {
  readonly message: string;
  /** From a RetryInfo among the details; undefined when there is none. */
  readonly retryDelayMillis: number | undefined;
}

const RETRY_INFO_TYPE = 'google.rpc.RetryInfo';

/** @throws FormatError */
export function decodeRpcStatus(bytes: Uint8Array): RpcStatus {
  const reader = new ProtobufReader('google.rpc.Status', bytes);
  let message = '';
  let retryDelayMillis: number | undefined;
  while (reader.pos < reader.limit) {
    const tag = reader.tag();
    if (tag >>> 3 === 2) {
      reader.expect(tag, WireType.lengthDelimited, 'Status.message');
      message = reader.string();
    } else if (tag >>> 3 === 3) {
      reader.expect(tag, WireType.lengthDelimited, 'Status.details');
      const outer = reader.enter();
      retryDelayMillis ??= readDetail(reader);
      reader.leave(outer);
    } else {
      reader.skip(tag);
    }
  }
  return { message, retryDelayMillis };
}

function readDetail(reader: ProtobufReader): number | undefined {
  let typeUrl = '';
  let value: Uint8Array = new Uint8Array();
  while (reader.pos < reader.limit) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) {
      reader.expect(tag, WireType.lengthDelimited, 'Any.type_url');
      typeUrl = reader.string();
    } else if (tag >>> 3 === 2) {
      reader.expect(tag, WireType.lengthDelimited, 'Any.value');
      value = reader.blob();
    } else {
      reader.skip(tag);
    }
  }
  if (typeUrl.slice(typeUrl.lastIndexOf('/') + 1) !== RETRY_INFO_TYPE) return undefined;
  return decodeRetryInfo(value);
}

function decodeRetryInfo(bytes: Uint8Array): number {
  const reader = new ProtobufReader(RETRY_INFO_TYPE, bytes);
  let millis = 0;
  while (reader.pos < reader.limit) {
    const tag = reader.tag();
    if (tag >>> 3 !== 1) {
      reader.skip(tag);
      continue;
    }
    reader.expect(tag, WireType.lengthDelimited, 'RetryInfo.retry_delay');
    const outer = reader.enter();
    while (reader.pos < reader.limit) {
      const field = reader.tag();
      if (field >>> 3 !== 1 && field >>> 3 !== 2) {
        reader.skip(field);
        continue;
      }
      reader.expect(field, WireType.varint, 'Duration');
      const value = Number(reader.int64());
      millis += field >>> 3 === 1 ? value * 1000 : value / 1e6;
    }
    reader.leave(outer);
  }
  return Math.max(0, millis);
}
