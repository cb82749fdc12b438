import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stats } from "../../../src/admin/stats_view.ts";
import { faultsOf, hasOtherSections, offsetOf } from "../../../src/admin/dashboard/editor_text.js";
import { stepsOf } from "../../../src/admin/dashboard/explain_steps.js";
import { layoutFlow } from "../../../src/admin/dashboard/flow_layout.js";
import { flowNodes } from "../../../src/admin/dashboard/flow_nodes.js";
import { happenedOf, markOf } from "../../../src/admin/dashboard/happened.js";
import { ledgerWords } from "../../../src/admin/dashboard/ledger.js";
import { lookProblems } from "../../../src/admin/dashboard/looks.js";
import { decades, powers } from "../../../src/admin/dashboard/scales.js";
import { stageSeries, wholeWay } from "../../../src/admin/dashboard/stage_plot.js";
import { visible } from "../../../src/admin/dashboard/visible.js";
import { FakeControl } from "./fake_control.ts";

const node = (name: string, rate: number) => ({ name, kind: "topic", rate, hint: "" });

test("layoutFlow() makes nodes as thick as their rates, and none of them overlap, in every width", () => {
  for (const width of [500, 900, 1_330, 2_500]) {
    const picture = layoutFlow([
      [node("a", 3_000), node("b", 1_000), node("idle", 0)],
      [node("rule", 4_000)],
      [node("x", 2_000), node("y", 1_999), node("z", 1)],
    ], width);
    const [[a, b, idle], , [x, y, z]] = picture.columns;
    assert.ok(Math.abs(a.height / b.height - 3) < 0.01);
    assert.ok(Math.abs(x.height / y.height - 1) < 0.01);
    assert.ok(idle.height < 2 && z.height >= 1.5, "what is little is still seen");
    for (const column of picture.columns) {
      column.forEach((one, index) => {
        assert.ok(one.y >= 0 && one.y + one.height <= picture.height, "inside");
        assert.ok(one.x >= 0 && one.x + one.width <= width, "inside");
        if (index > 0) assert.ok(one.y >= column[index - 1].y + column[index - 1].height, "apart");
      });
    }
    // What is idle has no band; the others have one on each side where there is one.
    assert.equal(picture.bands.length, 2 + 1 + 1 + 3);
    assert.ok(picture.bands.every(({ path }) => !/NaN|Infinity/.test(path)));
    assert.ok(picture.bars[0].x < picture.columns[1][0].x && picture.columns[1][0].x < picture.bars[1].x);
  }
});

test("layoutFlow() has a picture without a band when nothing flows", () => {
  const picture = layoutFlow([[node("a", 0)], [], []], 800);
  assert.equal(picture.bands.length, 0);
  assert.ok(Number.isFinite(picture.height));
});

const perSecond = (stats: Stats) => (select: (stats: Stats) => number | undefined) =>
  (select(stats) ?? 0) / 60;

test("flowNodes() names listeners, rules and ends, the busiest topics first and the rest as one", async () => {
  const stats = await new FakeControl(60_000).stats();
  const [listeners, rules, ends] = flowNodes(stats, perSecond(stats));
  assert.deepEqual(listeners.map(({ name }) => name), [
    "tcp://0.0.0.0:1514",
    "udp://0.0.0.0:1514",
    "tls://0.0.0.0:6514",
  ]);
  assert.deepEqual(rules.map(({ name }) => name), [
    "by-meta-topic",
    "health-checks",
    "everything-else",
    "no rule",
  ]);
  assert.equal(ends[0].name, "orders");
  assert.ok(ends.some(({ name }) => name === "7 more topics"));
  assert.ok(ends.some(({ name, kind }) => name === "dropped: rule stop" && kind === "dropped"));
  const received = stats.ledger.received / 60;
  const sum = ends.reduce((total, { rate }) => total + rate, 0);
  assert.ok(Math.abs(sum / received - 1) < 0.1, `${sum} of ${received}`);
});

test("flowNodes() says so when there are no rules, and takes any name of a topic", async () => {
  const stats = await new FakeControl(60_000).stats();
  const topics = Object.fromEntries([["__proto__", { submitted: 60, delivered: 30, dead_lettered: 0 }]]);
  const bare = { ...stats, rules: { ...stats.rules, hits: [] }, kafka: { brokers: [], topics } };
  const [, rules, [topic]] = flowNodes(bare, perSecond(bare));
  assert.deepEqual(rules.map(({ name }) => name), ["no rules"]);
  assert.deepEqual([topic.name, topic.rate, topic.waiting], ["__proto__", 1, 0.5]);
});

test("offsetOf() finds a line and column, and stays in the text, when a fault says where", () => {
  const text = "rules:\n  - name: x\n\nlast";
  const cases: [number, number, number][] = [[1, 1, 0], [2, 5, 11], [2, 99, 18], [3, 1, 19], [4, 2, 21], [
    9,
    1,
    20,
  ], [
    0,
    0,
    0,
  ]];
  for (const [line, column, want] of cases) {
    assert.equal(offsetOf(text, { line, column }), want, `${line}:${column}`);
  }
});

test("faultsOf() takes what a refusal says, whatever it is, and knows what is in this file", () => {
  assert.deepEqual(faultsOf(undefined, "a.yml"), []);
  const [here, there, strange] = faultsOf([
    { file: "a.yml", line: 3, column: 4, path: "rules.0", message: "m" },
    { file: "b.yml", line: 1, column: 1, path: "", message: "n" },
    {},
  ], "a.yml");
  assert.deepEqual([here.here, here.line, there.here, strange.line, strange.message], [
    true,
    3,
    false,
    0,
    "unknown",
  ]);
  assert.equal(faultsOf(Array(500).fill({}), "").length, 50);
});

test("hasOtherSections() knows a configuration from a rule file", () => {
  assert.equal(hasOtherSections("# x\nrules:\n  - name: a\n    field: msg\ntests: []\n"), false);
  assert.equal(hasOtherSections("kafka: {}\nrules: []\n"), true);
});

test("stepsOf() tells a line's way in words, in the rules' order, when rules match, fail and send", () => {
  const record = { topic: "orders", topicFromLine: true, key: "k", value: "v", unchanged: false };
  const steps = stepsOf({
    fields: {},
    rules: [
      {
        rule: 1,
        name: "second",
        file: "",
        line: 1,
        matcher: "msg jmespath meta",
        matched: true,
        variables: { value: "orders" },
        actions: [
          { type: "merge", did: "changed", value: "{}", us: 1 },
          {
            type: "forward",
            did: "sent",
            records: [{ ...record, refused: "topic_not_allowed" } as never],
            us: 1,
          },
          { type: "set", did: "failed", reason: "r", message: "too long", us: 1 },
        ],
        match_us: 1,
        us: 2,
      },
      {
        rule: 0,
        name: "first",
        file: "",
        line: 1,
        matcher: "m",
        matched: false,
        why: "no msg",
        match_us: 1,
        us: 1,
      },
    ],
    misses_not_listed: 3,
    not_tried: 1,
    decided_by: 1,
    result: { kind: "forward", records: [{ ...record, refused: "topic_not_allowed" } as never] },
    us: 1_500,
  }, true);
  assert.deepEqual(steps.map(({ kind, title }) => [kind, title]), [
    ["miss", "first does not match"],
    ["hit", "second matches"],
    ["miss", "3 more rules did not match"],
    ["miss", "1 rule was not tried"],
    ["bad", "It goes to the dead letter"],
  ]);
  assert.deepEqual(steps[1].details.map(({ text, value, bad }) => [text, value, bad]), [
    ["sets value", "orders", undefined],
    ["merge makes it", "{}", undefined],
    ["forward to topic orders, key k", "v", undefined],
    ["That topic is refused (topic not allowed): the line goes to the dead letter.", undefined, true],
    ["set fails: too long", undefined, true],
  ]);
  assert.equal(steps[4].about, "1.5 ms in all, cold");
  assert.match(steps[4].details[0].text, /was cut/);
});

test("ledgerWords() says where the lines are when it balances and how many are missing when not", async () => {
  const control = new FakeControl(60_000);
  control.lettersEvery = Infinity;
  const { ledger } = await control.stats();
  assert.match(
    ledgerWords(ledger),
    /^[\d,]+ lines received, and [\d,]+ copies by rules\. Each is in exactly one place: /,
  );
  assert.match(
    ledgerWords(ledger),
    /are on their way, [\d,]+ were dropped, each with a reason; nothing is missing\.$/,
  );
  control.lost = 3;
  assert.match(
    ledgerWords((await control.stats()).ledger),
    / 3 of them are in no place: please report it\.$/,
  );
});

test("happenedOf() puts stalls and troubles of the log in one list, newest first", () => {
  const at = (second: number) => new Date(second * 1000).toISOString();
  const entries = happenedOf({
    total: 2,
    stalls: [
      { worker: 0, ms: 1_200, cause: "rule", rule: "greedy", connection: "0-3", at: at(5), over: true },
      { worker: 1, ms: 300, cause: "machine", at: at(9), over: false },
    ],
  }, {
    total: 3,
    events: [
      { level: "error", event: "worker_held", fields: {}, count: 1, first_at: at(5), at: at(5) },
      {
        level: "warn",
        event: "kafka_away",
        fields: { broker: "b", problem: "refused" },
        count: 4,
        first_at: at(1),
        at: at(7),
      },
    ],
  });
  assert.deepEqual(entries.map(({ level, title, text }) => [level, title, text]), [
    ["error", "Worker 1 is held for 300 ms", "for want of a core"],
    ["warn", "kafka away (4 times)", "refused · broker b"],
    ["error", "Worker 0 was held for 1.2 s", 'by rule "greedy", on connection 0-3'],
  ]);
  assert.deepEqual(markOf(entries, 0, 10_000), ["bad", "a worker is held"]);
  assert.deepEqual(markOf(entries.slice(1), 2, 10_000), ["bad", "2 lost waits"]);
  assert.deepEqual(markOf(entries.slice(1), 0, 10_000), ["warn", "an error"]);
  assert.deepEqual(markOf(entries.slice(1, 2), 0, 10_000), ["warn", "a warning"]);
  assert.deepEqual(markOf(entries.slice(1), 0, 3_600_000), ["good", "nothing of late"]);
  assert.deepEqual(markOf([], 0, 0), ["good", "nothing"]);
});

test("lookProblems() is empty when nothing is stuck and names what is", () => {
  const control = new FakeControl();
  const looks = {
    connections: control.connectionsNow,
    inflight: control.inflightNow,
    stalls: control.stallsNow,
    events: control.eventsNow,
  };
  assert.deepEqual(lookProblems(looks), []);
  const [one] = lookProblems({ ...looks, inflight: { ...looks.inflight, orphans: 2 } });
  assert.match(one.text, /^2 waits were lost/);
});

test("visible() shows what hides, and leaves letters of all scripts, when others choose the text", () => {
  assert.equal(visible("a\u202eb\x1b[31m\0\u2066"), "a\\u202eb\\u001b[31m\\u0000\\u2066");
  assert.equal(visible("straße 日本 שלום 👋🏽\n\t"), "straße 日本 שלום 👋🏽\n\t");
});

test("powers() has an axis' powers of ten, five at most", () => {
  assert.deepEqual(powers(1, 1000), [1, 10, 100, 1000]);
  assert.deepEqual(decades([0.3, 250]), [0.1, 1000]);
  assert.ok(powers(1e-3, 1e6).length <= 5);
});

const at = (atMs: number, p99: number, stages: Record<string, number>) => ({
  atMs,
  p50: p99 / 2,
  p99,
  stages: Object.fromEntries(
    Object.entries(stages).map(([name, ms]) => [name, { p50: ms / 2, p99: ms, p999: ms * 2 }]),
  ),
});

test("stageSeries() has a line for the whole way and one for each stage, in the order of a line's way", () => {
  const points = [
    at(1, 9, { kafka: 7, work: 1 }),
    { atMs: 2 },
    at(3, 8, { dead_letter: 2, work: 2, odd: 1 }),
  ];
  const series = stageSeries(points, "p99");
  assert.deepEqual(series.map(({ name }) => name), [wholeWay, "work", "kafka", "dead letter", "odd"]);
  assert.deepEqual(series.map(({ of }) => points.map(of)), [
    [9, undefined, 8],
    [1, undefined, 2],
    [7, undefined, undefined],
    [undefined, undefined, 2],
    [undefined, undefined, 1],
  ]);
  assert.deepEqual(stageSeries(points, "p50").map(({ of }) => of(points[0]!)), [
    4.5,
    0.5,
    3.5,
    undefined,
    undefined,
  ]);
  assert.deepEqual(stageSeries([], "p99").map(({ name }) => name), [wholeWay]);
});

test("stageSeries() keeps the slowest when there are more stages than colours", () => {
  const names = ["work", "rules", "memory", "batch", "compress", "spool", "kafka", "http_reply"];
  const points = [at(1, 9, Object.fromEntries(names.map((name, index) => [name, index + 1])))];
  const shown = stageSeries(points, "p99").map(({ name }) => name);
  assert.deepEqual(shown, [wholeWay, "memory", "batch", "compress", "spool", "kafka", "http reply"]);
});
