// SPDX-License-Identifier: Apache-2.0
//
// All doors for profiles behind one handler, used on every port that takes them: OTLP over HTTP and gRPC, push by
// Connect, gRPC and gRPC-Web, and /ingest. Behind them is a store, or another server that profiles are sent on to.

import type { Authenticator } from '@hearthscope/collector/auth/authenticator';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { sendError } from '../http/error-response.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { EXPORT, EXPORT_PATH, PROFILES_SERVICE } from '../otlp/otlp-grpc.ts';
import { handleOtlpHttp, OTLP_HTTP_PATH } from '../otlp/otlp-http.ts';
import { isGrpcMediaType, sendGrpcError } from './grpc-protocol.ts';
import { HEALTH_CHECK, HEALTH_CHECK_PATH } from './health-method.ts';
import { InFlightBudget } from './in-flight-budget.ts';
import { handleIngest, INGEST_PATHS } from './ingest-http.ts';
import { PUSH, PUSH_PATH, PUSHER_SERVICE } from './push-method.ts';
import { endRequest, mediaType, type ReceiverContext, type ReceiverService } from './receiver-context.ts';
import { ReceiverMetrics } from './receiver-metrics.ts';
import { Refusal } from './refusal.ts';
import { handleRpc, type RpcMethod } from './rpc-call.ts';

export interface ReceiversOptions {
  readonly service: ReceiverService;
  readonly authenticator: Authenticator;
  /** Of one request of a tenant, after decompression. A gRPC message is also limited to 100 MiB. */
  readonly maxBodyBytesOf: (tenant: string) => number;
  /** Of all requests that are being received, after decompression. */
  readonly maxInFlightBytes: number;
  /** Full names of services that the health check knows, beside those of the doors. */
  readonly healthServices: readonly string[];
  readonly logger: Logger;
  readonly registry: Registry;
}

const HEALTH_SERVICE = 'grpc.health.v1.Health';
const RPC_SERVICES: readonly string[] = [PROFILES_SERVICE, PUSHER_SERVICE, HEALTH_SERVICE];
const RPC_METHODS: ReadonlyMap<string, RpcMethod> = new Map([
  [EXPORT_PATH, EXPORT],
  [PUSH_PATH, PUSH],
  [HEALTH_CHECK_PATH, HEALTH_CHECK],
]);

export class Receivers {
  /** All paths that have a door of their own. */
  static readonly paths: readonly string[] = [OTLP_HTTP_PATH, ...INGEST_PATHS, ...RPC_METHODS.keys()];
  readonly #context: ReceiverContext;
  readonly #logger: Logger;

  constructor(options: ReceiversOptions) {
    const { logger } = options;
    const budget = new InFlightBudget(options.maxInFlightBytes);
    const metrics = new ReceiverMetrics(options.registry, logger, budget);
    this.#logger = logger;
    this.#context = {
      service: options.service,
      authenticator: options.authenticator,
      budget,
      maxBodyBytesOf: options.maxBodyBytesOf,
      healthServices: [...RPC_SERVICES, ...options.healthServices],
      onReceived: (tenant, sizes, outcome) => metrics.received(tenant, sizes, outcome),
      onDiscard: (tenant, reason, bytes) => metrics.discarded(tenant, reason, bytes),
      onSuccess: (door) => metrics.succeeded(door),
      onRefusal: (door, refusal, cause) => metrics.refused(door, refusal, cause),
    };
  }

  handles(path: string): boolean {
    return path === OTLP_HTTP_PATH || INGEST_PATHS.includes(path) || isRpcPath(path);
  }

  /** Answers a request; one whose path has no door is answered "not found" in the client's protocol. */
  handle(request: HttpRequest, response: HttpResponse, path: string): void {
    this.#answer(request, response, path).catch((error: unknown) => {
      this.#logger.error({ err: error, path }, 'a request could not be answered');
      response.destroy();
    });
  }

  async #answer(request: HttpRequest, response: HttpResponse, path: string): Promise<void> {
    if (path === OTLP_HTTP_PATH) {
      await handleOtlpHttp(request, response, this.#context);
    } else if (INGEST_PATHS.includes(path)) {
      await handleIngest(request, response, this.#context);
    } else if (isRpcPath(path)) {
      await handleRpc(request, response, this.#context, RPC_METHODS.get(path));
    } else {
      answerUnknownPath(request, response, path);
      endRequest(request, response);
    }
  }
}

/** Whether a path is of one of the services here; methods that they do not have are answered as unimplemented. */
function isRpcPath(path: string): boolean {
  return RPC_SERVICES.includes(path.slice(1, path.indexOf('/', 1)));
}

/** "Not found", in the protocol that the client speaks. */
export function answerUnknownPath(request: HttpRequest, response: HttpResponse, path: string): void {
  if (isGrpcMediaType(mediaType(request)) && request.httpVersionMajor >= 2) {
    sendGrpcError(response, new Refusal('unknown_method', `unknown method ${path}`));
  } else {
    sendError(response, 'not_found', `there is nothing at ${path}`);
  }
}
