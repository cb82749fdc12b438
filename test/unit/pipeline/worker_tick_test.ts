import assert from "node:assert/strict";
import { test } from "node:test";
import {
  activityOf,
  activityWord,
  createActivity,
  idlePulseMs,
  Pulse,
  pulseMs,
  restPulseMs,
} from "../../../src/observe/activity.ts";
import { counter, CounterRow, createCounterRows } from "../../../src/observe/row.ts";
import { type TickedStages, WorkerTick } from "../../../src/pipeline/worker_tick.ts";

/** A tick over stages that have nothing to do but what a test sets. Ticks are made by hand. */
function ticked(parts: Partial<TickedStages> = {}) {
  const words = activityOf(createActivity(1), 0);
  const counters = new CounterRow(createCounterRows(1), 0);
  const state = { open: 0, looks: 0, told: 0, awake: 0 };
  const pulse = new Pulse(words, () => ticks.woken());
  const ticks: WorkerTick = new WorkerTick(
    {
      pulse,
      counters,
      orphans: { tick: () => state.looks++, total: 0 },
      held: undefined,
      http: { tick() {} },
      listeners: {
        tick() {},
        get open() {
          return state.open;
        },
      },
      submissions: { tick() {} },
      spool: undefined,
      intake: { waiting: { connections: 0 }, rulesVersion: 1 },
      letters: { wake() {}, problem: undefined },
      ends: { wakeSoon() {} },
      sink: { status: () => ({ ready: true, problem: undefined }) },
      ...parts,
    } as unknown as TickedStages,
  );
  ticks.tellChanges(() => state.told++, () => state.awake++);
  const turn = (times: number) => {
    for (let n = 0; n < times; n++) ticks.tick();
  };
  return { ticks, pulse, counters, state, turn, every: () => Atomics.load(words, activityWord.everyMs) };
}

test("WorkerTick rests when nothing has come for two seconds, and looks after all at each tick then", () => {
  const { turn, every, state } = ticked();
  // The first one sees that something has come, since it knows of nothing before.
  turn(8);
  assert.equal(every(), idlePulseMs);
  turn(1);
  assert.equal(every(), restPulseMs);
  const { looks } = state;
  turn(5);
  assert.equal(state.looks, looks + 5);
  assert.equal(state.awake, 0);
});

test("WorkerTick does not rest while a connection is open, lines are under way or lines come", () => {
  for (const name of ["in_flight", "spooled", "received", "datagrams", "open"] as const) {
    const { ticks, counters, state, every } = ticked();
    for (let n = 0; n < 30; n++) {
      if (name === "open") state.open = 1;
      else counters.set(counter[name], name === "received" || name === "datagrams" ? n : 1);
      ticks.tick();
    }
    assert.equal(every(), idlePulseMs, name);
  }
});

test("WorkerTick is awake at once when a chunk comes, and rests anew two seconds after the last", () => {
  const { ticks, pulse, turn, every, state } = ticked();
  turn(9);
  pulse.work();
  assert.deepEqual([every(), state.awake], [pulseMs, 1]);
  pulse.stop();
  turn(7);
  assert.equal(pulse.rests, false);
  turn(1);
  assert.equal(pulse.rests, false, "work has a beat of its own, which has not ended");
  ticks.stop();
});

test("WorkerTick is awake when a tick finds something to look after", () => {
  const { turn, every, state } = ticked();
  turn(9);
  state.open = 1;
  turn(1);
  assert.deepEqual([every(), state.awake], [idlePulseMs, 1]);
  turn(20);
  assert.equal(state.awake, 1);
});

test("WorkerTick does not rest where its loop is held on purpose", () => {
  const { turn, every } = ticked({ held: { tick() {} } as unknown as TickedStages["held"] });
  turn(30);
  assert.equal(every(), idlePulseMs);
});
