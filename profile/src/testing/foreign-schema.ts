// SPDX-License-Identifier: Apache-2.0
//
// A protobuf library that is not ours, with our schemas: the referee in tests of codecs.

import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

function schema(file: string): protobuf.Root {
  const path = fileURLToPath(new URL(`../../proto/${file}`, import.meta.url));
  return new protobuf.Root().loadSync(path, { keepCase: true });
}

const otlp = schema('otlp_profiles.proto');

export const ForeignPprof = schema('pprof.proto').lookupType('perftools.profiles.Profile');
export const ForeignOtlpRequest = foreignOtlpType('ExportProfilesServiceRequest');
export const ForeignOtlpResponse = foreignOtlpType('ExportProfilesServiceResponse');

/** A type of the OTLP schema by its short name. */
export function foreignOtlpType(name: string): protobuf.Type {
  return otlp.lookupType(`hearthscope.otlp.${name}`);
}

/** Plain JSON of a message: 64-bit numbers as strings, bytes as base64, unset fields left out. */
export function foreignDecode(type: protobuf.Type, bytes: Uint8Array): Record<string, unknown> {
  return type.toObject(type.decode(bytes), { longs: String, bytes: String });
}

/** The bytes of a message given as plain JSON; numbers of 64 bits may be strings. */
export function foreignEncode(type: protobuf.Type, message: Record<string, unknown>): Uint8Array {
  return type.encode(type.fromObject(message)).finish();
}
