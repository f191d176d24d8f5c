// SPDX-License-Identifier: Apache-2.0
//
// What a person can do beyond looking at one selection: compare two of them or two files, write the selection as a
// text, open one profile or span of a heat map, and take what is shown away as a file.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { ForeignPprof, foreignDecode } from '@hearthscope/profile/testing/foreign-schema';
import type { Browser, Page } from 'playwright-core';
import { eventually } from '../harness/hearthscope.ts';
import {
  flameCanvas,
  hoverBar,
  NARROW,
  queryOf,
  serviceUrl,
  WatchedPage,
  waitForPixels,
} from './watched-page.ts';

/** What the server under test has to show, of the last 15 minutes and the 15 before. */
export interface ComparisonExpectations {
  readonly service: string;
  /** Another service with profiles of the same type. */
  readonly otherService: string;
  /** A function that is on stacks of the last 15 minutes alone. */
  readonly newFunction: string;
  /** The profile that is the largest of the latest, and a span of it. */
  readonly profileId: string;
  readonly spanId: string;
  /** A function that is on the stacks of the profile and its span, where `newFunction` is not. */
  readonly functionOfProfile: string;
}

const DIFF_CALL = '/querier.v1.QuerierService/Diff';

/** The comparison with the period before: the graph of the difference, both sides, the table, swapping. */
export async function checkComparison(
  browser: Browser,
  baseUrl: string,
  { service, newFunction }: ComparisonExpectations,
): Promise<void> {
  await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service), {});
  const { page, errors } = watched;
  await Promise.all([
    page.waitForResponse((response) => response.url().endsWith(DIFF_CALL) && response.ok()),
    page.getByRole('button', { name: 'Compare', exact: true }).click(),
  ]);
  await page.getByRole('region', { name: 'Comparison', exact: true }).waitFor();
  assert.equal(queryOf(page).get('base'), 'previous');
  await waitForPixels(page);
  assert.match((await hoverBar(page, 1)).tooltip, /Baseline.*Comparison.*Change.*Total.*%.*%.*Self/s);
  await page
    .getByRole('list', { name: /^Colours: change/ })
    .getByText('gone')
    .waitFor();

  const first = page.getByRole('row').nth(1);
  assert.match((await first.textContent())!, new RegExp(`${newFunction}.*new`), 'what grew most comes first');
  for (const column of ['Baseline', 'Comparison']) {
    await page.getByRole('columnheader', { name: column }).getByRole('button').click();
    const header = page.getByRole('columnheader', { name: column });
    assert.equal(await header.getAttribute('aria-sort'), 'descending');
  }

  await flameCanvas(page).focus();
  await flameCanvas(page).press('ArrowDown');
  await flameCanvas(page).press('ArrowDown');
  await page.locator('[aria-live]', { hasText: /baseline .* comparison / }).waitFor({ state: 'attached' });

  await page.getByRole('button', { name: 'Side by side' }).click();
  await page.getByRole('region', { name: 'Flame graph: Baseline' }).waitFor();
  assert.equal(await flameCanvas(page).count(), 2);
  await flameCanvas(page).first().focus();
  await flameCanvas(page).first().press('ArrowDown');
  await flameCanvas(page).first().press('ArrowDown');
  await flameCanvas(page).first().press('Enter');
  await page.getByRole('button', { name: 'Reset zoom' }).waitFor();
  assert.equal(queryOf(page).getAll('frame').length, 1);
  assert.equal(queryOf(page).get('show'), 'sides');

  await page.getByRole('button', { name: 'Swap' }).click();
  await page.getByRole('button', { name: 'Baseline time: 15m later' }).waitFor();
  await page.goBack();
  await page.getByRole('button', { name: 'Baseline time: Previous period' }).click();
  await page.getByRole('button', { name: 'Last week' }).click();
  await page.getByText('No samples on this side.').waitFor();
  assert.equal(queryOf(page).get('base'), '7d');
  await page.getByRole('button', { name: 'Stop comparing' }).click();
  await page.getByRole('region', { name: 'Profile', exact: true }).waitFor();
  assert.equal(queryOf(page).get('base'), null);
  assert.deepEqual(errors, []);
}

/** The query as a text: it is what the pickers say, a mistake is shown where it is, and `vs` compares. */
export async function checkQuery(
  browser: Browser,
  baseUrl: string,
  { service, otherService }: ComparisonExpectations,
): Promise<void> {
  await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service), {});
  const { page, errors } = watched;
  await waitForPixels(page);
  await page.getByRole('button', { name: 'Query', exact: true }).click();
  const field = page.getByRole('textbox', { name: 'Query' });
  assert.equal(await field.inputValue(), `{service_name="${service}"}{type="cpu"}`);

  await field.fill('{service="x"} against {}');
  await field.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'expected "vs" or the end' }).waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.equal(await page.evaluate('document.activeElement.selectionStart'), '{service="x"} '.length);
  await field.press('Escape');
  await page.getByRole('alert').waitFor({ state: 'detached' });

  await field.fill(`{service="${service}"} vs {service="${otherService}"}`);
  await field.press('Enter');
  await page.getByRole('button', { name: `Baseline service: ${service}`, exact: true }).waitFor();
  await page.getByRole('button', { name: `Service: ${otherService}`, exact: true }).waitFor();
  assert.equal(queryOf(page).get('service'), otherService);
  assert.equal(queryOf(page).get('baseService'), service);
  assert.equal(queryOf(page).get('base'), 'same');
  await page.getByRole('region', { name: 'Comparison', exact: true }).waitFor();
  assert.deepEqual(errors, []);
}

/** Two files are uploaded, compared, and swapped; a file that is no profile is refused in words. */
export async function checkFiles(browser: Browser, baseUrl: string): Promise<void> {
  await using watched = await WatchedPage.open(browser, baseUrl, {});
  const { page } = watched;
  const upload = (slot: string, name: string, text: string): Promise<void> =>
    page
      .getByLabel(`${slot}: upload a file`)
      .setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
  await page.getByRole('button', { name: 'Profiles from files' }).click();
  await upload('Profile', 'broken.json', '{"nothing": 1}');
  await page
    .getByRole('alert')
    .filter({ hasText: /parse|profile/ })
    .waitFor();
  await upload('Profile', 'after.collapsed', 'main;run 30\nmain;jit 10\n');
  await page.getByRole('button', { name: 'Show the file' }).waitFor();
  await upload('Baseline to compare it with', 'before.collapsed', 'main;run 30\nmain;gc 30\n');
  await page.getByRole('button', { name: 'Compare the files' }).click();
  await page.getByText('before.collapsed → after.collapsed').waitFor();
  await page.getByRole('row', { name: /^jit 0 % 25\.0 %.*new/ }).waitFor();
  await page.getByRole('row', { name: /^gc 50\.0 % 0 %.*gone/ }).waitFor();
  await waitForPixels(page);

  await page.getByRole('button', { name: 'Swap' }).click();
  await page.getByText('after.collapsed → before.collapsed').waitFor();
  await page.reload();
  await page.getByText('after.collapsed → before.collapsed').waitFor();
  await page.getByRole('button', { name: 'Close files' }).click();
  await page.getByRole('button', { name: /^Service:/ }).waitFor();
}

/** A cell of the heat map opens the profile, or the span, that is the largest in it. */
export async function checkHeatmap(
  browser: Browser,
  baseUrl: string,
  { service, newFunction, profileId, spanId, functionOfProfile }: ComparisonExpectations,
): Promise<void> {
  for (const { overview, parameter, id } of [
    { overview: 'Profiles', parameter: 'profile', id: profileId },
    { overview: 'Spans', parameter: 'span', id: spanId },
  ]) {
    await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service, 'view=both'), {});
    const { page, errors } = watched;
    await waitForPixels(page);
    await page.getByRole('button', { name: overview, exact: true }).click();
    const map = page.locator('canvas[aria-roledescription="heat map"]');
    await map.focus();
    // The first arrow goes to the latest cell, once there is one.
    await eventually('a cell', 10_000, async () => {
      await map.press('ArrowUp');
      return (await page.getByText(/ · opens the largest/).count()) > 0 ? true : undefined;
    });
    await map.press('Enter');
    await page
      .getByRole('status')
      .filter({ hasText: `Only the ${parameter} ${id}` })
      .waitFor();
    assert.equal(queryOf(page).get(parameter), id);
    await page.getByRole('rowheader', { name: newFunction }).waitFor({ state: 'detached' });
    await page.getByRole('rowheader', { name: functionOfProfile }).waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByRole('rowheader', { name: newFunction }).waitFor();
    assert.deepEqual(errors, []);
  }
}

/** What is shown is to be had as pprof, flamebearer JSON, DOT and collapsed stacks. */
export async function checkExports(
  browser: Browser,
  baseUrl: string,
  { service, newFunction }: ComparisonExpectations,
): Promise<void> {
  await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service), {});
  const { page, errors } = watched;
  await waitForPixels(page);
  const pprof = await download(page, 'pprof');
  assert.match(pprof.name, /^cpu-.*\.pb\.gz$/);
  const { string_table: strings } = foreignDecode(ForeignPprof, gunzipSync(pprof.bytes));
  assert.ok((strings as string[]).includes(newFunction));
  const json = JSON.parse((await download(page, 'Flamebearer JSON')).bytes.toString());
  assert.ok(json.flamebearer.names.includes(newFunction));
  assert.match((await download(page, 'DOT')).bytes.toString(), /^digraph/);
  assert.match(
    (await download(page, 'Collapsed stacks')).bytes.toString(),
    new RegExp(`;${newFunction} \\d+\n`),
  );

  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  await page.getByRole('region', { name: 'Comparison', exact: true }).waitFor();
  const diff = JSON.parse((await download(page, 'Flamebearer JSON', 'Difference')).bytes.toString());
  assert.equal(diff.metadata.format, 'double');
  assert.deepEqual(errors, []);
}

async function download(
  page: Page,
  title: string,
  group = 'Formats',
): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  await page.getByRole('button', { name: 'Export' }).click();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page
      .getByRole('dialog', { name: 'Export' })
      .getByRole('region', { name: group })
      .getByRole('button', { name: new RegExp(`^${title}`) })
      .click(),
  ]);
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}

/** A comparison on a narrow screen: nothing lies beyond the right edge, whichever way it is shown. */
export async function checkNarrowComparison(
  browser: Browser,
  baseUrl: string,
  { service }: ComparisonExpectations,
): Promise<void> {
  const options = { viewport: NARROW, deviceScaleFactor: 2, hasTouch: true };
  for (const more of [
    'base=previous',
    'base=previous&show=sides',
    'base=previous&view=table&over=profiles',
  ]) {
    await using watched = await WatchedPage.open(browser, serviceUrl(baseUrl, service, more), options);
    const { page, errors } = watched;
    await page.getByRole('region', { name: 'Comparison', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Query', exact: true }).tap();
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= NARROW.width, `the page is ${width} wide on a screen of ${NARROW.width}`);
    assert.deepEqual(errors, []);
  }
}
