import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { inflightOf, oldestMax, oldestOf } from "../../../src/observe/inflight.ts";
import {
  createStageTables,
  slotsMax,
  stage,
  stageNames,
  StageTable,
  StageTableReader,
  type Waiting,
} from "../../../src/observe/stage_table.ts";

const origin = 1_000_000;

function tables(workers = 1) {
  const shared = createStageTables(workers);
  return {
    table: new StageTable(shared, workers - 1, origin),
    reader: new StageTableReader(shared, workers - 1),
  };
}

function waiter(isHeld: () => boolean = () => true, peer = "127.0.0.1:1"): Waiting {
  return { isHeld, describe: () => ({ kind: "connection", peer }) };
}

describe("StageTable", () => {
  it("enter() shows a wait with stage, age and deadline to another thread, until leave()", () => {
    const { table, reader } = tables(2);
    const slot = table.enter(stage.kafka, waiter(), 100, 400);
    const [wait, ...others] = reader.read(origin + 350);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [wait!.worker, wait!.stage, wait!.ageMs, wait!.leftMs],
      [1, "kafka", 250, 50],
    );
    assert.deepEqual(table.describe(wait!.slot, wait!.word), { kind: "connection", peer: "127.0.0.1:1" });
    table.leave(slot);
    assert.deepEqual(reader.read(origin + 350), []);
    assert.equal(table.describe(wait!.slot, wait!.word), undefined);
  });

  it("describe() knows nothing of a later wait in the same slot", () => {
    const { table, reader } = tables();
    const first = table.enter(stage.kafka, waiter(), 0, 1);
    const [seen] = reader.read(origin);
    table.leave(first);
    assert.equal(table.enter(stage.kafka, waiter(), 0, 1), first);
    assert.equal(table.describe(seen!.slot, seen!.word), undefined);
  });

  it("enter() gives -1 and counts when all slots are taken, and goes on when one is free", () => {
    const { table, reader } = tables();
    const slots = Array.from({ length: slotsMax }, () => table.enter(stage.frame, waiter(), 0, 1));
    assert.equal(new Set(slots).size, slotsMax);
    assert.equal(table.enter(stage.frame, waiter(), 0, 1), -1);
    assert.equal(reader.overflows, 1);
    table.leave(-1);
    table.leave(slots[7]!);
    assert.equal(table.enter(stage.frame, waiter(), 0, 1), slots[7]);
  });

  it("shows exactly the waits that are open, whatever came and went", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.nat(stageNames.length - 1)), { maxLength: 200 }),
        (steps) => {
          const { table, reader } = tables();
          const open = new Map<number, string>();
          for (const [enters, number] of steps) {
            if (enters) open.set(table.enter(number, waiter(), 0, 1), stageNames[number]!);
            else {
              const [slot] = open.keys();
              if (slot !== undefined) table.leave(slot);
              open.delete(slot!);
            }
          }
          const seen = new Map(reader.read(origin).map((wait) => [wait.slot, wait.stage]));
          assert.deepEqual(new Map([...seen].sort()), new Map([...open].sort()));
        },
      ),
    );
  });

  it("scan() names a wait that nothing will wake when it is seen twice, once as new", () => {
    const { table } = tables();
    const lost = waiter(() => false);
    table.enter(stage.memory, waiter(), 0, 5000);
    const slot = table.enter(stage.kafka, lost, 0, 5000);
    assert.deepEqual(table.scan(1000), []);
    const [orphan] = table.scan(2000);
    assert.deepEqual(orphan, {
      slot,
      stage: "kafka",
      waiting: lost,
      ageMs: 2000,
      expired: false,
      isNew: true,
    });
    const [again] = table.scan(6000);
    assert.deepEqual([again!.isNew, again!.expired], [false, true]);
    table.leave(slot);
    assert.deepEqual(table.scan(7000), []);
  });

  it("scan() forgets a suspicion when the wait is held again, and does not suspect what is a moment old", () => {
    const { table } = tables();
    let held = false;
    table.enter(stage.kafka, waiter(() => held), 0, Infinity);
    assert.deepEqual(table.scan(10), []);
    assert.deepEqual(table.scan(1000), []);
    held = true;
    assert.deepEqual(table.scan(2000), []);
    held = false;
    assert.deepEqual(table.scan(3000), []);
    assert.equal(table.scan(4000).length, 1);
  });
});

describe("inflightOf()", () => {
  it("groups waits by stage with percentiles, and describes the oldest", () => {
    const { table, reader } = tables();
    for (let age = 1; age <= 100; age++) {
      table.enter(stage.kafka, waiter(undefined, `peer ${age}`), 1000 - age, 2000);
    }
    table.enter(stage.frame, waiter(), 999, Infinity);
    const waits = reader.read(origin + 1000);
    const inflight = inflightOf(
      waits,
      { orphans: 3, overflows: 0 },
      (wait) => table.describe(wait.slot, wait.word),
    );
    assert.equal(inflight.waits, 101);
    assert.equal(inflight.orphans, 3);
    const [frame, kafka] = inflight.stages;
    assert.deepEqual([frame!.stage, frame!.count, frame!.oldest[0]!.deadline_in_ms], ["frame", 1, undefined]);
    assert.deepEqual([kafka!.count, kafka!.p50_ms, kafka!.p99_ms, kafka!.max_ms], [100, 50, 99, 100]);
    assert.deepEqual(kafka!.oldest.map(({ peer }) => peer)[0], "peer 100");
    assert.equal(kafka!.oldest.length, oldestMax);
    assert.equal(oldestOf(waits).length, oldestMax + 1);
  });

  it("says so where nobody can describe a wait", () => {
    const { table, reader } = tables();
    table.enter(stage.rules, waiter(), 0, 1);
    const { stages } = inflightOf(reader.read(origin), { orphans: 0, overflows: 0 }, () => undefined);
    assert.equal(stages[0]!.oldest[0]!.described, false);
  });
});
