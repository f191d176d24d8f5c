// SPDX-License-Identifier: Apache-2.0
//
// OTLP over gRPC.

import { encodeOtlpResponse } from '@hearthscope/profile/codecs/otlp-response';
import { receiveBody } from '../receivers/receive-body.ts';
import type { RpcMethod } from '../receivers/rpc-call.ts';
import { maxMessageBytes } from '../receivers/rpc-protocol.ts';
import { partialSuccess } from './partial-success.ts';

export const PROFILES_SERVICE = 'opentelemetry.proto.collector.profiles.v1development.ProfilesService';
export const EXPORT_PATH = `/${PROFILES_SERVICE}/Export`;

export const EXPORT: RpcMethod = {
  receiver: 'otlp',
  transports: ['grpc'],
  encodings: ['protobuf'],
  async answer({ request, protocol, encoding, reservation }, context) {
    const outcome = await receiveBody(
      {
        request,
        reservation,
        maxBytes: maxMessageBytes(protocol),
        read: (limit) => protocol.readMessage(request, limit),
        store: (tenant, body) => context.service.exportOtlp(tenant, body, encoding),
      },
      context,
    );
    return encodeOtlpResponse(partialSuccess(outcome));
  },
};
