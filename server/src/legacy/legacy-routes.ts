// SPDX-License-Identifier: Apache-2.0
//
// The plain endpoints that were there before the query API and that Drilldown, Perses and scripts still call:
// /pyroscope/render, /pyroscope/render-diff and /pyroscope/label-values.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { formatProfileType } from '@hearthscope/profile/profile-type';
import type { PlainAnswer, PlainRequest, RouteGroup, ServiceContext } from '../http/service-context.ts';
import type { SelectSeriesRequest } from '../query/requests.ts';
import type { TimeRange } from '../storage/store.ts';
import { encodeFlamebearer, flamebearerMetadata } from './flamebearer.ts';
import {
  maxNodesParameter,
  queryParameter,
  type RenderSelection,
  rangeParameters,
  renderSelection,
  type StoredTypes,
} from './render-selection.ts';
import { type Timeline, timelineOf, timelineStepSeconds } from './timeline.ts';

type LegacyContext = Pick<ServiceContext, 'querier' | 'authenticator' | 'now'>;

/** What stands for the label in `groups` where a series does not have it. */
const NO_VALUE = '*';
const LABEL_VALUES_RANGE_MILLIS = 3_600_000;

export function legacyRoutes(context: LegacyContext): RouteGroup {
  const route = (
    path: string,
    handle: (context: LegacyContext, request: PlainRequest) => Promise<PlainAnswer>,
  ) => ({ method: 'GET', path, handle: (request: PlainRequest) => handle(context, request) }) as const;
  return {
    plain: [
      route('/pyroscope/render', render),
      route('/pyroscope/render-diff', renderDiff),
      route('/pyroscope/label-values', labelValues),
    ],
  };
}

async function render(context: LegacyContext, request: PlainRequest): Promise<PlainAnswer> {
  const { querier, authenticator, now } = context;
  const { query, signal } = request;
  const tenants = authenticator.tenants(request.identity);
  const { left, right } = queryParameter(query, 'query');
  if (right !== undefined) {
    throw new HearthscopeError(
      'invalid_argument',
      '"query" compares two selections; ask /pyroscope/render-diff',
    );
  }
  const selection = await renderSelection(
    left,
    'query',
    rangeParameters(query, { from: 'from', until: 'until' }, now()),
    maxNodesParameter(query),
    storedTypes(context, request, tenants),
  );
  if (query.get('format') === 'dot') {
    const dot = await querier.mergeDot(tenants, selection.request, { signal });
    return { status: 200, contentType: 'text/plain; charset=utf-8', body: dot };
  }
  const graph = await querier.mergeStacktraces(tenants, selection.request, { signal });
  const timelines = await renderTimelines(context, request, tenants, selection);
  const metadata = flamebearerMetadata(selection.profileType.sampleType, 'single');
  return json(encodeFlamebearer({ graph, metadata, ...timelines }));
}

/** One timeline of everything and, when it is asked for, one for each value of a label. */
async function renderTimelines(
  { querier }: LegacyContext,
  { query, signal }: PlainRequest,
  tenants: readonly string[],
  { request }: RenderSelection,
): Promise<{ readonly timeline: Timeline; readonly groups?: ReadonlyMap<string, Timeline> }> {
  const { startMillis, endMillis, profileTypeId, labelSelector } = request;
  const range: TimeRange = { startMillis, endMillis };
  const stepSeconds = timelineStepSeconds(range);
  const seriesRequest: SelectSeriesRequest = {
    ...range,
    profileTypeId,
    labelSelector,
    groupBy: [],
    stepSeconds,
    aggregation: query.get('aggregation') === 'avg' ? 'average' : 'sum',
    limit: 0,
    exemplars: 'none',
  };
  const [series] = await querier.selectSeries(tenants, seriesRequest, { signal });
  const timeline = timelineOf(series?.points ?? [], range, stepSeconds);
  // Only the first label groups.
  const groupBy = query.get('groupBy');
  if (groupBy === null) return { timeline };
  const groups = new Map<string, Timeline>();
  for (const { labels, points } of await querier.selectSeries(
    tenants,
    { ...seriesRequest, groupBy: [groupBy] },
    { signal },
  )) {
    groups.set(labels[0]?.value ?? NO_VALUE, timelineOf(points, range, stepSeconds));
  }
  return { timeline, groups };
}

async function renderDiff(context: LegacyContext, request: PlainRequest): Promise<PlainAnswer> {
  const tenants = context.authenticator.tenants(request.identity);
  const [left, right] = await comparedSelections(context, request, tenants);
  if (formatProfileType(left.profileType) !== formatProfileType(right.profileType)) {
    throw new HearthscopeError('invalid_argument', 'profile types must match');
  }
  const diff = await context.querier.diff(
    tenants,
    { left: left.request, right: right.request },
    { signal: request.signal },
  );
  const metadata = flamebearerMetadata(left.profileType.sampleType, 'double');
  return json(
    encodeFlamebearer({ graph: diff, metadata, leftTicks: diff.leftTicks, rightTicks: diff.rightTicks }),
  );
}

/** Two queries with two ranges, or `query=A vs B` with one range, in which the sides may lie some time back. */
async function comparedSelections(
  context: LegacyContext,
  request: PlainRequest,
  tenants: readonly string[],
): Promise<[RenderSelection, RenderSelection]> {
  const { query } = request;
  const nowMillis = context.now();
  const maxNodes = maxNodesParameter(query);
  const types = storedTypes(context, request, tenants);
  if (query.has('query') && !query.has('leftQuery') && !query.has('rightQuery')) {
    const { left, right } = queryParameter(query, 'query');
    if (right === undefined) {
      throw new HearthscopeError('invalid_argument', '"query" must compare two selections: {…} vs {…}');
    }
    const range = rangeParameters(query, { from: 'from', until: 'until' }, nowMillis);
    return [
      await renderSelection(left, 'query', range, maxNodes, types),
      await renderSelection(right, 'query', range, maxNodes, types),
    ];
  }
  const side = async (name: 'left' | 'right') => {
    const parameter = `${name}Query`;
    const { left, right } = queryParameter(query, parameter);
    if (right !== undefined) {
      throw new HearthscopeError(
        'invalid_argument',
        `"${parameter}" is one side of the comparison and has two itself`,
      );
    }
    const range = rangeParameters(query, { from: `${name}From`, until: `${name}Until` }, nowMillis);
    return renderSelection(left, parameter, range, maxNodes, types);
  };
  return [await side('left'), await side('right')];
}

async function labelValues(context: LegacyContext, request: PlainRequest): Promise<PlainAnswer> {
  const { query, signal } = request;
  const tenants = context.authenticator.tenants(request.identity);
  const name = query.get('label') ?? '';
  if (name === '') throw new HearthscopeError('invalid_argument', 'label parameter is required');
  const nowMillis = context.now();
  const range = query.has('from')
    ? rangeParameters(query, { from: 'from', until: 'until' }, nowMillis)
    : { startMillis: nowMillis - LABEL_VALUES_RANGE_MILLIS, endMillis: nowMillis };
  const values =
    name === '__name__'
      ? await storedTypes(context, request, tenants)(range)
      : await context.querier.labelValues(
          tenants,
          { ...range, name, matchers: query.getAll('query') },
          { signal },
        );
  return json(JSON.stringify(values));
}

function storedTypes(
  { querier }: LegacyContext,
  { signal }: PlainRequest,
  tenants: readonly string[],
): StoredTypes {
  return async (range) => (await querier.profileTypes(tenants, range, { signal })).map(({ id }) => id);
}

function json(body: string): PlainAnswer {
  return { status: 200, contentType: 'application/json', body };
}
