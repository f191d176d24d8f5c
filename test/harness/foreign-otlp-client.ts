// SPDX-License-Identifier: Apache-2.0
//
// An OTLP sender that is not ours: @grpc/grpc-js speaks to the server as any other project's exporter would.

import { Client, credentials, type ServiceError } from '@grpc/grpc-js';

const EXPORT = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';
const GZIP = 2;

export interface ForeignOtlpClient {
  /** Resolves when the request was acknowledged; rejects with the gRPC status otherwise. */
  send(request: Uint8Array): Promise<void>;
  close(): void;
}

export function foreignOtlpClient(address: string): ForeignOtlpClient {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.default_compression_algorithm': GZIP,
  });
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest<Uint8Array, Uint8Array>(
          EXPORT,
          (bytes) => Buffer.from(bytes),
          (bytes) => bytes,
          request,
          (error: ServiceError | null) => (error === null ? resolve() : reject(error)),
        );
      }),
    close: () => client.close(),
  };
}
