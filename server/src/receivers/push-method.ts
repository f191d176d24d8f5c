// SPDX-License-Identifier: Apache-2.0
//
// push.v1.PusherService/Push: pprof by Connect, gRPC and gRPC-Web. The answer is an empty message, or an error that names
// each profile that was not stored.

import { errorOfOutcome } from './ingest-outcome.ts';
import { receiveBody } from './receive-body.ts';
import { Refusal } from './refusal.ts';
import type { RpcMethod } from './rpc-call.ts';
import { maxMessageBytes } from './rpc-protocol.ts';

export const PUSHER_SERVICE = 'push.v1.PusherService';
export const PUSH_PATH = `/${PUSHER_SERVICE}/Push`;

const EMPTY_JSON = Buffer.from('{}');

export const PUSH: RpcMethod = {
  receiver: 'push',
  transports: ['connect', 'grpc', 'grpc-web'],
  encodings: ['protobuf', 'json'],
  async answer({ request, protocol, encoding, reservation }, context) {
    const outcome = await receiveBody(
      {
        request,
        reservation,
        maxBytes: maxMessageBytes(protocol),
        read: (limit) => protocol.readMessage(request, limit),
        store: (tenant, body) => context.service.push(tenant, body, encoding),
      },
      context,
    );
    const error = errorOfOutcome(outcome);
    if (error !== undefined) throw new Refusal('rejected', error.message, error.code);
    return encoding === 'json' ? EMPTY_JSON : new Uint8Array(0);
  },
};
