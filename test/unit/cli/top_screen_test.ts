import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ConnectionList, ConnectionView } from "../../../src/admin/looks_view.ts";
import { type TopSample, topScreen } from "../../../src/cli/top_screen.ts";
import { FakeControl } from "../admin/fake_control.ts";

const none = { count: 0, long: 0 };

async function sample(atMs: number, connections: readonly ConnectionView[] = []): Promise<TopSample> {
  const control = new FakeControl(10_000);
  const list: ConnectionList = {
    open: connections.length,
    waiting: { room: none, letters: none, turn: none, answer: none },
    half_lines_long: 0,
    workers_held: [],
    connections,
  };
  const stats = await control.stats();
  return { atMs, stats, inflight: await control.inflight(), connections: list };
}

const row: ConnectionView = {
  id: "0-1",
  listener: "tcp://127.0.0.1:1514",
  peer: "10.0.0.1:4711",
  age_ms: 90_000,
  idle_ms: 100,
  bytes: 12_345_678,
  lines: 9,
  partial_bytes: 0,
  state: "waiting",
  waits_ms: 41_000,
  verdict: "kafka",
  stuck: true,
};

const took = (count: number) => {
  const recent = { count, p50: 0.5, p99: 1.25, p999: 2, max: 2 };
  return { ...recent, recent, buckets: { upper_bounds_ms: [], cumulative: [], sum_ms: 0, count } };
};

const shape = { width: 100, height: 30, paused: false, stuckOnly: false, colors: false };

describe("topScreen()", () => {
  it("shows rates between two samples, waits by stage, topics and connections", async () => {
    const before = await sample(0);
    const later = await sample(2000, [row]);
    const { ledger } = before.stats;
    const now: TopSample = {
      ...later,
      stats: {
        ...later.stats,
        latency_ms: { ...later.stats.latency_ms, stages: { rules: took(0), spool: took(9), kafka: took(0) } },
        ledger: { ...ledger, received: ledger.received + 3_000_000 },
      },
      inflight: {
        waits: 4,
        stages: [{ stage: "kafka", count: 4, p50_ms: 2, p99_ms: 3, max_ms: 3, oldest: [] }],
        orphans: 0,
        overflows: 0,
      },
    };
    const text = topScreen({ now, before, ...shape }).join("\n");
    assert.match(text, /lines\/s {3}in 1\.5M {2}out 0/);
    assert.match(text, /STAGE +P50 MS +P99 MS +P99\.9 MS +WAIT NOW +OLDEST MS\n/);
    assert.match(text, /\nspool +0\.5 +1\.25 +2 +0 +-\n/);
    assert.match(text, /\nkafka +- +- +- +4 +3\n/);
    assert.doesNotMatch(text, /\nrules /, "nothing was there, nothing waits there");
    assert.match(text, /TOPIC +LINES\/S +DELIVERED +UNDER WAY\n/);
    assert.match(text, /0-1 +10\.0\.0\.1:4711 +1m30s +0\.1s +9 +12M +kafka, 41s/);
    assert.match(text, /q quit {2}space pause {2}s stuck only$/);
  });

  it("shows no rates before there are two samples", async () => {
    assert.match(topScreen({ now: await sample(0), before: undefined, ...shape })[1]!, /in - {2}out -/);
  });

  it("shows stuck connections only when asked", async () => {
    const now = await sample(0, [{ ...row, id: "0-7", stuck: false, verdict: "flowing" }, row]);
    const all = topScreen({ now, before: undefined, ...shape }).join("\n");
    const stuck = topScreen({ now, before: undefined, ...shape, stuckOnly: true }).join("\n");
    assert.ok(all.includes("0-7") && all.includes("0-1"));
    assert.ok(!stuck.includes("0-7") && stuck.includes("0-1"));
  });

  it("never is larger than the terminal, and lets nobody write control codes to it", async () => {
    const peers = fc.string({ unit: "binary", maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 20, max: 200 }),
        fc.integer({ min: 5, max: 60 }),
        fc.array(peers, { maxLength: 80 }),
        async (width, height, names) => {
          const now = await sample(0, names.map((peer) => ({ ...row, peer })));
          const lines = topScreen({ now, before: undefined, ...shape, width, height });
          assert.ok(lines.length <= height);
          for (const line of lines) {
            assert.ok(line.length <= width);
            // deno-lint-ignore no-control-regex
            assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f]/);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
