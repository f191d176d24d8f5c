// SPDX-License-Identifier: Apache-2.0
//
// querier.v1.QuerierService over Connect, gRPC and gRPC-Web, in JSON and protobuf.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  AsyncQueryStatus,
  AsyncQueryType,
  ProfileFormat,
  QuerierService,
  type SelectMergeStacktracesRequest,
  type SelectMergeStacktracesResponseSchema,
} from '../../gen/querier/v1/querier_pb.js';
import { identityOfCall } from '../http/request-identity.ts';
import type { RouteGroup, ServiceContext } from '../http/service-context.ts';
import { AsyncQueries, type AsyncQueryState } from '../query/async-queries.ts';
import { distinctLabelSets } from '../query/label-queries.ts';
import type { QueryOptions } from '../query/query-scheduler.ts';
import { clientCapabilities, isVisible } from './client-capabilities.ts';
import { answering, JSON_OPTIONS } from './connect-service.ts';
import { profileMessage } from './profile-message.ts';
import {
  analyzeQueryMessage,
  flameGraphDiffMessage,
  flameGraphMessage,
  functionTableDiffMessage,
  functionTableMessage,
  heatmapMessage,
  labelsMessage,
  profileTypeMessage,
  sandwichMessage,
  seriesMessage,
} from './querier-messages.ts';
import {
  diffQuery,
  heatmapQuery,
  mergePprofQuery,
  mergeProfileQuery,
  mergeSpanProfileQuery,
  mergeStacktracesQuery,
  sandwichQuery,
  selectSeriesQuery,
  timeRange,
} from './querier-queries.ts';

export type QuerierServiceContext = Pick<
  ServiceContext,
  'querier' | 'authenticator' | 'limitsOf' | 'now' | 'registry'
>;

export interface QuerierServiceOptions {
  /** Whether a query may be left behind and asked for later. Default: no. */
  readonly asyncQueriesEnabled?: boolean | undefined;
}

export function querierRoutes(
  context: QuerierServiceContext,
  options: QuerierServiceOptions = {},
): RouteGroup {
  const stacktraces = new StacktracesAnswers(context, options);
  return {
    connect: (router) => {
      router.service(QuerierService, querierService(context, stacktraces), { jsonOptions: JSON_OPTIONS });
    },
    close: () => stacktraces.close(),
  };
}

/** The fields of an answer. */
type StacktracesResponse = Extract<
  MessageInitShape<typeof SelectMergeStacktracesResponseSchema>,
  { readonly $typeName?: undefined }
>;

function querierService(
  { querier, authenticator }: QuerierServiceContext,
  stacktraces: StacktracesAnswers,
): Partial<ServiceImpl<typeof QuerierService>> {
  const tenants = (call: HandlerContext) => authenticator.tenants(identityOfCall(call));
  const options = ({ signal }: HandlerContext): QueryOptions => ({ signal });
  const capabilities = ({ requestHeader }: HandlerContext) =>
    clientCapabilities(requestHeader.get('accept') ?? '');
  return {
    profileTypes: answering(async (request, call) => ({
      profileTypes: (await querier.profileTypes(tenants(call), timeRange(request), options(call))).map(
        profileTypeMessage,
      ),
    })),
    labelNames: answering(async (request, call) => {
      const client = capabilities(call);
      const query = { ...timeRange(request), matchers: request.matchers };
      const names = await querier.labelNames(tenants(call), query, options(call));
      return { names: names.filter((name) => isVisible(name, client)) };
    }),
    labelValues: answering(async (request, call) => {
      const query = { ...timeRange(request), matchers: request.matchers, name: request.name };
      return { names: await querier.labelValues(tenants(call), query, options(call)) };
    }),
    series: answering(async (request, call) => {
      const client = capabilities(call);
      const { matchers, labelNames } = request;
      const query = { ...timeRange(request), matchers, labelNames };
      const sets = await querier.series(tenants(call), query, options(call));
      const visible = sets.map((labels) => labels.filter(({ name }) => isVisible(name, client)));
      // Sets that differ only in what is hidden are one.
      return { labelsSet: distinctLabelSets(visible, []).map(labelsMessage) };
    }),
    selectSeries: answering(async (request, call) => {
      const series = await querier.selectSeries(tenants(call), selectSeriesQuery(request), options(call));
      return { series: series.map(seriesMessage) };
    }),
    selectHeatmap: answering(async (request, call) => {
      const series = await querier.selectHeatmap(tenants(call), heatmapQuery(request), options(call));
      return { series: series.map(heatmapMessage) };
    }),
    selectMergeStacktraces: answering((request, call) => stacktraces.answer(tenants(call), request, call)),
    selectMergeSpanProfile: answering(async (request, call) => {
      const query = mergeSpanProfileQuery(request);
      if (request.format === ProfileFormat.TREE) {
        return { tree: await querier.mergeTree(tenants(call), query, options(call)) };
      }
      const flameGraph = await querier.mergeStacktraces(tenants(call), query, options(call));
      return { flamegraph: flameGraphMessage(flameGraph) };
    }),
    selectMergeProfile: answering(async (request, call) =>
      profileMessage(
        await querier.mergeProfile(tenants(call), mergeProfileQuery(request), options(call)),
        isJson(call),
      ),
    ),
    diff: answering(async (request, call) => {
      const query = diffQuery(request);
      if (request.format === ProfileFormat.FUNCTIONS) {
        const table = await querier.diffFunctions(tenants(call), query, options(call));
        return { functions: functionTableDiffMessage(table) };
      }
      return { flamegraph: flameGraphDiffMessage(await querier.diff(tenants(call), query, options(call))) };
    }),
    getProfileStats: answering(async (_request, call) => {
      const tenant = authenticator.tenant(identityOfCall(call), 'read');
      const stats = await querier.profileStats([tenant], options(call));
      return {
        dataIngested: stats.dataIngested,
        oldestProfileTime: BigInt(stats.oldestProfileMillis),
        newestProfileTime: BigInt(stats.newestProfileMillis),
      };
    }),
    analyzeQuery: answering(async (request, call) => {
      const query = { ...timeRange(request), query: request.query };
      return analyzeQueryMessage(await querier.analyzeQuery(tenants(call), query, options(call)));
    }),
  };
}

/** SelectMergeStacktraces, in all its formats, now or later. */
class StacktracesAnswers {
  readonly #querier: QuerierServiceContext['querier'];
  readonly #async: AsyncQueries<StacktracesResponse> | undefined;

  constructor(
    { querier, limitsOf, now, registry }: QuerierServiceContext,
    { asyncQueriesEnabled = false }: QuerierServiceOptions,
  ) {
    this.#querier = querier;
    this.#async = asyncQueriesEnabled
      ? new AsyncQueries({
          maxConcurrent: (tenant) => limitsOf(tenant).maxAsyncQueryConcurrency,
          sizeOf: responseBytes,
          now,
          registry,
        })
      : undefined;
  }

  async answer(
    tenants: readonly string[],
    request: SelectMergeStacktracesRequest,
    call: HandlerContext,
  ): Promise<StacktracesResponse> {
    if (request.async?.type !== AsyncQueryType.FORCE) {
      return this.#answerNow(tenants, request, isJson(call), { signal: call.signal });
    }
    if (this.#async === undefined) {
      throw new HearthscopeError(
        'unimplemented',
        'async queries are disabled (set -query-frontend.async-queries-enabled=true)',
      );
    }
    const { requestId } = request.async;
    if (requestId !== '') return asyncResponse(requestId, this.#async.poll(tenants, requestId));
    // Whoever comes for the answer may read it in either encoding, so it is kept as a whole message.
    const id = this.#async.submit(tenants, (signal) => this.#answerNow(tenants, request, true, { signal }));
    return asyncResponse(id, { status: 'in_progress' });
  }

  async close(): Promise<void> {
    await this.#async?.close();
  }

  async #answerNow(
    tenants: readonly string[],
    request: SelectMergeStacktracesRequest,
    isReadable: boolean,
    options: QueryOptions,
  ): Promise<StacktracesResponse> {
    const querier = this.#querier;
    switch (request.format) {
      case ProfileFormat.TREE:
        return { tree: await querier.mergeTree(tenants, mergeStacktracesQuery(request), options) };
      case ProfileFormat.DOT:
        return { dot: await querier.mergeDot(tenants, mergeStacktracesQuery(request), options) };
      case ProfileFormat.PPROF: {
        const bytes = await querier.mergeProfile(tenants, mergePprofQuery(request), options);
        return { pprof: { profile: profileMessage(bytes, isReadable) } };
      }
      case ProfileFormat.FUNCTIONS: {
        const table = await querier.functions(tenants, mergeStacktracesQuery(request), options);
        return { functions: functionTableMessage(table) };
      }
      case ProfileFormat.SANDWICH:
        return {
          sandwich: sandwichMessage(await querier.sandwich(tenants, sandwichQuery(request), options)),
        };
      case ProfileFormat.FUNCTION_TREE:
        throw new HearthscopeError('unimplemented', 'the format FUNCTION_TREE is not available');
      default: {
        const flameGraph = await querier.mergeStacktraces(tenants, mergeStacktracesQuery(request), options);
        return { flamegraph: flameGraphMessage(flameGraph) };
      }
    }
  }
}

function asyncResponse(requestId: string, state: AsyncQueryState<StacktracesResponse>): StacktracesResponse {
  switch (state.status) {
    case 'in_progress':
      return { async: { requestId, status: AsyncQueryStatus.IN_PROGRESS } };
    case 'success':
      return { ...state.answer, async: { requestId, status: AsyncQueryStatus.SUCCESS } };
    case 'failure':
      return { async: { requestId, status: AsyncQueryStatus.FAILURE, errorMessage: state.message } };
  }
}

const BYTES_PER_VALUE = 8;
/** Of a sample, a location or a function of a profile, or of a row of a table or of a sandwich, about. */
const BYTES_PER_ROW = 256;

function responseBytes({ flamegraph, tree, dot, pprof, functions, sandwich }: StacktracesResponse): number {
  const values = flamegraph?.levels?.reduce((sum, level) => sum + (level.values?.length ?? 0), 0) ?? 0;
  const names = [flamegraph?.names, sandwich?.names, pprof?.profile?.stringTable];
  const characters = names.flatMap((list) => list ?? []).reduce((sum, name) => sum + name.length, 0);
  const rows =
    (functions?.functions?.length ?? 0) +
    (sandwich?.names?.length ?? 0) +
    (pprof?.profile?.sample?.length ?? 0) +
    (pprof?.profile?.location?.length ?? 0);
  const text = dot?.length ?? 0;
  return values * BYTES_PER_VALUE + (tree?.length ?? 0) + 2 * (characters + text) + rows * BYTES_PER_ROW;
}

/** Whether the answer is going to be JSON. */
function isJson({ requestHeader }: HandlerContext): boolean {
  return (requestHeader.get('content-type') ?? '').includes('json');
}
