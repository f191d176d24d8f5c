// SPDX-License-Identifier: Apache-2.0
//
// The parameters by which the plain endpoints select profiles: a query with its profile type, a time range in the words
// of people, and a number of nodes.

import { parseAttime } from '@hearthscope/profile/attime';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { ProfileTypeLabels } from '@hearthscope/profile/labels';
import { type ProfileType, parseProfileType } from '@hearthscope/profile/profile-type';
import {
  type DialectQuery,
  type DialectSelection,
  parseQueryDialect,
} from '@hearthscope/profile/query-dialect/query-dialect';
import { profileTypeOfName } from '@hearthscope/profile/query-dialect/type-name';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import type { MergeStacktracesRequest } from '../query/requests.ts';
import type { TimeRange } from '../storage/store.ts';

/** Whose names the parameters of one selection have. */
export interface SelectionNames {
  readonly query: string;
  readonly from: string;
  readonly until: string;
}

export interface RenderSelection {
  readonly request: MergeStacktracesRequest;
  readonly profileType: ProfileType;
}

/** The ids of the profile types that are stored in a range; only asked when a query has a short name of a type. */
export type StoredTypes = (range: TimeRange) => Promise<readonly string[]>;

/** The query of a parameter.
 * @throws HearthscopeError invalid_argument when it is missing or no query */
export function queryParameter(parameters: URLSearchParams, name: string): DialectQuery {
  const query = parameters.get(name) ?? '';
  if (query === '') throw invalid(`"${name}" is required`);
  try {
    return parseQueryDialect(query);
  } catch (error) {
    if (error instanceof HearthscopeError) throw invalid(`failed to parse "${name}": ${error.message}`);
    throw error;
  }
}

/** The range between two parameters, each of which is now when it is missing. */
export function rangeParameters(
  parameters: URLSearchParams,
  { from, until }: Pick<SelectionNames, 'from' | 'until'>,
  nowMillis: number,
): TimeRange {
  return {
    startMillis: timeParameter(parameters, from, nowMillis),
    endMillis: timeParameter(parameters, until, nowMillis),
  };
}

/** Undefined when it is missing, zero or no number, none of which is an error. `maxNodes` comes before `max-nodes`. */
export function maxNodesParameter(parameters: URLSearchParams): number | undefined {
  for (const name of ['maxNodes', 'max-nodes']) {
    const text = parameters.get(name) ?? '';
    const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : 0;
    if (value !== 0) return value;
  }
  return undefined;
}

/** @param name of the parameter that the selection comes from, for messages
 * @throws HearthscopeError invalid_argument when it says no profile type */
export async function renderSelection(
  selection: DialectSelection,
  name: string,
  range: TimeRange,
  maxNodes: number | undefined,
  storedTypes: StoredTypes,
): Promise<RenderSelection> {
  const shifted = shiftedRange(range, selection.offsetMillis);
  const profileTypeId = await typeOf(selection, name, shifted, storedTypes);
  return {
    request: {
      ...shifted,
      profileTypeId,
      labelSelector: selection.labelSelector,
      callSite: [],
      profileIds: undefined,
      traceIds: undefined,
      spanIds: undefined,
      maxNodes,
    },
    profileType: parseProfileType(profileTypeId),
  };
}

async function typeOf(
  { profileTypeId, typeName, labelSelector }: DialectSelection,
  name: string,
  range: TimeRange,
  storedTypes: StoredTypes,
): Promise<string> {
  if (profileTypeId !== undefined) return profileTypeId;
  if (typeName !== undefined) {
    const stored = await storedTypes(range);
    const id = profileTypeOfName(typeName, stored);
    if (id !== undefined) return id;
    throw invalid(
      `"${name}": no profile type is called ${JSON.stringify(typeName)} in this time range; there are: ${stored.join(', ')}`,
    );
  }
  // The type can also be a matcher: {__name__="process_cpu:cpu:…"}.
  const type = parseSelector(labelSelector).find(
    (matcher) => matcher.name === ProfileTypeLabels.profileType && matcher.operator === '=',
  );
  if (type !== undefined) return type.value;
  throw invalid(`"${name}" must contain a profile-type selection`);
}

function shiftedRange({ startMillis, endMillis }: TimeRange, offsetMillis: number): TimeRange {
  return { startMillis: startMillis - offsetMillis, endMillis: endMillis - offsetMillis };
}

function timeParameter(parameters: URLSearchParams, name: string, nowMillis: number): number {
  const text = parameters.get(name) ?? '';
  return text === '' ? nowMillis : Number(parseAttime(text, nowMillis) / 1_000_000n);
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}
