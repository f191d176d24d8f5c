// SPDX-License-Identifier: Apache-2.0
//
// The page in a headless Chromium, as the checks look at it: its address, its canvas, and the errors in its console.

import assert from 'node:assert/strict';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

export const DESKTOP = { width: 1280, height: 800 } as const;
export const NARROW = { width: 390, height: 844 } as const;

const ROW_HEIGHT = 22;
/** Points tried along a row until one hits a bar. */
const POINTS_PER_ROW = 60;

/** @throws when there is no Chromium at the path */
export function launchBrowser(executablePath = '/usr/bin/chromium'): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
}

/** A page that fails the test on any error in its console. */
export class WatchedPage implements AsyncDisposable {
  readonly page: Page;
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  static async open(browser: Browser, url: string, options: BrowserContextOptions): Promise<WatchedPage> {
    const context = await browser.newContext({ viewport: DESKTOP, ...options });
    const watched = new WatchedPage(await context.newPage());
    await watched.page.goto(url);
    return watched;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}

export function serviceUrl(baseUrl: string, service: string, more = ''): string {
  const query = new URLSearchParams({ service });
  return `${new URL(`?${query}`, baseUrl)}${more === '' ? '' : `&${more}`}`;
}

export function queryOf(page: Page): URLSearchParams {
  return new URL(page.url()).searchParams;
}

export function flameCanvas(page: Page) {
  return page.locator('canvas[aria-roledescription="flame graph"]');
}

/** Waits until something is drawn on the flame graph's canvas. */
export async function waitForPixels(page: Page): Promise<void> {
  await flameCanvas(page).waitFor();
  // Text, since these tests are compiled without the browser's types.
  await page.waitForFunction(`(() => {
    const canvas = document.querySelector('canvas[aria-roledescription="flame graph"]');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set(new Uint32Array(data.buffer));
    return colours.size > 2;
  })()`);
}

export interface HoveredBar {
  readonly x: number;
  readonly y: number;
  readonly tooltip: string;
}

/** Moves the pointer along a row until a bar says what it is. */
export async function hoverBar(page: Page, depth: number): Promise<HoveredBar> {
  const box = await flameCanvas(page).boundingBox();
  assert.ok(box !== null, 'the canvas is on the page');
  const y = box.y + (depth + 0.5) * ROW_HEIGHT;
  for (let point = 0; point < POINTS_PER_ROW; point++) {
    const x = box.x + ((point + 0.5) / POINTS_PER_ROW) * box.width;
    await page.mouse.move(x, y);
    await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
    const tooltip = page.getByRole('tooltip');
    if ((await tooltip.count()) > 0) return { x, y, tooltip: (await tooltip.textContent())! };
  }
  return assert.fail(`no bar in row ${depth} answers the pointer`);
}

export async function screenshot(page: Page, directory: string | undefined, name: string): Promise<void> {
  if (directory !== undefined) await page.screenshot({ path: `${directory}/${name}.png` });
}
