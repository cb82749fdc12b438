import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../../src/observe/log.ts";
import { RecentEvents, recentEventsMax } from "../../../src/observe/recent_events.ts";

function setup() {
  let nowMs = 1_000;
  const lines: string[] = [];
  const recent = new RecentEvents(() => nowMs);
  const log = recent.watch(createLogger({
    format: "json",
    level: "info",
    colors: false,
    write: (line) => lines.push(line),
    now: () => nowMs,
  }));
  return { recent, log, lines, later: (ms: number) => nowMs += ms };
}

test("RecentEvents keeps warnings and errors, and passes everything on, when a logger is watched", () => {
  const { recent, log, lines } = setup();
  log.info("started");
  log.warn("spooling", { problem: "no broker" });
  log.with({ worker: 1 }).error("orphan", { error: new TypeError("broken"), size: 3n, list: [1, 2n] });
  assert.equal(lines.length, 3);
  const { total, events } = recent.list();
  assert.equal(total, 2);
  assert.deepEqual(events.map(({ level, event, fields }) => [level, event, fields]), [
    ["error", "orphan", { worker: "1", error: "broken", size: "3", list: "1; 2" }],
    ["warn", "spooling", { problem: "no broker" }],
  ]);
});

test("RecentEvents counts the same trouble in one entry, newest first, when it comes again", () => {
  const { recent, log, later } = setup();
  log.warn("refused", { problem: "a", peer: "1" });
  later(1_000);
  log.warn("refused", { problem: "b" });
  later(1_000);
  log.warn("refused", { problem: "a", peer: "2" });
  assert.deepEqual(
    recent.list().events.map(({ count, first_at, at, fields }) => [count, first_at, at, fields]),
    [
      [2, "1970-01-01T00:00:01.000Z", "1970-01-01T00:00:03.000Z", { problem: "a", peer: "2" }],
      [1, "1970-01-01T00:00:02.000Z", "1970-01-01T00:00:02.000Z", { problem: "b" }],
    ],
  );
});

test("RecentEvents is bounded in entries, fields and characters when there is much trouble", () => {
  const { recent, log } = setup();
  for (let index = 0; index < recentEventsMax + 10; index++) log.error("failed", { problem: `${index}` });
  assert.equal(recent.list().events.length, recentEventsMax);
  assert.equal(recent.list().total, recentEventsMax + 10);
  assert.equal(recent.list().events.at(-1)!.fields.problem, "10");
  log.error("long", Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, "x".repeat(5_000)])));
  const [{ fields }] = recent.list().events;
  assert.equal(Object.keys(fields).length, 16);
  assert.equal(fields.f0.length, 300);
});
