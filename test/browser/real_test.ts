/**
 * The dashboard in Chromium against a running corndog: lines that flow, rules that are swapped through the page,
 * a line that is explained, a stall that appears.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { Corndog } from "../support/corndog.ts";
import { launch, open, testOptions as options, text } from "./browser.ts";
import { accessibilityFaults, paleTexts } from "./page_checks.ts";

const config = `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: file
file: { dir: out }
kafka: { topic: rest }
workers: 2
rules: [rules.yml]
`;

const rules = `rules:
  - name: web
    field: appname
    equals: nginx
    actions: [{ type: forward, topic: logs-web }]
  - name: logins
    regex: 'login of (?P<user>\\S+)'
    actions:
      - type: forward
        topic: logs-auth
        key: "{{user}}"
tests:
  - name: nginx goes to its topic
    input: '<13>1 - h nginx - - - GET /'
    expect: [{ topic: logs-web }]
`;

/** Sends lines until it is told to stop. */
function sendLines(port: number): () => void {
  const socket: Socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const lines = "<13>1 - h nginx - - - GET /\n<13>1 - h sshd - - - login of ada\n<13>1 - h x - - - y\n"
    .repeat(5);
  const timer = setInterval(() => socket.write(lines), 20);
  return () => {
    clearInterval(timer);
    socket.destroy();
  };
}

/** Replaces the editor's text as a person with a keyboard would. */
async function type(page: Page, replacement: string): Promise<void> {
  await page.locator("#rules-text:not([readonly])").focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(replacement);
}

describe("the dashboard of a running corndog", () => {
  let browser: Browser;
  let corndog: Corndog;
  let stopSending: () => void;
  /** Has begun a line and does not go on; after five seconds it needs a look. */
  let stuck: Socket;
  const version = async () => (await corndog.stats()).rules.version;
  const onDisk = () => readFileSync(join(corndog.dir, "rules.yml"), "utf8");

  before(async () => {
    browser = await launch();
    corndog = await (await Corndog.start(config, { files: { "rules.yml": rules } })).started();
    stopSending = sendLines(corndog.port("tcp"));
    stuck = connect(corndog.port("tcp"), "127.0.0.1");
    stuck.on("error", () => {});
    stuck.write("<13>1 - h a - - - half a li");
  });
  after(async () => {
    stopSending();
    stuck.destroy();
    await browser.close();
    corndog.signal("SIGKILL");
    await corndog.dispose();
  });

  it(
    "shows the flow from the listener through the rules to the topics when lines come",
    options,
    async () => {
      const { page, complaints, foreign } = await open(browser, `${corndog.admin}/`);
      for (const name of ["tcp://127.0.0.1", "web", "logins", "no rule", "logs-web", "logs-auth", "rest"]) {
        await page.locator("#flow-picture .node:not(.idle) text", { hasText: name }).first().waitFor();
      }
      await page.locator("#ledger-words", { hasText: "nothing is missing" }).waitFor();
      await page.locator("#rules tbody tr", { hasText: /^web\s*[1-9]/ }).waitFor();
      await page.locator("#latency-now", { hasText: /\d/ }).waitFor();
      assert.deepEqual([complaints, foreign], [[], []]);
      await page.close();
    },
  );

  it(
    "marks a wrong rule with line and column, and does not swap it, while it is typed",
    options,
    async () => {
      const { page } = await open(browser, `${corndog.admin}/`);
      const before = await version();
      const wrong = rules.replace("login of (", "login of ((");
      await type(page, wrong);
      const fault = page.locator("#rules-faults li").first();
      await fault.waitFor();
      assert.match(await fault.innerText(), /^line 7, column 13 rules\.1\.regex: .*missing/);
      await page.locator("#rules-verdict", { hasText: "✕ 1 fault" }).waitFor();
      assert.equal(await page.locator("#rules-gutter .bad").innerText(), "7");
      assert.equal(await page.locator("#rules-text").getAttribute("aria-invalid"), "true");
      assert.equal(await page.locator("#rules-swap").getAttribute("aria-disabled"), "true");
      assert.deepEqual(await paleTexts(page), []);
      assert.deepEqual(await accessibilityFaults(page), []);
      // Neither the button nor the keys get past it.
      await page.locator("#rules-swap").click({ force: true });
      await page.locator("#rules-text").focus();
      await page.keyboard.press("Control+Enter");
      await page.locator("#announcer", { hasText: "cannot be swapped" }).waitFor({ state: "attached" });
      assert.equal(await version(), before);
      assert.equal(onDisk(), rules);
      // The place is a button that leads there.
      await fault.locator("button").click();
      const at = await page.locator("#rules-text").evaluate((area) =>
        (area as HTMLTextAreaElement).selectionStart
      );
      assert.equal(wrong.slice(0, at).split("\n").length, 7);
      // A failing test of the file is a fault too.
      await type(
        page,
        rules.replace("topic: logs-web }]\n  - name: logins", "topic: logs-www }]\n  - name: logins"),
      );
      await page.locator("#rules-faults li", { hasText: 'Test "nginx goes to its topic" failed' }).waitFor();
      await page.locator("#rules-revert").click();
      await page.locator("#rules-verdict", { hasText: "as in force" }).waitFor();
      await page.close();
    },
  );

  it("swaps the rules, by keyboard alone, and goes back when asked", options, async () => {
    const { page, complaints } = await open(browser, `${corndog.admin}/`);
    await page.locator("#rules-text:not([readonly])").waitFor();
    const before = await version();
    const better = rules.replaceAll("logs-web", "logs-shop");
    // To the editor with Tab, from the top of the page.
    for (let step = 0; step < 80; step++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(() => document.activeElement?.id) === "rules-text") break;
    }
    assert.equal(await page.evaluate(() => document.activeElement?.id), "rules-text");
    await page.keyboard.press("Control+a");
    await page.keyboard.insertText(better);
    await page.locator("#rules-verdict", { hasText: "✓ no fault" }).waitFor();
    assert.match(await text(page, "#rules-words"), /^No fault\. 2 rules, 1 test passed\./);
    await page.keyboard.press("Control+Enter");
    await page.locator("#rules-words", { hasText: `Version ${before + 1} is in force` }).waitFor();
    assert.equal(await version(), before + 1);
    assert.equal(onDisk(), better);
    await page.locator("#flow-picture .node:not(.idle) text", { hasText: "logs-shop" }).waitFor();
    await page.locator("#rules-mark", { hasText: `version ${before + 1}` }).waitFor();
    await page.locator("#rules-rollback").focus();
    await page.keyboard.press("Enter");
    await page.locator("#rules-words", { hasText: `former text is in force as version ${before + 2}` })
      .waitFor();
    assert.equal(onDisk(), rules);
    assert.equal(await page.locator("#rules-text").inputValue(), rules);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it(
    "does not overwrite what others changed meanwhile, unless it is said, when rules are swapped",
    options,
    async () => {
      const { page } = await open(browser, `${corndog.admin}/`);
      const mine = rules.replace("logs-auth", "logs-mine");
      await type(page, mine);
      await page.locator("#rules-verdict", { hasText: "✓ no fault" }).waitFor();
      const theirs = rules.replace("logs-auth", "logs-theirs");
      writeFileSync(join(corndog.dir, "rules.yml"), theirs);
      await page.locator("#rules-conflict").waitFor();
      assert.match(await text(page, "#rules-conflict-words"), /came in force while you were writing/);
      await page.locator("#rules-text").focus();
      await page.keyboard.press("Control+Enter");
      await page.locator("#rules-conflict-words", { hasText: "not those you began with" }).waitFor();
      assert.equal(onDisk(), theirs);
      await page.locator("#rules-keep").click();
      await page.locator("#rules-verdict", { hasText: "✓ no fault" }).waitFor();
      await page.locator("#rules-swap").click();
      await page.locator("#rules-words", { hasText: "is in force on all workers" }).waitFor();
      assert.equal(onDisk(), mine);
      assert.equal(await page.locator("#rules-conflict").isVisible(), false);
      await page.close();
    },
  );

  it(
    "explains a pasted line step by step, with the rules in force and those in the editor",
    options,
    async () => {
      const { page } = await open(browser, `${corndog.admin}/`);
      await page.locator("#explain-line").fill("<13>1 - h sshd - - - login of <b>ada</b>\n");
      await page.keyboard.press("Control+Enter");
      const steps = page.locator("#explain-steps li.step");
      await steps.first().waitFor();
      const told = await steps.allInnerTexts();
      assert.match(told[0], /web does not match/);
      assert.match(
        told[1],
        /logins matches[^]*sets user <b>ada<\/b>[^]*forward to topic \S+, key <b>ada<\/b>, unchanged/,
      );
      assert.match(told[2], /It goes to topic logs-/);
      assert.match(await text(page, "#explain-fields"), /appname\s*sshd/);
      assert.deepEqual(await accessibilityFaults(page), []);
      await type(page, rules.replace("login of", "log-in of"));
      await page.locator("#rules-verdict", { hasText: "✓ no fault" }).waitFor();
      await page.locator("#explain-with").selectOption("editor");
      await page.locator("#explain-button").click();
      await page.locator("#explain-steps", {
        hasText: "No rule forwards it: it goes to the default topic rest",
      })
        .waitFor();
      await page.close();
    },
  );

  it("ends a connection that has left a line half sent when that is confirmed", options, async () => {
    const closed = new Promise((resolve) => stuck.on("close", resolve));
    const { page } = await open(browser, `${corndog.admin}/`);
    const button = page.locator("#waiting-connections tr.trouble button.act");
    await button.click();
    assert.match(await text(page, "#end-words"), /its sender is silent/);
    await page.locator("#end-dialog button.danger").click();
    await page.locator("#end-answer", { hasText: /^Connection \d+-\d+ is ended\.$/ }).waitFor();
    await closed;
    await button.waitFor({ state: "detached" });
    await page.close();
  });
});

it("a stall appears on the dashboard when a worker is held", options, async () => {
  const corndog = await (await Corndog.start(config, {
    files: { "rules.yml": rules },
    env: { CORNDOG_CHAOS: "held-loop=400ms:2s" },
  })).started();
  const browser = await launch();
  const stopSending = sendLines(corndog.port("tcp"));
  const { page } = await open(browser, `${corndog.admin}/`);
  await page.locator("#happened", { hasText: /Worker 0 (is|was) held for \d+ ms/ }).waitFor();
  await page.locator("#happened-mark:is(.bad, .warn)").waitFor();
  stopSending();
  await browser.close();
  corndog.signal("SIGKILL");
  await corndog.dispose();
});
