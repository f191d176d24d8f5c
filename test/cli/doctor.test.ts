// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentCannotRun } from '../harness/programs.ts';
import { cannotBecomeNobody, NOBODY, run } from './run.ts';

const EXIT_AGENT_UNSUPPORTED = 5;

test('doctor --json has everything that decides whether the agent can run', async () => {
  const { status, stdout, stderr } = await run(['doctor', '--json']);
  assert.equal(stderr, '');
  const report = JSON.parse(stdout);
  assert.equal(status, report.canRun ? 0 : EXIT_AGENT_UNSUPPORTED);
  assert.equal(report.canRun, report.problems.length === 0);
  assert.match(report.kernel.release, /^\d+\.\d+/);
  assert.equal(typeof report.btf.available, 'boolean');
  assert.ok(Array.isArray(report.capabilities.effective));
  assert.equal(typeof report.kallsyms.addressesVisible, 'boolean');
  assert.match(report.cgroup.version, /^(v1|v2|hybrid|none)$/);
  assert.ok(
    'eventParanoid' in report.perf && 'eventMaxStack' in report.perf && 'maxSampleRateHz' in report.perf,
  );
  assert.equal(report.addon.loaded, report.addon.error === null);
  for (const { name, available, required, detail, lostWithout } of report.features) {
    assert.deepEqual(
      [name, available, required, detail, lostWithout].map((value) => typeof value),
      ['string', 'boolean', 'boolean', 'string', 'string'],
    );
  }
});

test('where the agent can run, doctor says so', { skip: agentCannotRun() }, async () => {
  const { status, stdout } = await run(['doctor']);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /The agent can run here\.\n$/);
  assert.match(stdout, /BPF features\n {2}yes {2}/);
});

test('an ordinary user is told what is missing', { skip: cannotBecomeNobody() }, async () => {
  const { status, stdout } = await run(['doctor'], { uid: NOBODY });
  assert.equal(status, EXIT_AGENT_UNSUPPORTED, stdout);
  assert.match(stdout, /The agent cannot run here:\n {2}it needs root/);
  assert.match(stdout, /missing: CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE/);
});
