// SPDX-License-Identifier: Apache-2.0
//
// The OTLP door for profiles: HTTP and gRPC behind one handler, used on every port that takes OTLP.

import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { sendError } from '../http/error-response.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { MAX_GRPC_MESSAGE_BYTES } from '../transport-limits.ts';
import { InFlightBudget } from './in-flight-budget.ts';
import {
  handleOtlpGrpc,
  isGrpcRequest,
  isOtlpGrpcPath,
  PROFILES_SERVICE,
  sendGrpcError,
} from './otlp-grpc.ts';
import { handleOtlpHttp, OTLP_HTTP_PATH } from './otlp-http.ts';
import { endRequest, type ReceiverContext, type ReceiverService } from './receiver-context.ts';
import { Refusal } from './refusal.ts';

export interface OtlpReceiverOptions {
  readonly service: ReceiverService;
  /** Of one request, after decompression. A gRPC message is also limited to {@link MAX_GRPC_MESSAGE_BYTES}. */
  readonly maxBodyBytes: number;
  /** Of all requests that are being received, after decompression. */
  readonly maxInFlightBytes: number;
  readonly isMultitenancyEnabled: boolean;
  /** Full names of services that the health check knows, beside the profiles service. */
  readonly healthServices: readonly string[];
  readonly logger: Logger;
  readonly registry: Registry;
}

export class OtlpReceiver {
  readonly #context: ReceiverContext;
  readonly #logger: Logger;

  constructor(options: OtlpReceiverOptions) {
    const { logger, registry, maxBodyBytes } = options;
    const budget = new InFlightBudget(options.maxInFlightBytes);
    const requests = new Counter({
      name: 'hearthscope_otlp_requests_total',
      help: 'OTLP requests by transport and by result: ok, or the reason of the refusal.',
      labelNames: ['transport', 'result'],
      registers: [registry],
    });
    const receivedBytes = new Counter({
      name: 'hearthscope_otlp_received_bytes_total',
      help: 'Bytes of OTLP requests that were stored, after decompression.',
      labelNames: ['transport'],
      registers: [registry],
    });
    new Gauge({
      name: 'hearthscope_otlp_in_flight_bytes',
      help: 'Bytes of OTLP requests that are being received, after decompression.',
      registers: [registry],
      collect() {
        this.set(budget.usedBytes);
      },
    });
    this.#logger = logger;
    this.#context = {
      service: options.service,
      budget,
      isMultitenancyEnabled: options.isMultitenancyEnabled,
      maxBodyBytes,
      maxGrpcMessageBytes: Math.min(maxBodyBytes, MAX_GRPC_MESSAGE_BYTES),
      healthServices: [PROFILES_SERVICE, ...options.healthServices],
      onSuccess: (transport, bodyBytes) => {
        requests.inc({ transport, result: 'ok' });
        receivedBytes.inc({ transport }, bodyBytes);
      },
      onRefusal: (transport, { reason, message }, cause) => {
        requests.inc({ transport, result: reason });
        if (reason === 'internal') logger.error({ err: cause, transport }, 'OTLP request failed');
        else logger.debug({ transport, reason }, `OTLP request refused: ${message}`);
      },
    };
  }

  /** Whether the path is one of OTLP's. */
  handles(path: string): boolean {
    return path === OTLP_HTTP_PATH || isOtlpGrpcPath(path);
  }

  /** Answers a request; one whose path is not OTLP's is answered "not found" in the client's protocol. */
  handle(request: HttpRequest, response: HttpResponse, path: string): void {
    this.#answer(request, response, path).catch((error: unknown) => {
      this.#logger.error({ err: error }, 'OTLP request could not be answered');
      response.destroy();
    });
  }

  async #answer(request: HttpRequest, response: HttpResponse, path: string): Promise<void> {
    if (path === OTLP_HTTP_PATH) {
      await handleOtlpHttp(request, response, this.#context);
    } else if (isOtlpGrpcPath(path)) {
      await handleOtlpGrpc(request, response, path, this.#context);
    } else {
      answerUnknownPath(request, response, path);
      endRequest(request, response);
    }
  }
}

/** "Not found", in the protocol that the client speaks. */
export function answerUnknownPath(request: HttpRequest, response: HttpResponse, path: string): void {
  if (isGrpcRequest(request) && request.httpVersionMajor >= 2) {
    sendGrpcError(response, new Refusal('unknown_method', `unknown method ${path}`));
  } else {
    sendError(response, 'not_found', `there is nothing at ${path}`);
  }
}
