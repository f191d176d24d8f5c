// SPDX-License-Identifier: Apache-2.0
//
// What the agent ships, read by the OpenTelemetry project's own generated Go code: a backend that knows nothing of us
// must see the same services, stacks and counts.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, startHearthscope } from '../harness/hearthscope.ts';
import { type OtlpSink, startOtlpSink } from '../harness/otlp-sink.ts';
import { agentCannotRun, compileProgram } from '../harness/programs.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';

interface ForeignProfile {
  readonly resource: Record<string, string>;
  readonly sampleType: string;
  readonly periodType: string;
  readonly period: number;
  readonly payloadFormat: string;
  readonly payloadBytes: number;
  readonly samples: { stack: string[]; values: number[]; attributes: Record<string, string> }[] | null;
}

const SERVICE = 'split-foreign';

const noGo =
  spawnSync('go', ['version']).status === 0
    ? false
    : 'SKIPPED: no Go toolchain to build the foreign reader with';

describe('a stock OTLP reader', { skip: agentCannotRun() || noGo }, () => {
  const directory = temporaryDirectory('foreign');
  const reader = join(directory, 'otlp-reader');
  let sink: OtlpSink;

  before(async () => {
    execFileSync('go', ['build', '-o', reader, '.'], {
      cwd: fileURLToPath(new URL('./otlp-reader', import.meta.url)),
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    sink = await startOtlpSink();
  });

  after(async () => {
    await sink.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('sees services, named stacks and counts in what the agent sends', async () => {
    const program = spawn(compileProgram(directory, 'split', SERVICE), ['60'], { stdio: 'ignore' });
    const agent = startHearthscope([
      'agent',
      `--endpoint=${sink.endpoint}`,
      '--protocol=http',
      '--frequency=99',
    ]);
    try {
      const split = await eventually('a profile of the program', 30_000, async () => {
        const profiles = sink.requests.flatMap(
          (request) =>
            JSON.parse(execFileSync(reader, { input: request, encoding: 'utf8' })) as ForeignProfile[],
        );
        return profiles.find(
          ({ resource, samples }) => resource['service.name'] === SERVICE && (samples?.length ?? 0) > 0,
        );
      });
      assert.equal(split.sampleType, 'samples:count');
      assert.equal(split.periodType, 'cpu:nanoseconds');
      assert.equal(split.period, Math.round(1e9 / 99));
      assert.equal(split.payloadFormat, 'pprof');
      assert.ok(split.payloadBytes > 0);
      const samples = split.samples ?? [];
      assert.ok(samples.every(({ values }) => values.length === 1 && values[0]! > 0));
      assert.ok(samples.every(({ attributes }) => attributes['process.pid'] === String(program.pid)));
      assert.ok(
        samples.some(({ stack }) => stack.includes('spend_seventy') && stack.includes('main')),
        JSON.stringify(samples.slice(0, 3)),
      );
    } finally {
      program.kill('SIGKILL');
      await agent.stop();
    }
  });
});
