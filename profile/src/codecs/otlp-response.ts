// SPDX-License-Identifier: Apache-2.0
//
// ExportProfilesServiceResponse: empty for full success, or partial_success with what was refused and why.

import { ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import { ProtobufWriter } from '../wire/protobuf-writer.ts';

export interface OtlpPartialSuccess {
  /** Profiles that were not accepted. */
  readonly rejectedProfiles: bigint;
  /** Why, for people; may also warn when nothing was rejected. '' for full success. */
  readonly errorMessage: string;
}

export function encodeOtlpResponse({ rejectedProfiles, errorMessage }: OtlpPartialSuccess): Uint8Array {
  const writer = new ProtobufWriter();
  writer.message(1, () => {
    writer.int64(1, rejectedProfiles);
    writer.string(2, errorMessage);
  });
  return writer.finish();
}

/** @throws FormatError */
export function decodeOtlpResponse(bytes: Uint8Array): OtlpPartialSuccess {
  const reader = new ProtobufReader('otlp profiles response', bytes);
  let rejectedProfiles = 0n;
  let errorMessage = '';
  while (reader.pos < reader.limit) {
    const tag = reader.tag();
    if (tag >>> 3 !== 1) {
      reader.skip(tag);
      continue;
    }
    reader.expect(tag, WireType.lengthDelimited, 'ExportProfilesServiceResponse.partial_success');
    const outer = reader.enter();
    while (reader.pos < reader.limit) {
      const field = reader.tag();
      switch (field >>> 3) {
        case 1:
          reader.expect(field, WireType.varint, 'ExportProfilesPartialSuccess.rejected_profiles');
          rejectedProfiles = reader.int64();
          break;
        case 2:
          reader.expect(field, WireType.lengthDelimited, 'ExportProfilesPartialSuccess.error_message');
          errorMessage = reader.string();
          break;
        default:
          reader.skip(field);
      }
    }
    reader.leave(outer);
  }
  return { rejectedProfiles, errorMessage };
}
