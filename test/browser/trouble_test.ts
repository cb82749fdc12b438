/**
 * The dashboard in Chromium when something is wrong: with corndog, with the connection to it, with the token, with
 * what others have named.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { ConnectionView } from "../../src/admin/looks_view.ts";
import { FakeControl } from "../unit/admin/fake_control.ts";
import { changed, launch, open, openRaw, testOptions as options, text } from "./browser.ts";
import { accessibilityFaults, paleTexts, widths } from "./page_checks.ts";
import { serveFake } from "./serve_fake.ts";

let browser: Browser;

before(async () => browser = await launch());
after(async () => await browser.close());

const stuckConnection: ConnectionView = {
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
};

test(
  "the dashboard names problems in words when they appear and forgets them when they end",
  options,
  async () => {
    const control = new FakeControl(60_000);
    control.lettersEvery = Infinity;
    const admin = await serveFake(control);
    const { page, complaints } = await open(browser, admin.url);
    await page.locator("#verdict-words", { hasText: "All is well" }).waitFor();
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
    assert.match(await text(page, "#verdict-words"), /^2 things are wrong/);
    assert.match(await text(page, "#balance"), /off by 3/);
    assert.match(await text(page, "#ledger-words"), /3 of them are in no place/);
    assert.match(await text(page, "#sink-mark"), /not ready/);
    // Markup in a message stays text.
    assert.match(
      await text(page, "#rules-error"),
      /rules\/main\.yml:12:7 rules\.3\.type: unknown <b>action<\/b>$/,
    );
    await page.locator("#announcer", { hasText: "The ledger does not balance." }).waitFor({
      state: "attached",
    });
    assert.deepEqual(await paleTexts(page), []);
    control.sinkProblems = [];
    control.lost = 0;
    control.lastError = undefined;
    await page.locator("#sink-mark", { hasText: "✓ ready" }).waitFor();
    await page.locator("#verdict-words", { hasText: "All is well" }).waitFor();
    assert.equal(await page.locator("#problems li").count(), 0);
    assert.deepEqual(complaints, []);
    await page.close();
    await admin.stop();
  },
);

test("the dashboard says that corndog is gone when it is, and goes on when it is back", options, async () => {
  const first = await serveFake(new FakeControl(60_000));
  const { page } = await open(browser, first.url);
  await changed(page, "#lines-now", "–");
  await first.stop();
  await page.locator("#link", { hasText: /^No answer from corndog since \d\d:\d\d:\d\d\./ }).waitFor();
  assert.equal(await page.title(), "✕ corndog");
  const again = await serveFake(new FakeControl(1000), Number(new URL(first.url).port));
  await page.locator("#link", { hasText: "Live" }).waitFor();
  await page.locator("body:not(.gone)").waitFor();
  await page.close();
  await again.stop();
});

test(
  "the dashboard asks for the token, keeps it in the tab and forgets it when there is a token file",
  options,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "corndog-browser-"));
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "s3cret\n", { mode: 0o600 });
    const served = await serveFake(new FakeControl(60_000), 0, tokenFile);
    const { page } = await openRaw(browser, served.url);
    await page.locator("#token").waitFor();
    // The question has the focus; what is behind it cannot be reached.
    assert.equal(await page.evaluate(() => document.activeElement?.id), "token");
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.locator("#sign-in-why", { hasText: "not the token" }).waitFor();
    await page.locator("#token").fill("s3cret");
    await page.keyboard.press("Enter");
    await changed(page, "#lines-now", "–");
    assert.equal(await page.locator("#sign-in").isVisible(), false);
    await page.reload();
    await changed(page, "#lines-now", "–");
    await page.locator("#waiting-connections", { hasText: "needs a look" }).waitFor();
    const beside = await openRaw(browser, served.url);
    await beside.page.locator("#token").waitFor();
    await page.locator("#forget-token").click();
    await page.locator("#token").waitFor();
    await beside.page.close();
    await page.close();
    await served.stop();
    rmSync(folder, { recursive: true });
  },
);

test("the dashboard tells corndog's own words when it cannot answer", options, async () => {
  const lame = new FakeControl(1000);
  const served = await serveFake(lame);
  const { page } = await open(browser, served.url);
  lame.statsInstead = () => Promise.reject(new TypeError("broken"));
  await page.locator("#link", {
    hasText: "corndog answers 500: Cannot answer: the reason is in the log of corndog",
  }).waitFor();
  await page.close();
  await served.stop();
});

test(
  "the dashboard names who waits for what, and a worker that is held, when there is any",
  options,
  async () => {
    const control = new FakeControl(60_000);
    const admin = await serveFake(control);
    const { page, complaints } = await open(browser, admin.url);
    await page.locator("#looks-mark", { hasText: "nothing is stuck" }).waitFor();
    assert.match(await text(page, "#waiting-connections"), /None of 812 connections needs a look/);
    assert.match(await text(page, "#happened"), /No stall, no lost wait/);
    control.connectionsNow = { ...control.connectionsNow, connections: [stuckConnection] };
    control.inflightNow = {
      waits: 12,
      stages: [{
        stage: "kafka",
        count: 12,
        p50_ms: 900,
        p99_ms: 41_000,
        max_ms: 41_000,
        oldest: [{ worker: 0, age_ms: 41_000, described: true, topic: "orders", partition: 3, broker: "2" }],
      }],
      orphans: 2,
      overflows: 0,
    };
    control.stallsNow = {
      total: 1,
      stalls: [{
        worker: 1,
        ms: 3200,
        cause: "rule",
        rule: "greedy",
        at: new Date().toISOString(),
        over: false,
      }],
    };
    control.eventsNow = {
      total: 7,
      events: [{
        level: "error",
        event: "kafka_unreachable",
        fields: { broker: "kafka-1:9092", problem: "connection refused" },
        count: 7,
        first_at: new Date().toISOString(),
        at: new Date().toISOString(),
      }],
    };
    await page.locator("#looks-mark", { hasText: "something is stuck" }).waitFor();
    assert.match(await text(page, "#waiting-connections"), /10\.1\.2\.3:4711\s+waits for Kafka\s+41/);
    assert.match(await text(page, "#stages"), /kafka\s+12\s+900 ms.*topic orders partition 3, broker 2/);
    assert.match(await text(page, "#happened"), /Worker 1 is held for 3\.2 s by rule "greedy"/);
    assert.match(
      await text(page, "#happened"),
      /kafka unreachable \(7 times\) connection refused · broker kafka-1/,
    );
    assert.match(await text(page, "#happened"), /2 waits were lost/);
    await page.locator("#problems", { hasText: 'Worker 1 is held by rule "greedy", for 3.2 s so far' })
      .waitFor();
    await page.locator("#problems", { hasText: "One connection is stuck: waits for Kafka" }).waitFor();
    assert.deepEqual(await paleTexts(page), []);
    assert.deepEqual(complaints, []);
    await page.close();
    await admin.stop();
  },
);

test(
  "a connection is ended when its button is pressed and that is confirmed, with the keyboard alone",
  options,
  async () => {
    const control = new FakeControl(60_000);
    const admin = await serveFake(control);
    const ended = () => control.calls.filter(([name]) => name === "endConnection").map(([, id]) => id);
    control.connectionsNow = {
      ...control.connectionsNow,
      connections: [{ ...stuckConnection, id: "0-1" }, {
        ...stuckConnection,
        id: "0-2",
        peer: "10.1.2.4:99",
      }],
    };
    const { page, complaints } = await open(browser, admin.url, { width: 390, colorScheme: "dark" });
    const buttons = page.locator("#waiting-connections button.act");
    await buttons.nth(1).waitFor();
    assert.equal(await buttons.first().getAttribute("aria-label"), "End 10.1.2.3:4711");
    const box = await buttons.first().boundingBox();
    assert.ok(box!.x + box!.width <= 390, `in sight on a phone: ${JSON.stringify(box)}`);
    await buttons.first().focus();
    await page.keyboard.press("Enter");
    const dialog = page.locator("#end-dialog");
    await dialog.waitFor();
    assert.match(
      await text(page, "#end-words"),
      /^0-1, 10\.1\.2\.3:4711 on tcp:\/\/0\.0\.0\.0:1514: waits for Kafka for 41 s, 5,000 lines so far\.$/,
    );
    assert.deepEqual([await accessibilityFaults(page), await paleTexts(page)], [[], []]);
    // Enter at once ends nothing, and neither does Escape.
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Keep it");
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "hidden" });
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute("aria-label")),
      "End 10.1.2.3:4711",
    );
    await page.keyboard.press("Enter");
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.deepEqual(ended(), []);
    // The rows change places while the question is open: what was asked about is ended.
    await page.keyboard.press("Enter");
    await dialog.waitFor();
    control.connectionsNow = {
      ...control.connectionsNow,
      connections: control.connectionsNow.connections.toReversed(),
    };
    await page.locator("#waiting-connections tbody tr:first-child", { hasText: "10.1.2.4" }).waitFor();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await page.locator("#end-answer", { hasText: "Connection 0-1 is ended." }).waitFor();
    await page.locator("#announcer", { hasText: "Connection 0-1 is ended." }).waitFor({ state: "attached" });
    assert.deepEqual(ended(), ["0-1"]);
    // One that is gone by then.
    await page.locator('button.act[aria-label="End 10.1.2.4:99"]').click();
    await page.locator("#end-dialog button.danger").click();
    await page.locator("#end-answer", { hasText: "Connection 0-2 has ended already." }).waitFor();
    assert.deepEqual(complaints.filter((one) => !one.includes("404")), []);
    await page.close();
    await admin.stop();
  },
);

test("no connection can be ended when the token may only read", options, async () => {
  const folder = mkdtempSync(join(tmpdir(), "corndog-browser-"));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "read l00k\nwrite d0\n", { mode: 0o600 });
  const control = new FakeControl(60_000);
  control.connectionsNow = { ...control.connectionsNow, connections: [stuckConnection] };
  const served = await serveFake(control, 0, tokenFile);
  const { page } = await openRaw(browser, served.url);
  const signIn = async (token: string) => {
    await page.locator("#token").fill(token);
    await page.keyboard.press("Enter");
    await page.locator("#waiting-connections tbody tr", { hasText: "10.1.2.3" }).waitFor();
  };
  await signIn("l00k");
  await changed(page, "#lines-now", "–");
  assert.equal(await page.locator("#waiting-connections button.act").count(), 0);
  await page.locator("#forget-token").click();
  await signIn("d0");
  await page.locator("#waiting-connections button.act").waitFor();
  await page.close();
  await served.stop();
  rmSync(folder, { recursive: true });
});

test(
  "markup in names stays text, and long names break nothing, when senders and rules are hostile",
  options,
  async () => {
    const evil = `<img src=x onerror="window.hacked=1">"'\u202e${"x".repeat(300)}`;
    const control = new FakeControl(60_000);
    const stats = () => {
      control.statsInstead = undefined;
      const real = control.stats();
      control.statsInstead = stats;
      return real.then((one) => ({
        ...one,
        rules: { ...one.rules, hits: one.rules.hits.map((hit) => ({ ...hit, rule: evil })), source: evil },
        listeners: [{ kind: "syslog", transport: "unix", address: evil, connections: 1, lines: 5 }],
        sink: { ...one.sink, ready: false, problems: [evil] },
        kafka: {
          brokers: one.kafka.brokers.map((broker) => ({ ...broker, host: evil, problem: evil })),
          topics: Object.fromEntries([
            ["__proto__", one.kafka.topics.orders],
            [evil, one.kafka.topics.orders],
            ["constructor", one.kafka.topics.orders],
          ]),
        },
      }));
    };
    control.statsInstead = stats;
    control.files = [{ path: evil, text: `rules: [] # ${evil}` }];
    control.connectionsNow = {
      ...control.connectionsNow,
      connections: [{ ...stuckConnection, peer: evil, verdict: `rule:${evil}` }],
    };
    control.stallsNow = {
      total: 1,
      stalls: [{ worker: 0, ms: 500, cause: "rule", rule: evil, at: new Date().toISOString(), over: true }],
    };
    control.eventsNow = {
      total: 1,
      events: [{
        level: "warn",
        event: "refused",
        fields: { [evil]: evil, problem: evil },
        count: 1,
        first_at: "2026-01-02T03:04:05.000Z",
        at: "2026-01-02T03:04:05.000Z",
      }],
    };
    const admin = await serveFake(control);
    for (const width of [320, 1366]) {
      const { page, complaints, foreign } = await open(browser, admin.url, { width });
      await changed(page, "#lines-now", "–");
      await page.locator("#happened", { hasText: "<img src=x" }).waitFor();
      await page.locator("#waiting-connections", { hasText: "<img src=x" }).waitFor();
      const names = await page.locator("#topics tbody th").allTextContents();
      assert.ok(names.includes("__proto__") && names.includes("constructor"), names.join());
      assert.equal(await page.evaluate(() => document.querySelectorAll("img:not([alt=''])").length), 0);
      assert.equal(await page.evaluate(() => "hacked" in window), false);
      assert.equal(await page.evaluate(() => document.body.textContent!.includes("\u202e")), false);
      const sizes = await widths(page);
      assert.ok(sizes.page <= sizes.window, JSON.stringify(sizes));
      assert.deepEqual([complaints, foreign], [[], []]);
      await page.close();
    }
    await admin.stop();
  },
);
