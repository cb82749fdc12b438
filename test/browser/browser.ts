/**
 * A Chromium for the tests of the dashboard, and pages that note what the browser complains about.
 *
 * `CHROMIUM` names another browser than Debian's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Longest wait for something on a page. */
export const deadlineMs = 20_000;
/** For `test()`: each opens a page or two, on a machine that may be busy. */
export const testOptions = { timeout: 60_000 };

/** How a page is opened. */
export interface Settings {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce";
}

/** A page with what the browser said of it. */
export interface Opened {
  readonly page: Page;
  readonly complaints: string[];
  /** Requests that left the origin. */
  readonly foreign: string[];
}

/** Starts the browser. */
export async function launch(): Promise<Browser> {
  assert.ok(
    existsSync(executablePath),
    `No browser at ${executablePath}: install Debian's chromium, or set CHROMIUM`,
  );
  return await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
  });
}

/** Opens a page and does not wait for anything on it. */
export async function openRaw(browser: Browser, url: string, settings: Settings = {}): Promise<Opened> {
  const { width = 1366, height = 900, colorScheme = "light", reducedMotion } = settings;
  const context: BrowserContext = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    ...(reducedMotion === undefined ? {} : { reducedMotion }),
  });
  const page = await context.newPage();
  page.setDefaultTimeout(deadlineMs);
  const complaints: string[] = [];
  const foreign: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) foreign.push(request.url());
  });
  await page.goto(url);
  return { page, complaints, foreign };
}

/** Opens the dashboard and waits until it is live. */
export async function open(browser: Browser, url: string, settings: Settings = {}): Promise<Opened> {
  const opened = await openRaw(browser, url, settings);
  await opened.page.locator("#link", { hasText: "Live" }).waitFor();
  return opened;
}

/** The text of the first element that fits. */
export function text(page: Page, selector: string): Promise<string> {
  return page.locator(selector).first().innerText();
}

/** Waits until the text of `selector` is none of `former`, and returns it. */
export async function changed(page: Page, selector: string, former: string): Promise<string> {
  const until = performance.now() + deadlineMs;
  while (performance.now() < until) {
    const now = await text(page, selector);
    if (now !== former && now !== "–") return now;
    await page.waitForTimeout(50);
  }
  throw new assert.AssertionError({ message: `${selector} stayed "${former}" for ${deadlineMs} ms` });
}
