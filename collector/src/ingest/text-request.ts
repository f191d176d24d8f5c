// SPDX-License-Identifier: Apache-2.0
//
// /ingest bodies that are stacks with counts: collapsed text, lines, trie and tree. They come from clients that were
// there before pprof; what they measure is in the application's name.

import { decodeCollapsed, decodeStackLines } from '@hearthscope/profile/codecs/collapsed';
import type { DecodeLimits } from '@hearthscope/profile/codecs/decode-limits';
import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { decodeTree } from '@hearthscope/profile/codecs/tree-decode';
import { decodeTrie } from '@hearthscope/profile/codecs/trie-decode';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import type { ProfileHeader } from '@hearthscope/profile/profile-builder';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import type { PushedProfile } from '../push/pushed-profile.ts';
import { applicationSuffix } from './application-suffix.ts';
import type { IngestFormat } from './ingest-format.ts';
import type { IngestMetadata } from './ingest-metadata.ts';
import { typedProfile } from './typed-profile.ts';

export type TextFormat = Exclude<IngestFormat, 'jfr' | 'pprof' | 'speedscope'>;

type Decoder = (
  bytes: Uint8Array,
  header: Partial<ProfileHeader>,
  limits: DecodeLimits,
  report: DecodeReport,
) => Profile;

const DECODERS: Readonly<Record<TextFormat, Decoder>> = {
  collapsed: decodeCollapsed,
  lines: decodeStackLines,
  trie: decodeTrie,
  tree: decodeTree,
};

/** Lines that cannot be read are left out as long as there are others.
 * @param report gets what was left out, e.g. `malformed_line`, and what was changed
 * @throws HearthscopeError invalid_argument for a body that cannot be read, IngestMetadataError for a name with an
 * unknown suffix */
export function pushedProfileOfText(
  format: TextFormat,
  body: Uint8Array,
  metadata: IngestMetadata,
  limits: TenantLimits,
  report: DecodeReport,
): PushedProfile {
  const suffix = applicationSuffix(metadata.application.name);
  const counts = DECODERS[format](body, {}, limits.decode, report);
  const malformed = report.rejected.find(({ reason }) => reason === 'malformed_line');
  if (counts.samples.length === 0 && malformed !== undefined) {
    throw new HearthscopeError('invalid_argument', malformed.message);
  }
  return typedProfile({ counts, suffix, sizeBytes: body.length }, metadata);
}
