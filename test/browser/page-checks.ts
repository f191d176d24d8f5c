// SPDX-License-Identifier: Apache-2.0
//
// What a person can do with the page, done by a headless Chromium against a running server. The checks know the page
// by its roles and labels, as a screen reader does; of the canvas they look at pixels.

import assert from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import {
  flameCanvas,
  hoverBar,
  NARROW,
  queryOf,
  screenshot,
  serviceUrl,
  WatchedPage,
  waitForPixels,
} from './watched-page.ts';

export { launchBrowser } from './watched-page.ts';

/** What the server under test has to show. */
export interface PageExpectations {
  /** A service that has CPU profiles in the last 15 minutes. */
  readonly service: string;
  /** A function on that service's stacks. */
  readonly functionName: string;
  /** Where to leave screenshots, if anywhere. */
  readonly screenshotDirectory?: string;
}

const FLAME_GRAPH_CALL = '/querier.v1.QuerierService/SelectMergeStacktraces';

/** Runs every check of a server that has profiles. */
export async function checkPage(
  browser: Browser,
  baseUrl: string,
  expectations: PageExpectations,
): Promise<void> {
  await checkFlameGraph(browser, baseUrl, expectations);
  await checkKeyboard(browser, baseUrl, expectations);
  await checkRefresh(browser, baseUrl, expectations);
  await checkOutage(browser, baseUrl, expectations);
  await checkNarrow(browser, baseUrl, expectations);
  await checkColourSchemes(browser, baseUrl, expectations);
}

/** The page opens, a service is picked, the graph is drawn, hovered, zoomed, and searched. */
export async function checkFlameGraph(
  browser: Browser,
  baseUrl: string,
  { service, functionName }: PageExpectations,
): Promise<void> {
  await using watched = await WatchedPage.open(browser, baseUrl, {});
  const { page, errors } = watched;
  await page.getByRole('button', { name: /^Service:/ }).click();
  // A long list has a search field, and shows only the first of its services without it.
  const serviceSearch = page.getByRole('combobox', { name: 'Search service' });
  if ((await serviceSearch.count()) > 0) await serviceSearch.fill(service);
  await page.getByRole('option', { name: service, exact: true }).click();
  await page.getByRole('button', { name: `Service: ${service}`, exact: true }).waitFor();
  assert.equal(queryOf(page).get('service'), service);

  await waitForPixels(page);
  const bar = await hoverBar(page, 1);
  assert.match(bar.tooltip, /Total.*%/s);
  await page.mouse.click(bar.x, bar.y);
  await page.getByRole('button', { name: 'Reset zoom' }).waitFor();
  assert.equal(queryOf(page).getAll('frame').length, 1);
  await page.goBack();
  await page.getByRole('button', { name: 'Reset zoom' }).waitFor({ state: 'detached' });

  await page.keyboard.press('/');
  await page.keyboard.type(functionName);
  await page.getByText(/^Matched \d/).waitFor();
  assert.equal(queryOf(page).get('search'), functionName);
  await page.getByRole('rowheader', { name: functionName }).first().waitFor();
  await page.getByRole('button', { name: 'Clear search' }).click();
  await page.getByText(/^Matched \d/).waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Total' }).click();
  const totals = page.getByRole('columnheader', { name: 'Total' });
  assert.equal(await totals.getAttribute('aria-sort'), 'descending');
  const nameless = await page.getByRole('button', { name: /^$/ }).count();
  assert.equal(nameless, 0, 'every button has a name');
  assert.deepEqual(errors, []);
}

/** The graph is walked, zoomed and reset without a pointer. */
export async function checkKeyboard(
  browser: Browser,
  baseUrl: string,
  { service }: PageExpectations,
): Promise<void> {
  await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service), {});
  const { page, errors } = watched;
  await waitForPixels(page);
  const canvas = flameCanvas(page);
  await canvas.focus();
  await canvas.press('ArrowDown');
  await canvas.press('ArrowDown');
  await page.getByRole('tooltip').waitFor();
  await canvas.press('Enter');
  await page.getByRole('button', { name: 'Reset zoom' }).waitFor();
  await canvas.press('Escape');
  await page.getByRole('button', { name: 'Reset zoom' }).waitFor({ state: 'detached' });
  assert.deepEqual(errors, []);
}

/** The page asks again by itself, and stays zoomed where it was. */
export async function checkRefresh(
  browser: Browser,
  baseUrl: string,
  { service }: PageExpectations,
): Promise<void> {
  await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service, 'refresh=5'), {});
  const { page, errors } = watched;
  await waitForPixels(page);
  const bar = await hoverBar(page, 1);
  await page.mouse.click(bar.x, bar.y);
  await page.getByRole('button', { name: 'Reset zoom' }).waitFor();
  for (let refresh = 0; refresh < 2; refresh++) {
    await page.waitForResponse((response) => response.url().endsWith(FLAME_GRAPH_CALL) && response.ok());
  }
  await page.getByRole('button', { name: 'Reset zoom' }).waitFor();
  await page.getByLabel('Refresh interval').selectOption('Off');
  assert.equal(queryOf(page).get('refresh'), '0');
  assert.deepEqual(errors, []);
}

/** Without the network the page says so and keeps what it has; with it again, it goes on. */
export async function checkOutage(
  browser: Browser,
  baseUrl: string,
  { service }: PageExpectations,
): Promise<void> {
  await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service), {});
  const { page } = watched;
  await waitForPixels(page);
  await page.context().setOffline(true);
  await page.getByRole('button', { name: 'Refresh now' }).click();
  await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor();
  await waitForPixels(page);
  await page.context().setOffline(false);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('alert').waitFor({ state: 'detached' });
}

/** On a narrow screen nothing lies beyond the right edge, and graph and table are a tap apart. */
export async function checkNarrow(
  browser: Browser,
  baseUrl: string,
  { service, screenshotDirectory }: PageExpectations,
): Promise<void> {
  const options = { viewport: NARROW, deviceScaleFactor: 2, hasTouch: true };
  await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service), options);
  const { page, errors } = watched;
  await waitForPixels(page);
  const width = await page.evaluate<number>('document.documentElement.scrollWidth');
  assert.ok(width <= NARROW.width, `the page is ${width} wide on a screen of ${NARROW.width}`);
  await screenshot(page, screenshotDirectory, 'narrow');
  await page.getByRole('button', { name: 'Table', exact: true }).tap();
  await page.getByRole('table').waitFor();
  assert.deepEqual(errors, []);
}

/** Both colour schemes draw, and differ. */
export async function checkColourSchemes(
  browser: Browser,
  baseUrl: string,
  { service, screenshotDirectory }: PageExpectations,
): Promise<void> {
  const grounds = new Set<string>();
  for (const colorScheme of ['light', 'dark'] as const) {
    await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service), { colorScheme });
    const { page, errors } = watched;
    await waitForPixels(page);
    await screenshot(page, screenshotDirectory, colorScheme);
    grounds.add(await page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor'));
    assert.deepEqual(errors, []);
  }
  assert.equal(grounds.size, 2);
}

/** A server that has no profile yet: the page says what to do. */
export async function checkEmptyPage(browser: Browser, baseUrl: string): Promise<void> {
  await using watched = await WatchedPage.open(browser, baseUrl, {});
  const { page, errors } = watched;
  await page.getByRole('heading', { name: 'No profiles yet' }).waitFor();
  await page.getByText('hearthscope doctor').waitFor();
  assert.deepEqual(errors, []);
}

/** A selector that the server refuses: the page shows the server's own words. */
export async function checkRefusal(browser: Browser, baseUrl: string): Promise<void> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const [response] = await Promise.all([
    page.waitForResponse((answer) => answer.url().endsWith(FLAME_GRAPH_CALL)),
    page.goto(`${new URL('?filter=no+selector!', baseUrl)}`),
  ]);
  const { message } = (await response.json()) as { message: string };
  await page.getByRole('alert').filter({ hasText: message }).waitFor();
  await context.close();
}
