import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Stats } from "../../../src/admin/stats_view.ts";
import { dashboardAssets } from "../../../src/admin/dashboard/assets.ts";
import { niceCeiling } from "../../../src/admin/dashboard/scales.js";
import {
  bytes,
  compact,
  count,
  duration,
  latency,
  rate,
  share,
} from "../../../src/admin/dashboard/format.js";
import { History, spanMs } from "../../../src/admin/dashboard/history.js";
import { problemsOf } from "../../../src/admin/dashboard/problems.js";
import { FakeControl } from "./fake_control.ts";

const formats: { name: string; got: string | string[]; want: string | string[] }[] = [
  { name: "count", got: count(1_234_567), want: "1,234,567" },
  { name: "rate of nothing", got: rate(0), want: "0" },
  { name: "rate of little", got: rate(0.42), want: "0.4" },
  { name: "rate of much", got: rate(12_345.6), want: "12,346" },
  { name: "compact below a thousand", got: compact(999), want: "999" },
  { name: "compact that rounds up to the next unit", got: compact(999.7), want: "1 k" },
  { name: "compact", got: compact(1_250_000), want: "1.25 M" },
  { name: "bytes", got: bytes(236_400_000), want: ["236", "MB"] },
  { name: "bytes of nothing", got: bytes(0), want: ["0", "B"] },
  { name: "latency in µs", got: latency(0.85), want: ["850", "µs"] },
  { name: "latency in ms", got: latency(3.14159), want: ["3.14", "ms"] },
  { name: "latency in s", got: latency(12_000), want: ["12", "s"] },
  { name: "latency in min", got: latency(300_000), want: ["5", "min"] },
  { name: "seconds", got: duration(59.9), want: "59 s" },
  { name: "minutes", got: duration(185), want: "3 min 5 s" },
  { name: "hours", got: duration(7800), want: "2 h 10 min" },
  { name: "days", got: duration(356_400), want: "4 d 3 h" },
  { name: "a share", got: share(37, 100), want: "37 %" },
  { name: "nothing of nothing", got: share(0, 0), want: "0 %" },
  { name: "all", got: share(5, 5), want: "100 %" },
  { name: "nearly all", got: share(999_999, 1_000_000), want: "99.99 %" },
  { name: "nearly nothing", got: share(1, 1_000_000), want: "< 0.01 %" },
];
for (const { name, got, want } of formats) {
  test(`format.js gives "${want}" when it shows ${name}`, () => assert.deepEqual(got, want));
}

test("niceCeiling() is 1, 2 or 5 times a power of ten when it bounds a chart", () => {
  const cases = [[0, 1], [0.3, 0.5], [1, 1], [1.01, 2], [4.9, 5], [5.1, 10], [87_315, 100_000], [
    100_001,
    200_000,
  ]];
  for (const [value, want] of cases) assert.equal(niceCeiling(value), want, String(value));
});

async function statsAt(received: number, uptime: number, changes: Partial<Stats> = {}): Promise<Stats> {
  const stats = await new FakeControl().stats();
  return { ...stats, uptime_s: uptime, ledger: { ...stats.ledger, received }, ...changes };
}

test("History.rate() is taken over the last polls when answers come each second", async () => {
  const history = new History();
  const received = (stats: Stats) => stats.ledger.received;
  history.push(await statsAt(1000, 1), 0);
  assert.equal(history.rate(received), undefined);
  assert.equal(history.points.length, 0);
  history.push(await statsAt(1100, 2), 1000);
  assert.equal(history.rate(received), 100);
  for (let second = 2; second <= 5; second++) {
    history.push(await statsAt(1100 + (second - 1) * 300, second + 1), second * 1000);
  }
  assert.equal(history.rate(received), 300);
  assert.equal(history.points.at(-1)?.received, 300);
});

test("History breaks its lines and begins anew when the process was restarted or was away", async () => {
  const history = new History();
  history.push(await statsAt(1000, 10), 0);
  history.push(await statsAt(1100, 11), 1000);
  history.push(await statsAt(5, 1), 2000);
  assert.equal(history.rate((stats) => stats.ledger.received), undefined);
  assert.equal(history.points.at(-1)?.received, undefined);
  history.push(await statsAt(25, 2), 3000);
  assert.equal(history.points.at(-1)?.received, 20);
  history.gap(4000);
  assert.equal(history.points.at(-1)?.received, undefined);
});

test("History forgets what is older than five minutes when it runs for hours", async () => {
  const history = new History();
  for (let second = 0; second < 1000; second++) history.push(await statsAt(second, second), second * 1000);
  assert.equal(history.points.length, 301);
  assert.equal(spanMs(history.points, 999_000), 300_000);
  assert.equal(spanMs([], 5), 60_000);
});

test("problemsOf() is empty when all is well and names each thing that is not", async () => {
  const control = new FakeControl(10_000);
  const none = () => 0;
  assert.deepEqual(problemsOf(await control.stats(), none), []);
  control.sinkProblems = ["no broker answers"];
  control.lost = 3;
  control.lastError = { at: "2026-01-02T03:04:05Z", faults: [] };
  const stats = await control.stats();
  const texts = problemsOf({
    ...stats,
    state: "draining",
    workers: [{ worker: 1, heartbeat_age_ms: 65_000 }],
  }, () => 2)
    .map(({ level, text }) => `${level}: ${text}`);
  const wanted = [
    /^error: The ledger does not balance: 3 lines are missing/,
    /^error: Sink kafka cannot deliver: no broker answers/,
    /^error: Worker 1 has been held for 1 min 5 s/,
    /^warning: corndog is draining/,
    /^warning: The rules of .* were refused \(0 faults\); version 4/,
    /^warning: Senders wait: reading stops 2 times a second/,
    /^warning: Lines go to the dead letter: 2 a second/,
  ];
  assert.equal(texts.length, wanted.length);
  wanted.forEach((want, index) => assert.match(texts[index], want));
});

test("the dashboard is light, all of it is text, and nothing of it names another place, when it is served", () => {
  const assets = dashboardAssets();
  const bytes = assets.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  assert.ok(bytes < 220_000, `${bytes} bytes`);
  const packed = assets.reduce((sum, { text }) => sum + gzipSync(text).byteLength, 0);
  assert.ok(packed < 80_000, `${packed} bytes, compressed`);
  const html = assets.find(({ path }) => path === "/")!.text;
  const named = Array.from(html.matchAll(/(?:src|href)="(dashboard\/[^"]+)"/g), ([, path]) => `/${path}`);
  const served = new Set(assets.map(({ path }) => path));
  for (const path of named) assert.ok(served.has(path), path);
  for (const { path, text } of assets) {
    assert.equal(typeof text, "string", path);
    assert.doesNotMatch(text, /\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|\beval\(/, path);
    for (const [, module] of text.matchAll(/^import .* from "\.\/([^"]+)";$/gm)) {
      assert.ok(served.has(`/dashboard/${module}`), `${path} imports ${module}`);
    }
    // Only what a comment or a namespace says.
    const links = Array.from(text.matchAll(/https?:\/\/[^\s"')]+/g), ([link]) => link);
    const harmless = ["http://www.w3.org/2000/svg", "https://github.com/leeoniya/uPlot"];
    assert.deepEqual(links.filter((link) => !harmless.includes(link)), [], path);
  }
});
