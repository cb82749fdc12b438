/**
 * The dashboard in Chromium over a fake control plane whose figures move and which can be told to be in trouble. Bun
 * only: it drives a browser, not our code, and one runtime is enough for that.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { FakeControl } from "../unit/admin/fake_control.ts";
import { changed, launch, open, testOptions as options, text } from "./browser.ts";
import { accessibilityFaults, paleTexts, widths } from "./page_checks.ts";
import { type FakeAdmin, serveFake } from "./serve_fake.ts";

let browser: Browser;
let fake: FakeAdmin;

before(async () => {
  browser = await launch();
  const control = new FakeControl(60_000);
  control.lettersEvery = Infinity;
  fake = await serveFake(control);
});
after(async () => {
  await browser.close();
  await fake.stop();
});

test(
  "the dashboard shows live figures without a complaint or a foreign request when it is open",
  options,
  async () => {
    const { page, complaints, foreign } = await open(browser, fake.url);
    const first = await changed(page, "#lines-now", "–");
    const second = await changed(page, "#lines-now", first);
    const figure = (shown: string) => Number(shown.replaceAll(",", ""));
    assert.ok(figure(first) > 0 && figure(second) > 0, `${first}, then ${second}`);
    for (const selector of ["#connections-now", "#latency-now", "#waiting-now"]) {
      assert.match(await text(page, selector), /^[\d,.]+$/, selector);
    }
    assert.match(await text(page, "#bytes-now"), /^[\d.]+ MB$/);
    assert.match(await text(page, "#verdict-words"), /^All is well: [\d,]+ lines a second, \d+ connections/);
    assert.match(await text(page, "#balance"), /balanced/);
    assert.match(await text(page, "#ledger-words"), /^[\d,]+ lines received.* nothing is missing\.$/);
    const delivered = await text(page, "#ledger tbody tr td");
    await changed(page, "#ledger tbody tr td", delivered);
    assert.ok(await page.locator("#topics tbody tr").count() > 0, "topics are listed");
    assert.ok(await page.locator("#workers tbody tr").count() > 0, "workers are listed");
    assert.match(await page.title(), /\/s · corndog$/);
    assert.deepEqual(complaints, []);
    assert.deepEqual(foreign, []);
    await page.close();
  },
);

/** Pixels of a plot's canvas that are not empty. */
function inked(page: Page, plot: string): Promise<number> {
  return page.evaluate((selector) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`${selector} canvas`)!;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 0) count++;
    return count;
  }, plot);
}

test("the flow picture has bands as thick as their rates when lines flow", options, async () => {
  const { page } = await open(browser, fake.url);
  await page.locator("#flow-picture path.band.topic").first().waitFor();
  const names = await page.locator("#flow-picture text").allTextContents();
  for (
    const name of ["tcp://0.0.0.0:1514", "by-meta-topic", "health-checks", "orders", "dropped: rule stop"]
  ) {
    assert.ok(names.some((one) => one.includes(name)), `${name} in ${names}`);
  }
  const thick = await page.evaluate(() =>
    Array.from(document.querySelectorAll("#flow-picture .node.topic"), (node) => ({
      name: node.querySelector("text")!.textContent,
      height: Number(node.querySelector("rect.stop")!.getAttribute("height")),
    }))
  );
  const orders = thick.find(({ name }) => name?.startsWith("orders"))!;
  const next = thick.find(({ name }) => name?.startsWith("edge-site-1."))!;
  // The fake gives the first topic 2^1.5 times the lines of the second.
  assert.ok(Math.abs(orders.height / next.height - 2.83) < 0.3, JSON.stringify(thick));
  await page.locator("#flow-details summary").click();
  await page.locator("#flow-table tbody tr", { hasText: "by-meta-topic" }).waitFor();
  assert.ok(await inked(page, "#lines-plot") > 500, "the plot of lines is drawn");
  assert.ok(await inked(page, "#latency-plot") > 500, "the plot of latency is drawn");
  await page.close();
});

const luminance = (page: Page) =>
  page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g)!.map(Number);
    return (red + green + blue) / (3 * 255);
  });

test("the dashboard is dark or light when the system is, and changes with it", options, async () => {
  const { page } = await open(browser, fake.url, { colorScheme: "light" });
  assert.ok(await luminance(page) > 0.85, "light page");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.ok(await luminance(page) < 0.15, "dark page");
  await page.locator("#lines-plot canvas").waitFor();
  await page.close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`the dashboard's text is legible when the system is ${colorScheme}`, options, async () => {
    const { page } = await open(browser, fake.url, { colorScheme });
    await changed(page, "#lines-now", "–");
    assert.deepEqual(await paleTexts(page), []);
    await page.close();
  });
}

for (const width of [320, 390, 820, 1366, 2560]) {
  test(`the dashboard does not scroll sideways when the window is ${width} wide`, options, async () => {
    const { page } = await open(browser, fake.url, { width });
    await changed(page, "#lines-now", "–");
    const sizes = await widths(page);
    assert.ok(sizes.page <= sizes.window, JSON.stringify(sizes));
    // The flow is there on each: as a picture, or as a table where there is no room for one.
    const rows = page.locator(width < 700 ? "#flow-table tbody tr" : "#flow-picture .node");
    await rows.first().waitFor();
    await page.close();
  });
}

for (const width of [320, 1366]) {
  test(`the dashboard has names, roles and landmarks when the window is ${width} wide`, options, async () => {
    const { page } = await open(browser, fake.url, { width });
    await changed(page, "#lines-now", "–");
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => one.open = true));
    await page.locator("#latency-plot tbody tr").first().waitFor();
    assert.deepEqual(await accessibilityFaults(page), []);
    await page.close();
  });
}

test("the focus is seen on everything that can have it when Tab goes through the page", options, async () => {
  const { page } = await open(browser, fake.url);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.className), "skip");
  const seen = new Set<string>();
  for (let step = 0; step < 60; step++) {
    const { name, outlined } = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const box = element.closest(".editor") ?? element;
      return {
        name: element.id || element.className || element.textContent || element.tagName,
        outlined: element === document.body || getComputedStyle(box).outlineStyle !== "none",
      };
    });
    assert.ok(outlined, `${name} shows its focus`);
    seen.add(name);
    await page.keyboard.press("Tab");
  }
  for (const id of ["rules-text", "rules-swap", "explain-line", "explain-button", "canvas"]) {
    assert.ok(seen.has(id), `${id} in ${[...seen].join(", ")}`);
  }
  await page.close();
});

test("the plots can be read with the keyboard and as a table when they have the focus", options, async () => {
  const { page } = await open(browser, fake.url);
  const shown = await changed(page, "#lines-now", "–");
  await changed(page, "#lines-now", shown);
  await page.locator("#lines-plot .canvas").focus();
  await page.keyboard.press("ArrowLeft");
  const reading = page.locator("#lines-plot .reading");
  assert.match(await reading.innerText(), /^\d\d:\d\d:\d\d\s+received .*acknowledged /);
  assert.match(await text(page, "#announcer"), /^Lines per second, \d\d:\d\d:\d\d\s+received /);
  await page.keyboard.press("Escape");
  assert.equal(await reading.isVisible(), false);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const row = await page.locator("#lines-plot tbody tr").first().innerText();
  assert.match(row, /^\d\d:\d\d:\d\d\s+[\d.]+ k\s+[\d.]+ k$/);
  await page.close();
});

test("the latency of each stage is drawn over time, as the percentile that is chosen", options, async () => {
  const { page, complaints } = await open(browser, fake.url);
  const names = page.locator("#times-legend li");
  await page.locator("#times-legend li", { hasText: "kafka" }).waitFor();
  // What nothing was in has no line.
  assert.deepEqual(await names.allInnerTexts(), ["read to acknowledged", "work", "batch", "spool", "kafka"]);
  const canvas = page.locator("#times-plot .canvas");
  assert.match(
    await canvas.getAttribute("aria-label") ?? "",
    /^Latency by stage, p99: read to acknowledged now /,
  );
  const reading = page.locator("#times-plot .reading");
  const read = async () => {
    await canvas.focus();
    await page.keyboard.press("ArrowLeft");
    return await reading.innerText();
  };
  // A second point, so that there is a line.
  await page.locator("#times-plot summary").click();
  await page.locator("#times-plot tbody tr").first().waitFor();
  assert.match(
    await read(),
    /^\d\d:\d\d:\d\d {2}read to acknowledged [\d.]+ ms {2}work .* {2}kafka [\d.]+ ms$/,
  );
  assert.ok(await inked(page, "#times-plot") > 500, "the plot is drawn");
  await page.locator("#times-percentile").focus();
  await page.keyboard.press("ArrowDown");
  await page.locator('#times-plot .canvas[aria-label^="Latency by stage, p99.9"]').waitFor();
  assert.match(
    await read(),
    /^\d\d:\d\d:\d\d {2}read to acknowledged [\d.]+ ms {2}work .* {2}kafka [\d.]+ ms$/,
  );
  assert.match(
    await text(page, "#times-plot thead"),
    /time\s+read to acknowledged\s+work\s+batch\s+spool\s+kafka/,
  );
  assert.deepEqual(complaints, []);
  await page.close();
});

test("the topics table shows the rest when asked", options, async () => {
  const { page } = await open(browser, fake.url);
  const rows = page.locator("#topics tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), 12);
  await page.locator("#topics button").focus();
  await page.keyboard.press("Enter");
  await rows.nth(fake.control.topics - 1).waitFor();
  assert.equal(await page.locator("#topics button").getAttribute("aria-expanded"), "true");
  await page.close();
});

test("nothing is asked while nobody looks at the page", options, async () => {
  const { page } = await open(browser, fake.url);
  await changed(page, "#lines-now", "–");
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
  });
  let asked = 0;
  page.on("request", () => asked++);
  // What is under way ends; then a whole round without a request.
  for (let quiet = 0; quiet < 3;) {
    const before = asked;
    await page.waitForTimeout(1_100);
    quiet = asked === before ? quiet + 1 : 0;
  }
  const figure = await text(page, "#lines-now");
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => false });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await changed(page, "#lines-now", figure);
  await page.close();
});
