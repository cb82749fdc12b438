/**
 * What people read: the page, the comparison, the live view, and what is said about the target.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { before, describe, it } from "node:test";
import type { Window } from "../../../src/clobber/measure/sampler.ts";
import { compareText } from "../../../src/clobber/report/compare.ts";
import { htmlReport } from "../../../src/clobber/report/html.ts";
import { LiveView } from "../../../src/clobber/report/live.ts";
import { summaryText } from "../../../src/clobber/report/summary.ts";
import { gateText } from "../../../src/clobber/report/text.ts";
import type { Result } from "../../../src/clobber/result.ts";
import type { Settings } from "../../../src/clobber/settings.ts";
import { targetFindings } from "../../../src/clobber/target_view/findings.ts";
import type { Watched } from "../../../src/clobber/target_view/watch.ts";
import { resultOf } from "./inline.ts";

let result: Result;
before(async () => {
  const server = createServer((_request, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    result = await resultOf([`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, "-l", "200"]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  // Whether this machine kept up just now is not what is tested here.
  result = { ...result, generator: { ...result.generator, verdict: "ok", reasons: [] } };
});

const window = (t: number, answeredRate: number): Window => ({
  t,
  seconds: 1,
  wantedRate: 1000,
  sentRate: 1000,
  answeredRate,
  p50: 1,
  p99: 2,
  p999: 3,
  max: 4,
  rawP99: 2,
  latenessP99: 0.1,
  failed: 0,
  open: 8,
  wanted: 8,
  backlog: 0,
  cpu: 0.5,
});

describe("htmlReport()", () => {
  it("is one file that loads nothing, and escapes what comes from outside", () => {
    const page = htmlReport({
      ...result,
      target: "http://h/<script>",
      windows: [window(1, 900), window(2, 1000)],
      warnings: ['"quoted" & <b>'],
    });
    assert.doesNotMatch(page, /<script|<link|<img|src=|url\(|@import/);
    assert.ok(page.includes("http://h/&#60;script&#62;"));
    assert.ok(page.includes("&#34;quoted&#34; &#38; &#60;b&#62;"));
    assert.match(page, /<title>answered 1000 at 2 s<\/title>/);
  });

  it("opens with the generator's fault when there is one", () => {
    const generator = {
      ...result.generator,
      verdict: "generator-limited" as const,
      reasons: ["it was slow"],
    };
    const page = htmlReport({ ...result, generator });
    const at = page.indexOf("it was slow");
    assert.ok(at > 0 && at < page.indexOf('class="cards"'));
    assert.match(summaryText({ ...result, generator }, false), /GENERATOR-LIMITED[^]*it was slow/);
  });
});

describe("compareText()", () => {
  it("says what changed, and what makes two runs incomparable", () => {
    const half = {
      ...result,
      achieved: { ...result.achieved, answeredRate: result.achieved.answeredRate / 2 },
    };
    assert.match(compareText(result, half, false), /rate +\S+ +-> +\S+ +-50\.0 %/);
    assert.doesNotMatch(compareText(result, { ...result }, false), /not the same load/);
    const other = { ...result, work: "something else" };
    assert.match(
      compareText(result, other, false),
      /not the same load: the work was GET \/ and is something else/,
    );
  });
});

describe("LiveView", () => {
  const settings = (quiet: boolean): Settings =>
    ({
      pace: { kind: "open", segments: [] },
      plan: { target: { url: "tcp://h:1" } },
      output: { quiet },
    }) as unknown as Settings;

  it("draws over itself, no wider than the terminal, and is gone in the end", () => {
    let out = "";
    const view = new LiveView(settings(false), {
      err: (text) => out += text,
      terminalColumns: 40,
      colors: false,
    });
    view.window(window(1, 900), 0.25);
    const rows = out.split("\n");
    assert.ok(rows.every((row) => row.length < 40), out);
    assert.match(out, /900\/s of 1000\/s/);
    assert.match(out, /25 %/);
    const drawn = rows.length - 1;
    view.window(window(2, 1000), 0.5);
    view.end();
    assert.ok(out.endsWith(`\x1b[${drawn}A\r\x1b[J`), "wiped");
  });

  it("writes a line now and then where there is no terminal, and nothing when it shall be quiet", () => {
    let out = "";
    const outside = { err: (text: string) => void (out += text), terminalColumns: undefined, colors: false };
    const view = new LiveView(settings(false), outside);
    for (let t = 1; t <= 20; t++) view.window(window(t, 1000), t / 20);
    assert.equal(
      out,
      "10.0 s: 1000/s, p50 1.00 ms, p99 2.00 ms, 8 connections\n".concat(
        "20.0 s: 1000/s, p50 1.00 ms, p99 2.00 ms, 8 connections\n",
      ),
    );
    out = "";
    const quiet = new LiveView(settings(true), { ...outside, terminalColumns: 80 });
    quiet.window(window(1, 1000), 0.5);
    quiet.end();
    assert.equal(out, "");
  });
});

describe("targetFindings()", () => {
  const watched = (waits: readonly (readonly [string, number, string])[][]): Watched => ({
    url: "http://h:1",
    looks: waits.map((look, index) => ({
      atMs: index,
      waits: look.map(([stage, ageMs, who]) => ({ stage, ageMs, count: 1, who })),
    })),
    failures: 0,
    problem: undefined,
    stalls: [{ ms: 300, cause: "regex", rule: "slow" }],
    ledger: { received: 100, delivered: 90, dead_lettered: 10, "dropped rule_drop": 0 },
  });

  it("names the stage farthest down the line that held the slowest, and its share of the time", () => {
    const { findings } = targetFindings(
      watched([
        [["relp_reply", 900, ""], ["kafka", 890, "topic logs, partition 3"]],
        [["kafka", 1200, "topic logs, partition 3"]],
        [["spool", 950, ""]],
        [["kafka", 5, "topic logs, partition 1"]],
      ]),
      { p90: 10, p99: 800, p999: 5000 },
      100,
    );
    assert.equal(
      findings[0],
      "something in it waited longer than p99 (800 ms) in 3 of 4 looks; of that time " +
        "66.7 % stage kafka, topic logs, partition 3; 33.3 % stage spool",
    );
    assert.equal(findings[1], "its workers were held once, 0.30 s in all, by rule slow");
    assert.equal(findings[2], "it received 100 lines of 100 messages, 90 delivered, 10 dead_lettered");
  });

  it("says so when nothing was seen to wait", () => {
    const { findings } = targetFindings(watched([[["spool", 3, ""]]]), { p90: 10, p99: 20, p999: 30 }, 100);
    assert.match(findings[0]!, /^nothing in it was seen to wait as long as p90 \(10\.0 ms\)/);
  });

  it("says so when the target did not answer", () => {
    const { findings } = targetFindings(
      { ...watched([]), failures: 3, problem: "refused", stalls: [], ledger: {} },
      null,
      100,
    );
    assert.deepEqual(findings, ["it did not answer: refused"]);
  });
});

describe("gateText()", () => {
  for (
    const [gate, measured, want] of [
      ["p99<20ms", 12.3456, "12.3 ms"],
      ["e2e.p99.9<2s", 2345, "2.35 s"],
      ["loss==0", 0, "0"],
      ["achieved>=0.99", 0.9876543, "0.987654"],
      ["e2e.p99<1s", undefined, "not measured"],
    ] as const
  ) {
    it(`is ${want} for ${gate}`, () => assert.equal(gateText(gate, measured), want));
  }
});
