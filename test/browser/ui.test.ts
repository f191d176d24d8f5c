// SPDX-License-Identifier: Apache-2.0
//
// The page in a headless Chromium, against a real server: first without any profile, then with some from a foreign OTLP
// client. The test of the whole path looks at it with profiles of the kernel.

import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import {
  encodePushRequest,
  encodeTestPprof,
  type TestPprofSample,
} from '@hearthscope/collector/testing/push-request';
import type { Browser } from 'playwright-core';
import { foreignOtlpClient } from '../harness/foreign-otlp-client.ts';
import { type RunningTestServer, startServer } from '../harness/server.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';
import {
  type ComparisonExpectations,
  checkComparison,
  checkExports,
  checkFiles,
  checkHeatmap,
  checkNarrowComparison,
  checkQuery,
} from './comparison-checks.ts';
import { checkEmptyPage, checkPage, checkRefusal } from './page-checks.ts';
import { launchBrowser } from './watched-page.ts';

const CHROMIUM = '/usr/bin/chromium';
const skip = existsSync(CHROMIUM)
  ? false
  : `SKIPPED: there is no browser at ${CHROMIUM}: apt-get install chromium`;

describe('the page in a browser', { skip }, () => {
  const directory = temporaryDirectory('page');
  let server: RunningTestServer;
  let browser: Browser;

  before(async () => {
    server = await startServer(directory);
    browser = await launchBrowser(CHROMIUM);
  });

  after(async () => {
    await browser?.close();
    await server?.command.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('says what to do when there are no profiles yet', () => checkEmptyPage(browser, server.baseUrl));

  it('shows profiles, and is usable by mouse, keyboard, touch and in both colour schemes', async () => {
    const client = foreignOtlpClient(server.address);
    const stacks = Array.from({ length: 400 }, (_, leaf) => ({
      stack: ['main', `handler_${leaf % 20}`, 'render', `leaf_${leaf}`],
      value: 1 + (leaf % 7),
    }));
    const now = Date.now();
    await client.send(
      encodeTestRequest(
        ['shop', 'mail'].flatMap((service) =>
          [0, 1, 2].map((age) => ({
            resource: { 'service.name': service },
            period: 10_000_000,
            timeUnixNanos: BigInt(now - (age + 1) * 10_000) * 1_000_000n,
            samples: stacks,
          })),
        ),
      ),
    );
    client.close();
    await checkPage(browser, server.baseUrl, { service: 'shop', functionName: 'render' });
  });

  describe('with two periods to compare', () => {
    const expectations: ComparisonExpectations = {
      service: 'till',
      otherService: 'store',
      newFunction: 'added',
      profileId: '5b1b8b0e-7c7e-4a4e-9a54-2f3f6c1f1a01',
      spanId: '00000000000000aa',
      functionOfProfile: 'rare',
    };

    before(() => pushTwoPeriods(server.baseUrl, expectations));

    it('shows the difference and both sides, by mouse and keyboard', () =>
      checkComparison(browser, server.baseUrl, expectations));
    it('takes the selection as a text', () => checkQuery(browser, server.baseUrl, expectations));
    it('compares two files', () => checkFiles(browser, server.baseUrl));
    it('opens one profile or span of a heat map', () => checkHeatmap(browser, server.baseUrl, expectations));
    it('gives what is shown as files', () => checkExports(browser, server.baseUrl, expectations));
    it('fits a comparison on a narrow screen', () =>
      checkNarrowComparison(browser, server.baseUrl, expectations));
  });

  it('shows what the server says of a wrong selector', () => checkRefusal(browser, server.baseUrl));
});

/** Profiles of the last 15 minutes and of the 15 before, of which the latest alone has an id, a span and its function. */
async function pushTwoPeriods(
  baseUrl: string,
  { service, otherService, newFunction, profileId, spanId, functionOfProfile }: ComparisonExpectations,
): Promise<void> {
  const second = 1_000_000_000;
  const profile = (ageMinutes: number, samples: readonly TestPprofSample[], ID?: string) => ({
    rawProfile: encodeTestPprof({
      timeNanos: BigInt(Date.now() - ageMinutes * 60_000) * 1_000_000n,
      samples,
    }),
    ...(ID === undefined ? {} : { ID }),
  });
  const stack = (name: string, seconds: number, labels: TestPprofSample['labels'] = {}): TestPprofSample => ({
    stack: ['main', name],
    values: [seconds * second],
    labels,
  });
  const samples = [
    profile(20, [stack('kept', 2), stack('removed', 1)]),
    profile(5, [stack('kept', 2), stack(newFunction, 3)]),
    profile(1, [stack(functionOfProfile, 1, { span_id: spanId })], profileId),
  ];
  const response = await fetch(`${baseUrl}/push.v1.PusherService/Push`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto' },
    body: new Uint8Array(
      encodePushRequest(
        [service, otherService].map((name) => ({
          labels: [
            ['__name__', 'process_cpu'],
            ['service_name', name],
          ],
          samples,
        })),
      ),
    ),
  });
  assert.equal(response.status, 200, await response.text());
}
