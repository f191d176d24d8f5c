// SPDX-License-Identifier: Apache-2.0
//
// All samples of a selection as one pprof profile, with everything that pprof can say of them.

import { encodePprofInSteps } from '@hearthscope/profile/codecs/pprof-encode';
import { cutProfileInSteps } from '@hearthscope/profile/cut-profile';
import { goPgoProfileInSteps } from '@hearthscope/profile/go-pgo';
import type { Profile } from '@hearthscope/profile/profile';
import type { ProfileType } from '@hearthscope/profile/profile-type';
import type { Steps } from '@hearthscope/profile/steps';
import type { TimeRange } from '../storage/store.ts';
import { type MergedStacks, mergedStacks, stackSelection } from './merged-stacks.ts';
import type { QueryContext } from './query-context.ts';
import { checkMaxNodes } from './query-limits.ts';
import type { MergeProfileRequest } from './requests.ts';

const NANOS_PER_MILLI = 1_000_000n;

/** What is between two samples of a type of profile, as far as clients have always been told. */
const PERIODS: Readonly<Record<string, bigint>> = { process_cpu: 1_000_000_000n, memory: 524_288n };
const OTHER_PERIOD = 1n;

/** @returns pprof bytes, uncompressed; none when nothing matches
 * @throws HearthscopeError invalid_argument */
export async function mergeProfile(context: QueryContext, request: MergeProfileRequest): Promise<Uint8Array> {
  // A shape for Go takes precedence over the call site.
  const callSite = request.goPgo === undefined ? request.callSite : [];
  const selection = await stackSelection(context, { ...request, callSite });
  const maxNodes = profileMaxNodes(context, request.maxNodes);
  const merged = await mergedStacks(context, selection);
  if (merged === undefined) return new Uint8Array(0);
  return context.pace.run(
    (function* (): Steps<Uint8Array> {
      const shaped = yield* shapedProfile(merged, request, maxNodes);
      if (shaped.samples.length === 0) return new Uint8Array(0);
      return yield* encodePprofInSteps(withHeader(shaped, merged));
    })(),
  );
}

/** The default does not hold for profiles, which are exported as a whole, unless a tenant's limits say so. */
function profileMaxNodes({ tenantLimits }: QueryContext, maxNodes: number | undefined): number {
  if (tenantLimits.maxNodesOnSelectMergeProfile) return checkMaxNodes(maxNodes, tenantLimits);
  return Math.max(0, maxNodes ?? 0);
}

function* shapedProfile(
  { profile, sums }: MergedStacks,
  { goPgo, callSite, frameFilter }: MergeProfileRequest,
  maxNodes: number,
): Steps<Profile> {
  if (goPgo !== undefined) return yield* goPgoProfileInSteps(profile, sums, goPgo);
  const isWhole = maxNodes === 0 && callSite.length === 0 && frameFilter === undefined;
  return isWhole ? profile : yield* cutProfileInSteps(profile, sums, maxNodes);
}

function withHeader(profile: Profile, { selection: { type, range } }: MergedStacks): Profile {
  return { ...profile, ...mergedProfileHeader(type, range) };
}

/** What a merged profile says about itself: what was measured, and for which time. */
export function mergedProfileHeader(
  type: ProfileType,
  range: TimeRange,
): Pick<Profile, 'sampleTypes' | 'periodType' | 'period' | 'timeUnixNanos' | 'durationNanos'> {
  return {
    sampleTypes: [type.sampleType],
    periodType: type.periodType,
    period: PERIODS[type.name] ?? OTHER_PERIOD,
    timeUnixNanos: BigInt(range.endMillis) * NANOS_PER_MILLI,
    durationNanos: durationOf(range),
  };
}

function durationOf({ startMillis, endMillis }: TimeRange): bigint {
  return BigInt(endMillis - startMillis) * NANOS_PER_MILLI;
}
