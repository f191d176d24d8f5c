// SPDX-License-Identifier: Apache-2.0
//
// What a query asks for: the time range and, for each side, the selection with its full profile type. The types that are
// stored decide what a short name means.

import { parseAttime } from '@hearthscope/profile/attime';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { nearest } from '@hearthscope/profile/nearest';
import {
  type DialectSelection,
  parseQueryDialect,
  selectedType,
} from '@hearthscope/profile/query-dialect/query-dialect';
import { profileTypeOfName } from '@hearthscope/profile/query-dialect/type-name';
import { UsageError } from '../exit-codes.ts';
import { type Connection, call } from './connection.ts';

const NANOS_PER_MILLI = 1_000_000n;
const DEFAULT_TYPE = 'cpu';
const TYPES_METHOD = 'querier.v1.QuerierService/ProfileTypes';

/** One side of a query, with its own range. */
export interface QuerySide {
  readonly labelSelector: string;
  /** Five parts. */
  readonly profileTypeId: string;
  readonly startMillis: number;
  readonly endMillis: number;
}

export interface ResolvedQuery {
  readonly left: QuerySide;
  readonly right: QuerySide | undefined;
}

export interface TimeRange {
  readonly startMillis: number;
  readonly endMillis: number;
}

type Flags = Readonly<Record<string, unknown>>;

/** @throws UsageError when the range is empty */
export function timeRange(flags: Flags, nowMillis: number): TimeRange {
  const time = (flag: string, otherwise: string) =>
    Number(parseAttime((flags[flag] as string | undefined) ?? otherwise, nowMillis) / NANOS_PER_MILLI);
  const startMillis = time('from', 'now-1h');
  const endMillis = time('until', 'now');
  if (startMillis >= endMillis) {
    throw new UsageError(`--from (${isoTime(startMillis)}) must be before --until (${isoTime(endMillis)})`);
  }
  return { startMillis, endMillis };
}

/** @throws UsageError for a query that cannot be read */
export function selections(flags: Flags): { left: DialectSelection; right?: DialectSelection } {
  try {
    return parseQueryDialect((flags.query as string | undefined) ?? '{}');
  } catch (error) {
    throw error instanceof HearthscopeError ? new UsageError(`--query: ${error.message}`) : error;
  }
}

/** Finds the profile types. @throws HearthscopeError not_found when the server has no such type */
export async function resolveQuery(
  connection: Connection,
  flags: Flags,
  range: TimeRange,
): Promise<ResolvedQuery> {
  const { left, right } = selections(flags);
  const { profileTypeId, typeName = DEFAULT_TYPE } = typeFlag(flags);
  const resolve = async (selection: DialectSelection): Promise<QuerySide> => {
    const ofSide = {
      startMillis: range.startMillis - selection.offsetMillis,
      endMillis: range.endMillis - selection.offsetMillis,
    };
    const id =
      selection.profileTypeId ??
      (selection.typeName === undefined ? profileTypeId : undefined) ??
      (await namedType(connection, selection.typeName ?? typeName, ofSide));
    return { labelSelector: selection.labelSelector, profileTypeId: id, ...ofSide };
  };
  const resolvedLeft = await resolve(left);
  return { left: resolvedLeft, right: right && (await resolve(right)) };
}

function typeFlag({ type }: Flags): { profileTypeId?: string; typeName?: string } {
  if (type === undefined) return {};
  try {
    return selectedType(type as string);
  } catch (error) {
    throw error instanceof HearthscopeError ? new UsageError(`--type: ${error.message}`) : error;
  }
}

async function namedType(connection: Connection, name: string, range: TimeRange): Promise<string> {
  const { profileTypes = [] } = await call<{ readonly profileTypes?: readonly { readonly ID?: string }[] }>(
    connection,
    TYPES_METHOD,
    { start: String(range.startMillis), end: String(range.endMillis) },
  );
  const ids = profileTypes.flatMap(({ ID }) => ID ?? []);
  const found = profileTypeOfName(name, ids);
  if (found !== undefined) return found;
  const between = `between ${isoTime(range.startMillis)} and ${isoTime(range.endMillis)}`;
  if (ids.length === 0) throw new HearthscopeError('not_found', `there are no profiles at all ${between}`);
  const close = nearest(
    name,
    ids.flatMap((id) => id.split(':').slice(0, 2)),
  );
  throw new HearthscopeError(
    'not_found',
    `there are no profiles of type ${name} ${between}${close === undefined ? '' : `; did you mean ${close}?`}; there are ${ids.join(', ')}`,
  );
}

export function isoTime(millis: number): string {
  return new Date(millis).toISOString();
}
