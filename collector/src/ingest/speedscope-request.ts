// SPDX-License-Identifier: Apache-2.0
//
// /ingest bodies of speedscope: each profile of the file is stored as one. Several in one file are told apart by the
// label `profile_name`, and typed by their unit; the only one of a file is typed by the application's name, as texts are,
// unless it measures bytes and the name says nothing.

import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { decodeSpeedscope, type SpeedscopeProfile } from '@hearthscope/profile/codecs/speedscope';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import type { PushedProfile } from '../push/pushed-profile.ts';
import { type ApplicationSuffix, applicationSuffix } from './application-suffix.ts';
import type { IngestMetadata } from './ingest-metadata.ts';
import { typedProfile } from './typed-profile.ts';

/** @param report gets profiles that are left out, e.g. `malformed_profile`
 * @throws HearthscopeError invalid_argument when the file as a whole cannot be read */
export function pushedProfilesOfSpeedscope(
  body: Uint8Array,
  metadata: IngestMetadata,
  limits: TenantLimits,
  report: DecodeReport,
): PushedProfile[] {
  const profiles = decodeSpeedscope(body, limits.decode, report);
  const isSeveral = new Set(profiles.map(identity)).size > 1;
  const pushed: PushedProfile[] = [];
  for (const { name, unit, profile } of profiles) {
    try {
      pushed.push(
        typedProfile(
          {
            counts: profile,
            suffix: suffixOf(metadata.application.name, unit, isSeveral),
            isTime: unit !== 'none' && unit !== 'bytes',
            sizeBytes: Math.ceil(body.length / profiles.length),
            extraLabels: name === '' ? [] : [{ name: 'profile_name', value: name }],
          },
          unit === 'bytes' ? { ...metadata, sampleRateHz: 0 } : metadata,
        ),
      );
    } catch (error) {
      if (!(error instanceof HearthscopeError) || error.code !== 'invalid_argument') throw error;
      report.reject('profile', 'malformed_profile', error.message);
    }
  }
  return pushed;
}

/** Parts of one measurement, as some exporters write them, are equal in all of this. */
function identity({ name, type, unit, startValue }: SpeedscopeProfile): string {
  return JSON.stringify([name, type, unit, startValue]);
}

function suffixOf(name: string, unit: SpeedscopeProfile['unit'], isSeveral: boolean): ApplicationSuffix {
  const isBytesOfAny = unit === 'bytes' && !name.includes('.');
  return applicationSuffix((isSeveral && unit !== 'none') || isBytesOfAny ? `${name}.${unit}` : name);
}
