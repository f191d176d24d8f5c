// SPDX-License-Identifier: Apache-2.0
//
// The page in a headless Chromium, against a server that runs already: HEARTHSCOPE_BASE_URL is its address,
// HEARTHSCOPE_SERVICE and HEARTHSCOPE_FUNCTION name what it has profiles of. The test of the whole path starts a server
// of its own and calls the same checks.

import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { checkPage, checkRefusal, launchBrowser } from './page-checks.ts';

const CHROMIUM = '/usr/bin/chromium';
const {
  HEARTHSCOPE_BASE_URL: baseUrl,
  HEARTHSCOPE_SERVICE: service,
  HEARTHSCOPE_FUNCTION: functionName,
} = process.env;

/** Why the test cannot run here; false when it can. */
function reasonToSkip(): string | false {
  if (!existsSync(CHROMIUM)) return `there is no browser at ${CHROMIUM}: apt-get install chromium`;
  if (baseUrl === undefined || service === undefined || functionName === undefined) {
    return 'HEARTHSCOPE_BASE_URL, HEARTHSCOPE_SERVICE and HEARTHSCOPE_FUNCTION do not name a running server';
  }
  return false;
}

test('the page works in a browser', { skip: reasonToSkip() }, async () => {
  const browser = await launchBrowser(CHROMIUM);
  try {
    await checkPage(browser, baseUrl!, { service: service!, functionName: functionName! });
    await checkRefusal(browser, baseUrl!);
  } finally {
    await browser.close();
  }
});
