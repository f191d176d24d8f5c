// SPDX-License-Identifier: Apache-2.0
//
// The pyroscope crate with its pprof backend, which pushes protobuf in gzip.

import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, cacheDirectory, startClientProgram, toolMissing } from '../harness/client-program.ts';
import { findFunction, startConformanceServer } from '../harness/profiled-service.ts';

const SOURCES = fileURLToPath(new URL('./rust', import.meta.url));

test('the pyroscope crate: CPU by labels', {
  skip: toolMissing('cargo', '--version') || toolMissing('pkg-config', '--exists', 'openssl'),
  timeout: 600_000,
}, async () => {
  const target = cacheDirectory('rust');
  build('cargo', ['build', '--locked', '--target-dir', target], { cwd: SOURCES });
  await using server = await startConformanceServer();
  using client = startClientProgram(join(target, 'debug', 'profiled'), [server.url, 'rust']);
  await findFunction(
    server.url,
    {
      labelSelector: '{service_name="rust", region="eu-north", controller="checkout"}',
      profileTypeID: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      functionName: 'spend_time_here',
    },
    client.output,
  );
});
