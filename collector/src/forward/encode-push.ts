// SPDX-License-Identifier: Apache-2.0
//
// Normalised profiles as a push.v1.PushRequest. Labels, types, span ids and times arrive as they are: the receiver's own
// pipeline finds nothing left to change.
//
//   PushRequest      { repeated RawProfileSeries series = 1 }
//   RawProfileSeries { repeated LabelPair labels = 1; repeated RawSample samples = 2 }
//   LabelPair        { string name = 1; string value = 2 }
//   RawSample        { bytes raw_profile = 1; string ID = 2 }

import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import { ProtobufWriter } from '@hearthscope/profile/wire/protobuf-writer';
import type { NormalisedProfile } from '../normalised-profile.ts';
import { isDerivedLabel } from './derived-labels.ts';
import type { EncodedProfiles } from './forward-transport.ts';

/** One request for all of them. */
export function encodePush(profiles: readonly NormalisedProfile[]): EncodedProfiles {
  const writer = new ProtobufWriter();
  for (const { labels, profile } of profiles) {
    writer.message(1, () => {
      for (const { name, value } of labels) {
        if (isDerivedLabel(name)) continue;
        writer.message(1, () => {
          writer.string(1, name);
          writer.string(2, value);
        });
      }
      writer.message(2, () => {
        writer.blob(1, encodePprof(profile));
        writer.string(2, uuid(profile.id));
      });
    });
  }
  return { bodies: [writer.finish()], lost: {} };
}

/** Hex digits with the dashes that other programs expect; '' stays ''. */
function uuid(id: string): string {
  return id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
