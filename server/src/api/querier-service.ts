// SPDX-License-Identifier: Apache-2.0
//
// querier.v1.QuerierService over Connect, gRPC and gRPC-Web, in JSON and protobuf. What is declared in the .proto and not
// answered here answers `unimplemented`.

import type { ConnectRouter, HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { ANONYMOUS_TENANT } from '@hearthscope/collector/tenant';
import { QuerierService } from '../../gen/querier/v1/querier_pb.js';
import { distinctLabelSets } from '../query/label-queries.ts';
import type { Querier } from '../query/querier.ts';
import type { QueryOptions } from '../query/query-scheduler.ts';
import { clientCapabilities, isVisible } from './client-capabilities.ts';
import { connectError } from './connect-error.ts';
import {
  analyzeQueryMessage,
  flameGraphMessage,
  labelsMessage,
  mergeSpanProfileQuery,
  mergeStacktracesQuery,
  profileTypeMessage,
  selectSeriesQuery,
  seriesMessage,
  timeRange,
} from './querier-messages.ts';

export interface QuerierRoutesOptions {
  /** Whose data a request reads.
   * @throws HearthscopeError unauthenticated or invalid_argument */
  readonly tenantOf: (headers: Headers) => string;
}

const SINGLE_TENANT: QuerierRoutesOptions = { tenantOf: () => ANONYMOUS_TENANT };

/** Clients send fields and enum values that are newer than this server; they are ignored. */
const JSON_OPTIONS = { ignoreUnknownFields: true };

/** Adds the service to a router. */
export function querierRoutes(
  querier: Querier,
  options: QuerierRoutesOptions = SINGLE_TENANT,
): (router: ConnectRouter) => void {
  return (router) => {
    router.service(QuerierService, querierService(querier, options), { jsonOptions: JSON_OPTIONS });
  };
}

function querierService(
  querier: Querier,
  { tenantOf }: QuerierRoutesOptions,
): Partial<ServiceImpl<typeof QuerierService>> {
  const tenant = ({ requestHeader }: HandlerContext) => tenantOf(requestHeader);
  const options = ({ signal }: HandlerContext): QueryOptions => ({ signal });
  const capabilities = ({ requestHeader }: HandlerContext) =>
    clientCapabilities(requestHeader.get('accept') ?? '');
  return {
    profileTypes: answering(async (request, context) => ({
      profileTypes: (await querier.profileTypes(tenant(context), timeRange(request), options(context))).map(
        profileTypeMessage,
      ),
    })),
    labelNames: answering(async (request, context) => {
      const client = capabilities(context);
      const names = await querier.labelNames(
        tenant(context),
        { ...timeRange(request), matchers: request.matchers },
        options(context),
      );
      return { names: names.filter((name) => isVisible(name, client)) };
    }),
    labelValues: answering(async (request, context) => ({
      names: await querier.labelValues(
        tenant(context),
        { ...timeRange(request), matchers: request.matchers, name: request.name },
        options(context),
      ),
    })),
    series: answering(async (request, context) => {
      const client = capabilities(context);
      const sets = await querier.series(
        tenant(context),
        { ...timeRange(request), matchers: request.matchers, labelNames: request.labelNames },
        options(context),
      );
      const visible = sets.map((labels) => labels.filter(({ name }) => isVisible(name, client)));
      // Sets that differ only in what is hidden are one.
      return { labelsSet: distinctLabelSets(visible, []).map(labelsMessage) };
    }),
    selectSeries: answering(async (request, context) => ({
      series: (await querier.selectSeries(tenant(context), selectSeriesQuery(request), options(context))).map(
        seriesMessage,
      ),
    })),
    selectMergeStacktraces: answering(async (request, context) => ({
      flamegraph: flameGraphMessage(
        await querier.mergeStacktraces(tenant(context), mergeStacktracesQuery(request), options(context)),
      ),
    })),
    selectMergeSpanProfile: answering(async (request, context) => ({
      flamegraph: flameGraphMessage(
        await querier.mergeStacktraces(tenant(context), mergeSpanProfileQuery(request), options(context)),
      ),
    })),
    getProfileStats: answering(async (_request, context) => {
      const stats = await querier.profileStats(tenant(context), options(context));
      return {
        dataIngested: stats.dataIngested,
        oldestProfileTime: BigInt(stats.oldestProfileMillis),
        newestProfileTime: BigInt(stats.newestProfileMillis),
      };
    }),
    analyzeQuery: answering(async (request, context) =>
      analyzeQueryMessage(
        await querier.analyzeQuery(
          tenant(context),
          { ...timeRange(request), query: request.query },
          options(context),
        ),
      ),
    ),
  };
}

type Answer<Request, Response> = (request: Request, context: HandlerContext) => Promise<Response>;

function answering<Request, Response>(answer: Answer<Request, Response>): Answer<Request, Response> {
  return async (request, context) => {
    try {
      return await answer(request, context);
    } catch (error) {
      throw connectError(error);
    }
  };
}
