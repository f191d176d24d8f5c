// SPDX-License-Identifier: Apache-2.0
//
// What an export is made of: the blocks of one tenant, one profile type, a selector and a range.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { labelValue, ProfileTypeLabels } from '@hearthscope/profile/labels';
import { nearest } from '@hearthscope/profile/nearest';
import { type ProfileType, parseProfileType } from '@hearthscope/profile/profile-type';
import { profileTypeOfName } from '@hearthscope/profile/query-dialect/type-name';
import type { LabelMatcher } from '@hearthscope/profile/selector/label-matcher';
import { labelMatcher } from '@hearthscope/profile/selector/selector';
import { LocalBlockFiles } from '../blocks/block-files.ts';
import { type BlockQuestion, BlockStore } from '../blocks/block-store.ts';
import type { ToolEngine } from '../inspect/stored-data.ts';
import { EXPORT_SYMBOL_BYTES } from '../inspect/tool-limits.ts';
import type { Log } from '../log.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import type { TimeRange } from '../store.ts';

export interface ExportRequest {
  readonly tenant: string;
  readonly matchers: readonly LabelMatcher[];
  /** A short name such as `cpu`, or all five parts. */
  readonly typeName: string;
  readonly range: TimeRange;
}

export interface OpenExport {
  readonly blocks: BlockStore;
  readonly question: BlockQuestion;
  readonly type: ProfileType;
  readonly range: TimeRange;
}

/** Reads manifests and series; writes nothing.
 * @throws HearthscopeError not_found when there are no such profiles in blocks */
export async function openExport(
  store: ObjectStore,
  { engine, temporaryDirectory }: ToolEngine,
  { tenant, matchers, typeName, range }: ExportRequest,
  log: Log,
): Promise<OpenExport> {
  const blocks = await BlockStore.open({
    store,
    engine,
    files: new LocalBlockFiles(store),
    temporaryDirectory,
    writerId: '',
    symbolCacheBytes: EXPORT_SYMBOL_BYTES,
    now: () => Date.now(),
    log,
  });
  const question = (all: readonly LabelMatcher[]): BlockQuestion => ({
    tenant,
    selection: { ...range, alternatives: [all] },
    withoutCuts: [],
  });
  const sets = await blocks.seriesLabels(question(matchers));
  const ids = [...new Set(sets.map((labels) => labelValue(labels, ProfileTypeLabels.profileType)))].sort();
  const id = ids.includes(typeName) ? typeName : profileTypeOfName(typeName, ids);
  if (id === undefined) {
    const close = nearest(
      typeName,
      ids.flatMap((known) => known.split(':').slice(0, 2)),
    );
    throw new HearthscopeError(
      'not_found',
      ids.length === 0
        ? `tenant ${JSON.stringify(tenant)} has no such profiles in blocks in that time`
        : `there are no profiles of type ${typeName}${close === undefined ? '' : `; did you mean ${close}?`}; there are ${ids.join(', ')}`,
    );
  }
  const ofType = [labelMatcher(ProfileTypeLabels.profileType, '=', id), ...matchers];
  return { blocks, question: question(ofType), type: parseProfileType(id), range };
}
