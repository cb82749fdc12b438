/**
 * The dashboard in Chromium. Bun only: it drives a browser, not our code, and one runtime is enough for that.
 *
 * Without further ado it looks at an app over a fake control plane whose figures move. With
 * `CORNDOG_DASHBOARD_URL=http://127.0.0.1:8585/` it looks at a running corndog instead (send it some lines
 * meanwhile), and leaves out what only a fake can be told to do. `CHROMIUM` names another browser than Debian's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { FakeControl } from "../unit/admin/fake_control.ts";
import { type FakeAdmin, serveFake } from "./serve_fake.ts";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const realUrl = process.env.CORNDOG_DASHBOARD_URL;
const deadlineMs = 15_000;
const options = { timeout: 60_000 };

let browser: Browser;
let fake: FakeAdmin | undefined;
let url = realUrl ?? "";

before(async () => {
  assert.ok(
    existsSync(executablePath),
    `No browser at ${executablePath}: install Debian's chromium, or set CHROMIUM`,
  );
  browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
  });
  if (realUrl === undefined) {
    fake = await serveFake(new FakeControl(60_000));
    url = fake.url;
  }
});

after(async () => {
  await browser.close();
  await fake?.stop();
});

/** A page that notes what the browser complains about and every request that leaves the origin. */
async function open(
  settings: { width?: number; height?: number; colorScheme?: "light" | "dark" } = {},
  at: string = url,
): Promise<{ page: Page; complaints: string[]; foreign: string[] }> {
  const { width = 1366, height = 900, colorScheme = "light" } = settings;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  page.setDefaultTimeout(deadlineMs);
  const complaints: string[] = [];
  const foreign: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(at)) foreign.push(request.url());
  });
  await page.goto(at);
  await page.locator("#link", { hasText: "Live" }).waitFor();
  return { page, complaints, foreign };
}

const text = (page: Page, selector: string) => page.locator(selector).first().innerText();

/** Waits until the text of `selector` is none of `former`, and returns it. */
async function changed(page: Page, selector: string, former: string): Promise<string> {
  const until = performance.now() + deadlineMs;
  while (performance.now() < until) {
    const now = await text(page, selector);
    if (now !== former && now !== "–") return now;
    await page.waitForTimeout(50);
  }
  throw new assert.AssertionError({ message: `${selector} stayed "${former}" for ${deadlineMs} ms` });
}

test(
  "the dashboard shows live figures without a complaint or a foreign request when it is open",
  options,
  async () => {
    const { page, complaints, foreign } = await open();
    const first = await changed(page, "#lines-now", "–");
    const second = await changed(page, "#lines-now", first);
    const figure = (shown: string) => Number(shown.replaceAll(",", ""));
    assert.ok(figure(first) > 0 && figure(second) > 0, `${first}, then ${second}`);
    for (const selector of ["#bytes-now", "#connections-now", "#latency-now"]) {
      assert.match(await text(page, selector), /^[\d,.]+$/, selector);
    }
    assert.match(await text(page, "#balance"), /balanced/);
    assert.match(await text(page, "#ledger"), /received\s+[\d,]+/);
    const delivered = await text(page, "#ledger tbody tr td");
    await changed(page, "#ledger tbody tr td", delivered);
    assert.ok(await page.locator("#topics tbody tr").count() > 0, "topics are listed");
    assert.ok(await page.locator("#workers tbody tr").count() > 0, "workers are listed");
    assert.ok(
      (await page.locator("#lines-chart path.line.one").getAttribute("d"))?.includes("L"),
      "the chart has a line",
    );
    assert.match(await page.title(), /\/s · corndog$/);
    assert.deepEqual(complaints, []);
    assert.deepEqual(foreign, []);
    await page.close();
  },
);

const luminance = (page: Page) =>
  page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g)!.map(Number);
    return (red + green + blue) / (3 * 255);
  });

test("the dashboard is dark or light when the system is", options, async () => {
  const light = await open({ colorScheme: "light" });
  const dark = await open({ colorScheme: "dark" });
  assert.ok(await luminance(light.page) > 0.85, "light page");
  assert.ok(await luminance(dark.page) < 0.15, "dark page");
  await light.page.close();
  await dark.page.close();
});

/** Text whose contrast with what is behind it is too low, by WCAG 2 AA (4.5 to 1). */
function paleTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string) => {
      const [red, green, blue] = channels(color).map((value) => {
        const share = value / 255;
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element: Element | null): string => {
      for (let one = element; one !== null; one = one.parentElement) {
        const color = getComputedStyle(one).backgroundColor;
        if (channels(color)[3] !== 0) return color;
      }
      return "rgb(255, 255, 255)";
    };
    const pale: string[] = [];
    for (const element of document.querySelectorAll("body *")) {
      const own = Array.from(element.childNodes).some((node) =>
        node.nodeType === 3 && node.textContent!.trim() !== ""
      );
      if (!own || element.tagName === "NOSCRIPT" || element.closest("[hidden]") !== null) continue;
      const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) pale.push(`${element.textContent} ${contrast.toFixed(2)}`);
    }
    return pale;
  });
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`the dashboard's text is legible when the system is ${colorScheme}`, options, async () => {
    const { page } = await open({ colorScheme });
    await changed(page, "#lines-now", "–");
    assert.deepEqual(await paleTexts(page), []);
    await page.close();
  });
}

for (const width of [320, 390, 820, 1366, 2560]) {
  test(`the dashboard does not scroll sideways when the window is ${width} wide`, options, async () => {
    const { page } = await open({ width });
    await changed(page, "#lines-now", "–");
    const sizes = await page.evaluate(() => {
      const root = document.documentElement;
      return { page: root.scrollWidth, window: root.clientWidth };
    });
    assert.ok(sizes.page <= sizes.window, JSON.stringify(sizes));
    await page.close();
  });
}

test("the charts can be read with the keyboard when they have the focus", options, async () => {
  const { page } = await open();
  const shown = await changed(page, "#lines-now", "–");
  await changed(page, "#lines-now", shown);
  await page.locator("#lines-chart").focus();
  await page.keyboard.press("ArrowLeft");
  const reading = page.locator("#lines-chart .reading");
  assert.match(await reading.innerText(), /^\d\d:\d\d:\d\d\s+received .*delivered /);
  assert.match(
    await page.locator("#lines-chart").getAttribute("aria-label") ?? "",
    /^Lines per second: \d\d:/,
  );
  await page.keyboard.press("Escape");
  assert.equal(await reading.isVisible(), false);
  await page.close();
});

/** What only the fake can be told to do. */
function fakeTest(title: string, run: () => Promise<void>) {
  if (realUrl === undefined) test(title, options, run);
}

fakeTest(
  "the dashboard names problems in words when they appear and forgets them when they end",
  async () => {
    const { page, complaints } = await open();
    const { control } = fake!;
    assert.equal(await page.locator("#problems .error").count(), 0);
    control.sinkProblems = ['Cannot reach broker "kafka-1:9092": connection refused'];
    control.lost = 3;
    control.lastError = {
      at: new Date().toISOString(),
      faults: [{
        file: "rules/main.yml",
        line: 12,
        column: 7,
        path: "rules.3.type",
        message: "unknown <b>action</b>",
      }],
    };
    await page.locator("#problems", {
      hasText: 'Sink kafka cannot deliver: Cannot reach broker "kafka-1:9092"',
    }).waitFor();
    await page.locator("#problems", { hasText: "The ledger does not balance: 3 lines are missing" })
      .waitFor();
    assert.match(await text(page, "#balance"), /off by 3/);
    assert.match(await text(page, "#sink-mark"), /not ready/);
    // Markup in a message stays text.
    assert.match(
      await text(page, "#rules-error"),
      /^rules\/main\.yml:12:7 rules\.3\.type: unknown <b>action<\/b>$/,
    );
    assert.deepEqual(await paleTexts(page), []);
    control.sinkProblems = [];
    control.lost = 0;
    control.lastError = undefined;
    await page.locator("#sink-mark", { hasText: "✓ ready" }).waitFor();
    assert.equal(await page.locator("#problems .error").count(), 0);
    assert.deepEqual(complaints, []);
    await page.close();
  },
);

fakeTest("the topics table shows the rest when asked", async () => {
  const { page } = await open();
  const rows = page.locator("#topics tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), 12);
  await page.locator("#topics button").focus();
  await page.keyboard.press("Enter");
  await rows.nth(fake!.control.topics - 1).waitFor();
  assert.equal(await page.locator("#topics button").getAttribute("aria-expanded"), "true");
  await page.close();
});

fakeTest("the dashboard says that corndog is gone when it is, and goes on when it is back", async () => {
  const first = await serveFake(new FakeControl(60_000));
  const { page } = await open({}, first.url);
  await changed(page, "#lines-now", "–");
  await first.stop();
  await page.locator("#link", { hasText: /^No answer from corndog since \d\d:\d\d:\d\d\./ }).waitFor();
  assert.equal(await page.title(), "✕ corndog");
  const again = await serveFake(new FakeControl(1000), Number(new URL(first.url).port));
  await page.locator("#link", { hasText: "Live" }).waitFor();
  await changed(page, "#identity", "");
  assert.equal(await page.locator("body.gone").count(), 0);
  await page.close();
  await again.stop();
});

fakeTest("the browser asks for the token itself when there is a token file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "corndog-browser-"));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "s3cret\n", { mode: 0o600 });
  const served = await serveFake(new FakeControl(60_000), 0, tokenFile);
  const context = await browser.newContext({ httpCredentials: { username: "any", password: "s3cret" } });
  const page = await context.newPage();
  await page.goto(served.url);
  await changed(page, "#lines-now", "–");
  await context.close();
  await served.stop();
  rmSync(folder, { recursive: true });
});

fakeTest("the dashboard tells corndog's own words when it cannot answer", async () => {
  const lame = new FakeControl(1000);
  const served = await serveFake(lame);
  const { page } = await open({}, served.url);
  lame.statsInstead = () => Promise.reject(new TypeError("broken"));
  await page.locator("#link", {
    hasText: "corndog answers 500: Cannot answer: the reason is in the log of corndog",
  }).waitFor();
  await page.close();
  await served.stop();
});

fakeTest("the dashboard names who waits for what, and a worker that is held, when there is any", async () => {
  const control = new FakeControl(60_000);
  const admin = await serveFake(control);
  const { page, complaints } = await open({}, admin.url);
  try {
    await page.locator("#looks-mark", { hasText: "nothing is stuck" }).waitFor();
    assert.match(await text(page, "#waiting-connections"), /None of 812 needs a look/);
    control.connectionsNow = {
      ...control.connectionsNow,
      connections: [{
        id: "1-17",
        listener: "tcp://0.0.0.0:1514",
        peer: "10.1.2.3:4711",
        age_ms: 90_000,
        idle_ms: 100,
        bytes: 1_000_000,
        lines: 5000,
        partial_bytes: 13,
        state: "waiting",
        waits_for: "room",
        waits_ms: 41_000,
        recv_q: 70_000,
        verdict: "kafka",
        stuck: true,
      }],
    };
    control.inflightNow = {
      waits: 12,
      stages: [{ stage: "kafka", count: 12, p50_ms: 900, p99_ms: 41_000, max_ms: 41_000, oldest: [] }],
      orphans: 0,
      overflows: 0,
    };
    control.stallsNow = {
      total: 1,
      stalls: [{
        worker: 1,
        ms: 3200,
        cause: "rule",
        rule: "greedy",
        at: "2026-01-02T03:04:05.000Z",
        over: false,
      }],
    };
    await page.locator("#looks-mark", { hasText: "something is stuck" }).waitFor();
    assert.match(await text(page, "#waiting-connections"), /10\.1\.2\.3:4711\s+kafka\s+41/);
    assert.match(await text(page, "#stages"), /kafka\s+12\s+900/);
    assert.match(await text(page, "#stalls"), /Worker 1 is held for 3.* by rule "greedy"/);
    assert.deepEqual(await paleTexts(page), []);
    assert.deepEqual(complaints, []);
    const shot = process.env.CORNDOG_SCREENSHOT;
    if (shot !== undefined) await page.screenshot({ path: shot, fullPage: true });
  } finally {
    await page.close();
    await admin.stop();
  }
});
