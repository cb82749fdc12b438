import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFlight, flightKind, FlightRecorder } from "../../../src/observe/flight.ts";
import { createStageTables, stage, StageTable } from "../../../src/observe/stage_table.ts";
import { BatchWaits } from "../../../src/pipeline/batch_waits.ts";
import { chaosOf } from "../../../src/pipeline/chaos.ts";
import { Orphans } from "../../../src/pipeline/orphans.ts";
import { BenchSink } from "../kafka/bench_sink.ts";

/** A worker's books over a Kafka sink on a clock that the test turns. `forgets` loses an acknowledgement. */
async function rig(forgets: () => boolean) {
  const bench = await new BenchSink({ brokers: 3, seed: 7 }).started();
  const { clock } = bench;
  const waits = new StageTable(createStageTables(1), 0);
  const flight = new FlightRecorder(createFlight(1), 0);
  const batches = new BatchWaits({ waits, flight, sink: bench.sink, nowMs: () => clock.nowMs() });
  const told: Record<string, unknown>[] = [];
  const resent: unknown[] = [];
  const orphans = new Orphans({
    waits,
    batches,
    flight,
    log: (_, fields) => told.push(fields),
    resend: (batch) => {
      resent.push(batch);
      batches.end(batch, flightKind["batch delivered"]);
    },
    endConnection: () => {},
  });
  bench.onSettled = (batch) => {
    if (!forgets()) batches.end(batch, flightKind["batch delivered"]);
  };
  return {
    bench,
    orphans,
    told,
    resent,
    /** A second of traffic, and the look at its end. */
    async second(perSecond: number) {
      for (let nth = 0; nth < perSecond; nth++) {
        batches.begin(bench.send(nth % 2 === 0 ? "orders" : "audit", [`line ${nth}`]), stage.kafka);
        await clock.advance(1000 / perSecond);
      }
      orphans.tick(clock.nowMs());
    },
  };
}

describe("Orphans", () => {
  it("finds none in an hour of traffic with slow answers, lost connections, moved leaders and an outage", async () => {
    const { bench, orphans, second } = await rig(() => false);
    const { cluster } = bench;
    const [orders] = [cluster.create("orders", 3), cluster.create("audit", 3)];
    for (let at = 0; at < 3600; at++) {
      // Each kind of trouble has its minutes.
      const minute = Math.floor(at / 60) % 10;
      cluster.fault = minute === 2
        ? () => ({ delayMs: 3000 })
        : minute === 4 && at % 10 === 0
        ? () => ({ cut: "after" })
        : minute === 5 && at % 7 === 0
        ? () => ({ refuse: () => 6 })
        : () => ({});
      if (at % 600 === 360) { for (const id of [1, 2, 3]) cluster.down(id); }
      if (at % 600 === 400) { for (const id of [1, 2, 3]) cluster.up(id); }
      if (at % 97 === 0) orders[at % 3]!.leader = 1 + at % 3;
      await second(2);
    }
    cluster.fault = () => ({});
    await bench.settled();
    assert.equal(bench.sent.length, 7200);
    assert.equal(orphans.total, 0);
    assert.deepEqual(orphans.lost, []);
  });

  it("finds every wait of which the end was forgotten, says its stage and share, and ends it", async () => {
    let forgotten = 0;
    let nth = 0;
    const { bench, orphans, told, resent, second } = await rig(() => nth++ % 20 === 0 && ++forgotten > 0);
    bench.cluster.create("orders", 3);
    bench.cluster.create("audit", 3);
    for (let at = 0; at < 60; at++) await second(2);
    const before = forgotten;
    for (let at = 0; at < 3; at++) {
      orphans.tick(bench.clock.nowMs());
      await bench.clock.advance(1000);
    }
    assert.ok(before >= 5);
    assert.equal(orphans.total, before);
    assert.deepEqual(orphans.lost, [{ stage: "kafka", lost: before, waits: 120 }]);
    assert.deepEqual([told[0]!.stage, told[0]!.topic], ["kafka", "orders"]);
    assert.ok(told.every(({ age_ms }) => Number(age_ms) <= 5000), "each within five seconds");
    await bench.clock.advance(12_000);
    orphans.tick(bench.clock.nowMs());
    assert.equal(resent.length, before);
  });
});

describe("chaosOf()", () => {
  it("reads every form, and refuses others", () => {
    assert.equal(chaosOf(undefined), undefined);
    assert.deepEqual(pick(chaosOf("held-loop=400ms:2s")), [400, 2000, undefined, 0]);
    assert.deepEqual(pick(chaosOf("held-rule=by-app:30ms:1s")), [30, 1000, "by-app", 0]);
    assert.deepEqual(pick(chaosOf("slow-disk=3s")), [0, 0, undefined, 3000]);
    const blocked = chaosOf("blocked-loop=400ms:2s");
    assert.deepEqual([...pick(blocked), blocked!.holdBy], [400, 2000, undefined, 0, "sleep"]);
    const storm = chaosOf("gc-storm=3MiB:2s");
    assert.deepEqual([...pick(storm), storm!.holdBy, storm!.garbageBytes], [
      0,
      2000,
      undefined,
      0,
      "garbage",
      3 << 20,
    ]);
    assert.equal(chaosOf("blind")!.blind, true);
    assert.equal(chaosOf("slow-disk=3s")!.blind, false);
    for (const text of ["lost-wakeup=disk:5%", "held-loop=4s", "slow-disk=3ms", "held-rule=400ms:2s", "x"]) {
      assert.throws(() => chaosOf(text), /Cannot use CORNDOG_CHAOS=/);
    }
  });

  it("forgets its share above the rate, and nothing below it", () => {
    let chance = 0;
    const chaos = chaosOf("lost-wakeup=kafka:5%@200rps", () => (chance = (chance + 0.01) % 1))!;
    const forgotten = (perSecond: number, fromMs: number) => {
      let count = 0;
      for (let nth = 0; nth < perSecond * 10; nth++) {
        if (chaos.forgets(fromMs + nth * 1000 / perSecond)) count++;
      }
      return count;
    };
    assert.equal(forgotten(150, 0), 0);
    const many = forgotten(400, 60_000);
    assert.ok(many > 150 && many < 250, String(many));
  });
});

function pick(chaos: ReturnType<typeof chaosOf>): unknown[] {
  return [chaos!.holdMs, chaos!.holdEveryMs, chaos!.holdRule, chaos!.diskMs];
}
