// SPDX-License-Identifier: Apache-2.0
//
// The page in a headless Chromium, against a real server: first without any profile, then with some from a foreign OTLP
// client. The test of the whole path looks at it with profiles of the kernel.

import { existsSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import type { Browser } from 'playwright-core';
import { foreignOtlpClient } from '../harness/foreign-otlp-client.ts';
import { type RunningTestServer, startServer } from '../harness/server.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';
import { checkEmptyPage, checkPage, checkRefusal, launchBrowser } from './page-checks.ts';

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

  it('shows what the server says of a wrong selector', () => checkRefusal(browser, server.baseUrl));
});
