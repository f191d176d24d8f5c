// SPDX-License-Identifier: Apache-2.0
//
// grpc.health.v1.Health/Check, which load balancers and orchestrators ask:
//   HealthCheckRequest { string service = 1 }   HealthCheckResponse { ServingStatus status = 1 }

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { messageOf } from '@hearthscope/profile/errors';
import { Refusal } from './refusal.ts';

const SERVING = 1;
const NOT_SERVING = 2;

/** @param services names beside '', which means the whole server
 * @throws Refusal malformed_body, or not_found for a service that is not here */
export function checkHealth(request: Uint8Array, services: readonly string[], isReady: boolean): Uint8Array {
  const service = requestedService(request);
  if (service !== '' && !services.includes(service)) {
    throw new Refusal('refused', `unknown service ${JSON.stringify(service)}`, 'not_found');
  }
  return new BinaryWriter()
    .tag(1, WireType.Varint)
    .int32(isReady ? SERVING : NOT_SERVING)
    .finish();
}

function requestedService(request: Uint8Array): string {
  let service = '';
  try {
    const reader = new BinaryReader(request);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1 && wireType === WireType.LengthDelimited) service = reader.string();
      else reader.skip(wireType, field);
    }
  } catch (error) {
    throw new Refusal('malformed_body', `HealthCheckRequest: ${messageOf(error)}`);
  }
  return service;
}
