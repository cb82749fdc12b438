import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TapEvent, TapFilter } from "../../../src/admin/tap_view.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import type { FrameLine } from "../../../src/pipeline/frame_line.ts";
import { LineTrace } from "../../../src/pipeline/line_trace.ts";
import { Taps } from "../../../src/pipeline/tap.ts";
import type { Outcome, Program } from "../../../src/rules/program.ts";
import { until } from "../../support/until.ts";

const batch = (topic: string, partition = 3) => ({ topic, partition, committed: false }) as ClosedBatch;

function times(): ConstructorParameters<typeof LineTrace>[0] {
  const nowMs = performance.now();
  return { receivedMs: nowMs - 5, rulesFromMs: nowMs - 3, rulesToMs: nowMs - 1 };
}

describe("LineTrace", () => {
  it("has every stage of every copy when the last is settled", () => {
    let ended = 0;
    const trace = new LineTrace(times(), () => ended++);
    const [orders, audit] = [batch("orders"), batch("audit", -1)];
    trace.attached();
    trace.attached();
    trace.placed();
    for (const one of [orders, audit]) {
      trace.moved("spool", one);
      trace.committed();
      trace.moved("kafka", one);
    }
    trace.moved(undefined, orders, "kafka-1:9092");
    trace.settled(true);
    assert.equal(ended, 0, "one copy is under way");
    trace.moved(undefined, audit);
    trace.settled(true);
    assert.equal(ended, 1);
    const { steps, end, ms } = trace.view("forward");
    assert.equal(end, "delivered");
    assert.ok(ms >= 5);
    const of = (topic: string | undefined) =>
      steps.filter((step) => step.topic === topic).map((step) => step.stage);
    assert.deepEqual(of(undefined), ["intake", "rules"]);
    assert.deepEqual(of("orders"), ["batch", "spool", "kafka"]);
    assert.deepEqual(of("audit"), ["batch", "spool", "kafka"]);
    assert.equal(steps.find(({ broker }) => broker !== undefined)!.partition, 3);
  });

  const ends: [string, (trace: LineTrace) => void, Outcome["kind"], string][] = [
    ["dropped by a rule", (trace) => trace.placed(), "drop", "dropped"],
    [
      "given up by the memory",
      (trace) => {
        const one = batch("a");
        trace.attached();
        trace.placed();
        trace.moved("spool", one);
        trace.committed();
        trace.moved(undefined, one);
        trace.spooled("disk");
      },
      "forward",
      "spooled",
    ],
    [
      "rejected by Kafka",
      (trace) => {
        trace.attached();
        trace.placed();
        trace.settled(false, "record_too_large");
      },
      "forward",
      "dead_lettered",
    ],
    [
      "refused by the topic gate",
      (trace) => {
        trace.lettered();
        trace.placed();
      },
      "forward",
      "dead_lettered",
    ],
    [
      "under way",
      (trace) => {
        trace.attached();
        trace.placed();
        trace.moved("kafka", batch("a"));
      },
      "forward",
      "unfinished",
    ],
  ];
  for (const [name, act, outcome, want] of ends) {
    it(`says ${want} when the line is ${name}`, () => {
      const trace = new LineTrace(times(), () => {});
      act(trace);
      const view = trace.view(outcome);
      assert.equal(view.end, want);
      assert.equal(view.steps.some(({ unfinished }) => unfinished === true), want === "unfinished");
    });
  }

  it("makes no batch hurry", () => assert.equal(new LineTrace(times(), () => {}).hurries, false));
});

describe("Taps", () => {
  const line = { peer: "192.0.2.1:514", nowMs: 0, start: 0, end: 9, text: () => "x" } as unknown as FrameLine;
  const outcome = {
    kind: "default",
    rule: -1,
    forwards: [],
    reason: "",
    redaction: "none",
  } as unknown as Outcome;
  const program = { names: [], fallback: { topic: "logs" } } as unknown as Program;
  const filter: TapFilter = { sample: 1, payload: false, trace: true };

  it("follows a bounded number of lines at a time, counts the others, and follows on when some have ended", async () => {
    const told: TapEvent[] = [];
    let left = 0;
    const taps = new Taps(0, (_, events, leftOut) => {
      told.push(...events);
      left += leftOut;
    });
    taps.set(1, filter);
    try {
      assert.equal(taps.tracing, true);
      const traces = Array.from({ length: 40 }, () => taps.saw(line, outcome, program, 1, times()))
        .filter((trace) => trace !== undefined);
      assert.equal(traces.length, 16);
      for (const trace of traces) trace.placed();
      assert.ok(taps.saw(line, outcome, program, 1, times()) !== undefined);
      await until("what was seen", () => told.length === 16 || undefined);
      assert.equal(left, 24);
      assert.ok(told.every(({ trace }) => trace?.end === "delivered"));
    } finally {
      taps.set(1, undefined);
    }
  });

  it("forgets lines when their tap ends", () => {
    const taps = new Taps(0, () => assert.fail("nobody looks"));
    taps.set(1, filter);
    const trace = taps.saw(line, outcome, program, 1, times())!;
    taps.set(1, undefined);
    trace.placed();
    assert.equal(trace.done, true);
    assert.equal(taps.open, false);
  });

  it("follows nothing where no times are given, and shows lines at once to taps without trace", () => {
    const taps = new Taps(0, () => {});
    taps.set(1, filter);
    taps.set(2, { sample: 1, payload: false });
    try {
      assert.equal(taps.saw(line, outcome, program, 1), undefined);
    } finally {
      taps.set(1, undefined);
      taps.set(2, undefined);
    }
  });
});
