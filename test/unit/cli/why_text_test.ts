import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectionList, ConnectionView, StallList } from "../../../src/admin/looks_view.ts";
import type { Stats } from "../../../src/admin/stats_view.ts";
import { firstToken } from "../../../src/cli/admin_client.ts";
import { whyText } from "../../../src/cli/why_text.ts";
import type { Inflight } from "../../../src/observe/inflight.ts";
import { FakeControl } from "../admin/fake_control.ts";

const none = { count: 0, long: 0 };
const calm = {
  inflight: { waits: 3, stages: [], orphans: 0, overflows: 0 } as Inflight,
  connections: {
    open: 812,
    waiting: { room: none, letters: none, turn: none, answer: none },
    half_lines_long: 0,
    workers_held: [],
    connections: [],
  } as ConnectionList,
  stalls: { total: 0, stalls: [] } as StallList,
};

async function stats(change: Partial<Stats> = {}): Promise<Stats> {
  return { ...await new FakeControl(10_000).stats(), uptime_s: 90, ...change };
}

function connection(id: number, change: Partial<ConnectionView>): ConnectionView {
  return {
    id: `0-${id}`,
    listener: "tcp://127.0.0.1:1514",
    peer: `10.0.0.${id}:4711`,
    age_ms: 90_000,
    idle_ms: 100,
    bytes: 1000,
    lines: 9,
    partial_bytes: 0,
    state: "waiting",
    verdict: "kafka",
    stuck: true,
    ...change,
  };
}

describe("whyText()", () => {
  it("says that nothing is stuck when nothing is", async () => {
    const { text, stuck } = whyText({ stats: await stats(), ...calm });
    assert.equal(stuck, false);
    assert.match(text, /^corndog \S+ on .*, running for 90 s: 812 connections, \d+ lines received/);
    assert.match(text, /\nNothing is stuck\.\n$/);
  });

  it("counts connections by verdict, and names the worst", async () => {
    const connections = [
      ...[1, 2, 3].map((id) => connection(id, { waits_for: "room", waits_ms: 41_000, recv_q: 77 })),
      connection(4, {
        verdict: "client_silent",
        state: "reading",
        idle_ms: 8000,
        partial_bytes: 12,
        partial_ms: 8000,
      }),
    ];
    const waiting = { room: { count: 35, long: 33 }, letters: none, turn: none, answer: none };
    const list = { ...calm.connections, waiting, half_lines_long: 2, connections };
    const { text, stuck } = whyText({ stats: await stats(), ...calm, connections: list });
    assert.equal(stuck, true);
    assert.match(text, /35 of 812 connections wait for over 5 s:/);
    assert.match(
      text,
      / 3 {2}kafka: of those shown, there is no room until Kafka acknowledges lines/,
    );
    assert.match(text, / 1 {2}client_silent: /);
    assert.match(text, /0-1 +10\.0\.0\.1:4711 +tcp:\/\/127\.0\.0\.1:1514 {2}41 s, 77 bytes unread/);
    assert.match(text, /0-4 .* 8 s, 12 bytes of a line/);
  });

  it("names stage, topic, partition and broker of what waits for long", async () => {
    const oldest = [41_000, 40_000].map((age_ms) => ({
      worker: 0,
      age_ms,
      described: true,
      topic: "orders",
      partition: 3,
      broker: "kafka-2:9092",
    }));
    const inflight: Inflight = {
      waits: 12,
      stages: [{ stage: "kafka", count: 12, p50_ms: 6000, p99_ms: 41_000, max_ms: 41_000, oldest }],
      orphans: 1,
      lost: [{ stage: "kafka" as const, lost: 1, waits: 20 }],
      overflows: 0,
    };
    const { text, stuck } = whyText({ stats: await stats(), ...calm, inflight });
    assert.equal(stuck, true);
    assert.match(text, /Stage kafka: 12 of 12 waits, half of them over 6 s, the oldest 41 s:/);
    assert.match(text, / 2 of the oldest: topic orders partition 3, broker kafka-2:9092, 41 s/);
    assert.match(text, /Stage kafka: 1 of 20 waits since the start \(5 %\) were lost/);
  });

  it("names a worker that is held, its rule and its connection, and a stall that is over without alarm", async () => {
    const at = "2026-01-02T03:04:05.000Z";
    const over = { worker: 0, ms: 130, cause: "rule" as const, rule: "greedy", at, over: true };
    const past = whyText({ stats: await stats(), ...calm, stalls: { total: 7, stalls: [over] } });
    assert.equal(past.stuck, false);
    assert.match(past.text, /7 stalls since the start; the last took 130 ms by rule "greedy", at 2026/);
    const now = { ...over, over: false, ms: 3200, connection: "0-17", bytes: 512 };
    const held = whyText({ stats: await stats(), ...calm, stalls: { total: 8, stalls: [now, over] } });
    assert.equal(held.stuck, true);
    assert.match(
      held.text,
      /Worker 0 is held for 3\.2 s by rule "greedy", on 512 bytes of connection 0-17\./,
    );
  });

  it("says why a worker is held where it is not what it does", async () => {
    const at = "2026-01-02T03:04:05.000Z";
    const cases = [
      { cause: "gc", rule: undefined, want: "Worker 0 is held for 3.2 s, collecting garbage." },
      {
        cause: "blocked",
        rule: undefined,
        want: "Worker 0 is held for 3.2 s, asleep in a call of the operating system.",
      },
      {
        cause: "machine",
        rule: "slow",
        want: 'Worker 0 is held for 3.2 s by rule "slow", because this machine gives it no core.',
      },
      { cause: "worker", rule: undefined, want: "Worker 0 is held for 3.2 s." },
    ] as const;
    for (const { cause, rule, want } of cases) {
      const stall = { worker: 0, ms: 3200, cause, rule, at, over: false };
      const { text } = whyText({ stats: await stats(), ...calm, stalls: { total: 1, stalls: [stall] } });
      assert.ok(text.includes(want), text);
    }
  });

  it("names what the sink lacks, and a ledger that does not balance", async () => {
    const { ledger } = await stats();
    const { text, stuck } = whyText({
      stats: await stats({
        sink: { name: "kafka", ready: false, problems: ["Cannot reach broker"] },
        ledger: { ...ledger, balanced: false },
      }),
      ...calm,
    });
    assert.equal(stuck, true);
    assert.match(text, /Sink kafka is not ready:\n {2}Cannot reach broker/);
    assert.match(text, /The ledger does not balance/);
  });
});

describe("firstToken()", () => {
  const table: [string, string][] = [
    ["s3cret\n", "s3cret"],
    ["# by hand\n\nread looks\nwrite changes\n", "changes"],
    ["read looks\nplain\n", "plain"],
    ["read looks\n", "looks"],
    ["", ""],
  ];
  for (const [text, want] of table) {
    it(`takes ${JSON.stringify(want)} of ${JSON.stringify(text)}`, () =>
      assert.equal(firstToken(text), want));
  }
});
