// SPDX-License-Identifier: Apache-2.0
//
// The whole path with nothing simulated: a program with a known split, the kernel, the agent, OTLP, the server, a query.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkPage, launchBrowser } from '../browser/page-checks.ts';
import { eventually, freePort, type RunningCommand, startHearthscope } from '../harness/hearthscope.ts';
import { agentCannotRun, compileProgram } from '../harness/programs.ts';
import { CPU_PROFILE_TYPE, callQuerier, flameGraph, totalOf } from '../harness/querier.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';

const CPU_SECONDS = 20;
const SERVICE = 'split-whole-path';

describe('hearthscope up on this kernel', { skip: agentCannotRun() }, () => {
  const directory = temporaryDirectory('e2e');
  let up: RunningCommand;
  let baseUrl: string;

  before(async () => {
    const [http, grpc, otlpHttp] = [await freePort(), await freePort(), await freePort()];
    baseUrl = `http://127.0.0.1:${http}`;
    up = startHearthscope([
      'up',
      `--http-port=${http}`,
      `--otlp-grpc-port=${grpc}`,
      `--otlp-http-port=${otlpHttp}`,
      `--data-dir=${join(directory, 'data')}`,
      '--frequency=99',
    ]);
    await eventually('the server answers /ready', 30_000, async () =>
      (await fetch(`${baseUrl}/ready`)).ok ? true : undefined,
    );
  });

  after(async () => {
    await up.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('shows a known 70/20/10 split within 3 points, by service, with kernel and user frames named', async () => {
    const program = compileProgram(directory, 'split', SERVICE);
    const child = spawn(program, [String(CPU_SECONDS)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    await once(child, 'close');
    const truth = JSON.parse(printed) as Record<string, number>;

    // The last samples of the program arrive with the batch that follows its end.
    const nodes = await eventually('all samples of the program', 30_000, async () => {
      const found = await flameGraph(baseUrl, `{service_name="${SERVICE}"}`);
      return totalOf(found, 'main') >= CPU_SECONDS * 0.9e9 ? found : undefined;
    });
    const all = totalOf(nodes, 'main');
    const spent = Object.values(truth).reduce((sum, seconds) => sum + seconds, 0);
    for (const [name, seconds] of Object.entries(truth)) {
      const shown = (100 * totalOf(nodes, name)) / all;
      const real = (100 * seconds) / spent;
      assert.ok(
        Math.abs(shown - real) <= 3,
        `${name}: ${shown.toFixed(1)} % shown, ${real.toFixed(1)} % real`,
      );
    }
    assert.ok(Math.abs(all / 1e9 - spent) / spent < 0.1, `${all / 1e9} s of CPU shown, ${spent} s spent`);
  });

  it('names kernel functions', async () => {
    const reader = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1M'], { stdio: 'ignore' });
    try {
      const nodes = await eventually('samples of dd', 40_000, async () => {
        const found = await flameGraph(baseUrl, '{service_name="dd"}');
        return found.length > 0 && found.some((node) => node.name.includes('read_zero')) ? found : undefined;
      });
      assert.ok(nodes.length > 2);
    } finally {
      reader.kill('SIGKILL');
    }
  });

  it('answers what Grafana asks first', async () => {
    const range = { start: Date.now() - 3_600_000, end: Date.now() + 60_000 };
    const { profileTypes } = await callQuerier<{ profileTypes: { ID: string }[] }>(
      baseUrl,
      'ProfileTypes',
      range,
    );
    assert.deepEqual(
      profileTypes.map(({ ID }) => ID),
      [CPU_PROFILE_TYPE],
    );
    const { names } = await callQuerier<{ names: string[] }>(baseUrl, 'LabelValues', {
      ...range,
      name: 'service_name',
    });
    assert.ok(names.includes(SERVICE) && names.includes('dd'), names.join(', '));
    const { series } = await callQuerier<{ series: { points: { value: number }[] }[] }>(
      baseUrl,
      'SelectSeries',
      {
        ...range,
        profileTypeID: CPU_PROFILE_TYPE,
        labelSelector: `{service_name="${SERVICE}"}`,
        step: 15,
      },
    );
    const sum = series.flatMap(({ points }) => points).reduce((total, { value }) => total + value, 0);
    assert.ok(Math.abs(sum / 1e9 - CPU_SECONDS) < CPU_SECONDS * 0.1, `${sum / 1e9} s in the series`);
  });

  it('exposes metrics of the server and, on loopback, of the agent', async () => {
    const server = await (await fetch(`${baseUrl}/metrics`)).text();
    assert.match(server, /^hearthscope_\w+/m);
  });

  it('is a page that a person can use', {
    skip: existsSync('/usr/bin/chromium') ? false : 'SKIPPED: no chromium',
  }, async () => {
    const browser = await launchBrowser();
    try {
      await checkPage(browser, baseUrl, { service: SERVICE, functionName: 'spend_seventy' });
    } finally {
      await browser.close();
    }
  });

  it('runs the server without privileges', () => {
    const children = readFileSync(`/proc/${up.pid}/task/${up.pid}/children`, 'utf8').trim().split(' ');
    const uids = children.map(
      (pid) => readFileSync(`/proc/${pid}/status`, 'utf8').match(/^Uid:\s+(\d+)/m)?.[1],
    );
    assert.equal(uids.length, 2);
    assert.ok(uids.includes('0') && uids.some((uid) => uid !== '0'), `uids ${uids}`);
  });

  it('stops within 10 s of SIGTERM', async () => {
    const started = Date.now();
    assert.equal(await up.stop(), 0);
    assert.ok(Date.now() - started < 10_000);
  });
});
