// SPDX-License-Identifier: Apache-2.0
//
// grpc.health.v1.Health/Check. It asks for no tenant: load balancers have none.

import { checkHealth } from './grpc-health.ts';
import type { RpcMethod } from './rpc-call.ts';

export const HEALTH_CHECK_PATH = '/grpc.health.v1.Health/Check';

/** A service name and its framing. */
const MAX_REQUEST_BYTES = 64 * 1024;

export const HEALTH_CHECK: RpcMethod = {
  receiver: 'health',
  transports: ['grpc'],
  encodings: ['protobuf'],
  async answer({ request, protocol, reservation }, { service, healthServices }) {
    const { bytes } = await protocol.readMessage(request, { maxBytes: MAX_REQUEST_BYTES, reservation });
    return checkHealth(bytes, healthServices, service.readiness().ready);
  },
};
