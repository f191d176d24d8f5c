// SPDX-License-Identifier: Apache-2.0
//
// pyroscope-io, which pushes through its own core in Rust. It is installed from PyPI into a virtual environment.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, cacheDirectory, startClientProgram, toolMissing } from '../harness/client-program.ts';
import { findFunction, startConformanceServer } from '../harness/profiled-service.ts';

const SOURCES = fileURLToPath(new URL('./python', import.meta.url));

/** The environment's Python, once the client is in it. */
function installClient(): string {
  const directory = cacheDirectory('python');
  const python = join(directory, 'bin', 'python');
  if (!existsSync(python)) build('python3', ['-m', 'venv', directory], { cwd: SOURCES });
  if (spawnSync(python, ['-c', 'import pyroscope'], { stdio: 'ignore' }).status !== 0) {
    build(python, ['-m', 'pip', 'install', '--quiet', '--requirement', 'requirements.txt'], { cwd: SOURCES });
  }
  return python;
}

test('pyroscope-io: CPU by labels, and memory', {
  skip: toolMissing('python3', '-c', 'import venv, ensurepip'),
}, async () => {
  const python = installClient();
  await using server = await startConformanceServer();
  using client = startClientProgram(python, [join(SOURCES, 'program.py'), server.url, 'python']);
  const find = (profileTypeID: string, functionName: string, labels: string) =>
    findFunction(
      server.url,
      { labelSelector: `{service_name="python", ${labels}}`, profileTypeID, functionName },
      client.output,
    );
  await find(
    'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    'spend_time_here',
    'region="eu-north", controller="checkout"',
  );
  await find('memory:alloc_space:bytes:space:bytes', 'allocate_here', 'region="eu-north"');
});
