// SPDX-License-Identifier: Apache-2.0
//
// pyroscope-go and godeltaprof, and a sender of OTLP made of the OpenTelemetry project's own code. Their modules come from
// the Go proxy.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build, cacheDirectory, startClientProgram, toolMissing } from '../harness/client-program.ts';
import {
  type ConformanceServer,
  type FunctionSearch,
  findFunction,
  startConformanceServer,
} from '../harness/profiled-service.ts';

const SOURCES = fileURLToPath(new URL('./go', import.meta.url));
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const LABELS = 'region="eu-north", controller="checkout"';
const SPAN_ID = 'abcdef0123456789';

describe('clients in Go', { skip: toolMissing('go', 'version') }, () => {
  const programs = cacheDirectory('go');
  let server: ConformanceServer;

  before(async () => {
    build('go', ['build', '-o', `${programs}/`, './...'], { cwd: SOURCES, env: { GOTOOLCHAIN: 'local' } });
    server = await startConformanceServer();
  });

  after(() => server[Symbol.asyncDispose]());

  it('pyroscope-go: CPU by labels and span, memory, goroutines, and a delta of godeltaprof', async () => {
    using client = startClientProgram(join(programs, 'profiled'), [server.url, 'go']);
    const find = (search: FunctionSearch) => findFunction(server.url, search, client.output);
    const cpu = { labelSelector: `{service_name="go", ${LABELS}}`, profileTypeID: CPU };
    await find({ ...cpu, functionName: 'main.spendTimeHere' });
    await find({ ...cpu, functionName: 'main.spendTimeHere', spanId: SPAN_ID });
    const allocated = {
      profileTypeID: 'memory:alloc_space:bytes:space:bytes',
      functionName: 'main.allocateHere',
    };
    await find({ ...allocated, labelSelector: '{service_name="go"}' });
    await find({ ...allocated, labelSelector: '{service_name="go-delta"}' });
    await find({
      labelSelector: '{service_name="go"}',
      profileTypeID: 'goroutines:goroutine:count:goroutine:count',
      functionName: 'main.waitForLockHere',
    });
  });

  it('OTLP over gRPC with gzip, HTTP with protobuf in gzip, and HTTP with JSON', async () => {
    await promisify(execFile)(join(programs, 'otlp'), [`127.0.0.1:${server.port}`, 'otel']);
    for (const way of ['grpc', 'proto', 'json']) {
      const search = {
        labelSelector: `{service_name="otel-${way}", "host.name"="test-host"}`,
        profileTypeID: CPU,
        functionName: 'spendTimeHere',
        spanId: SPAN_ID,
      };
      await findFunction(server.url, search, () => way);
    }
  });
});
