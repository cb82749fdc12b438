import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import {
  activityOf,
  activityWord,
  createActivity,
  idlePulseMs,
  Pulse,
  pulseMs,
  readActivity,
  restPulseMs,
} from "../../../src/observe/activity.ts";
import { countGarbagePauses } from "../../../src/runtime/garbage_pauses.ts";
import { collectGarbage } from "../../../src/runtime/collect.ts";
import { until } from "../../support/until.ts";
import {
  noteThread,
  readFacts,
  stolenMs,
  type ThreadFacts,
  throttledMs,
} from "../../../src/observe/thread_facts.ts";
import { lookMs, Sentinel, type Stall } from "../../../src/observe/sentinel.ts";

/** A sentinel over two workers, on a clock that the test turns. */
function watch() {
  const activity = createActivity(2);
  const told: string[] = [];
  const say = (what: string, { worker, ms, cause, rule, connection }: Stall) =>
    told.push(`${what} ${worker} ${ms} ${cause} ${rule ?? "-"} ${connection ?? "-"}`);
  const sentinel = new Sentinel({
    activity,
    workers: 2,
    ruleName: (index) => ["first", "greedy"][index],
    held: (stall, level) => say(level, stall),
    released: (stall) => say("over", stall),
  }, 0);
  let nowMs = 0;
  const words = [activityOf(activity, 0), activityOf(activity, 1)];
  const pulse = (worker: number) => Atomics.add(words[worker]!, activityWord.pulse, 1);
  return {
    sentinel,
    told,
    words,
    pulse,
    /** Turns the clock in looks; workers of `alive` pulse before each. */
    turn(ms: number, alive: readonly number[]) {
      for (const end = nowMs + ms; nowMs < end;) {
        nowMs += lookMs;
        alive.forEach(pulse);
        sentinel.look(nowMs, 1_000_000 + nowMs);
      }
    },
    /** The watcher itself gets no time. */
    sleep(ms: number) {
      nowMs += ms;
      sentinel.look(nowMs, 1_000_000 + nowMs);
    },
  };
}

describe("Sentinel", () => {
  it("says nothing while pulses come", () => {
    const { turn, told, sentinel } = watch();
    turn(5000, [0, 1]);
    assert.deepEqual(told, []);
    assert.deepEqual(sentinel.held(0), { ms: 0 });
  });

  it("names a held worker, its rule and its connection while it is held, worse after a second, and when it goes on", () => {
    const { turn, told, words, sentinel } = watch();
    turn(1000, [0, 1]);
    words[1]!.set([2, 17, 4096], activityWord.rule);
    turn(150, [0]);
    assert.deepEqual(told, ["warn 1 150 rule greedy 1-17"]);
    assert.deepEqual(sentinel.held(1), { ms: 150, rule: "greedy" });
    assert.deepEqual(sentinel.held(0), { ms: 0 });
    turn(850, [0]);
    assert.deepEqual(told.slice(1), ["error 1 1000 rule greedy 1-17"]);
    assert.equal(sentinel.stalls[0]!.over, false);
    turn(50, [0, 1]);
    assert.deepEqual(told.slice(2), ["over 1 1050 rule greedy 1-17"]);
    const [stall] = sentinel.stalls;
    assert.deepEqual([stall!.over, stall!.ms, stall!.bytes, stall!.sinceMs], [true, 1050, 4096, 1_001_000]);
    assert.equal(sentinel.total, 1);
  });

  it("says worker when no rule is at work", () => {
    const { turn, told } = watch();
    turn(150, [1]);
    assert.deepEqual(told, ["warn 0 150 worker - -"]);
  });

  it("waits longer for the pulse of a worker that rests, and not for one that works again", () => {
    const { turn, told, words } = watch();
    Atomics.store(words[0]!, activityWord.everyMs, restPulseMs);
    turn(50, [0, 1]);
    turn(restPulseMs + 50, [1]);
    assert.deepEqual(told, []);
    turn(50, [1]);
    assert.deepEqual(told, [`warn 0 ${restPulseMs + 100} worker - -`]);
    turn(850, [1]);
    assert.equal(told.length, 1);
    turn(50, [1]);
    assert.equal(told.at(-1), `error 0 ${restPulseMs + 1_000} worker - -`);
    turn(50, [0, 1]);
    Atomics.store(words[0]!, activityWord.everyMs, pulseMs);
    turn(150, [1]);
    assert.equal(told.at(-1), "warn 0 150 worker - -");
  });

  it("wake() looks at once", () => {
    const activity = createActivity(1);
    const words = activityOf(activity, 0);
    Atomics.store(words, activityWord.everyMs, restPulseMs);
    let looked = 0;
    const sentinel = new Sentinel({
      activity,
      workers: 1,
      facts: () => (looked++, { cpuMs: 0, queuedMs: 0, stolenMs: 0, throttledMs: 0, collections: 0 }),
      ruleName: () => undefined,
      held: () => {},
      released: () => {},
    }, performance.now());
    sentinel.wake();
    assert.equal(looked, 0, "it has not begun");
    sentinel.start();
    const wakeWithPulse = () => {
      Atomics.add(words, activityWord.pulse, 1);
      Atomics.store(words, activityWord.everyMs, pulseMs);
      sentinel.wake();
    };
    wakeWithPulse();
    assert.equal(looked, 1);
    wakeWithPulse();
    assert.equal(looked, 2);
    sentinel.stop();
    wakeWithPulse();
    assert.equal(looked, 2, "it has ended");
  });

  it("accuses nobody when it had no time itself", () => {
    const { turn, sleep, told, sentinel } = watch();
    turn(200, [0, 1]);
    sleep(3000);
    turn(200, [0, 1]);
    assert.deepEqual(told, []);
    assert.equal(sentinel.total, 0);
  });

  it("finds a worker that is held after it had no time itself", () => {
    const { turn, sleep, told } = watch();
    turn(200, [0, 1]);
    sleep(3000);
    turn(50, [1]);
    assert.deepEqual(told, ["warn 0 3050 worker - -", "error 0 3050 worker - -"]);
  });

  it("keeps the last hundred stalls, newest first", () => {
    const { turn, sentinel } = watch();
    for (let n = 0; n < 110; n++) {
      turn(150, [1]);
      turn(50, [0, 1]);
    }
    assert.equal(sentinel.total, 110);
    assert.equal(sentinel.stalls.length, 100);
    assert.ok(sentinel.stalls[0]!.sinceMs > sentinel.stalls[99]!.sinceMs);
  });
});

describe("readActivity()", () => {
  it("knows no rule and no connection when there is none", () => {
    const shared = createActivity(1);
    assert.deepEqual(readActivity(activityOf(shared, 0), 0), {
      rule: undefined,
      connection: undefined,
      bytes: 0,
    });
  });
});

describe("Pulse", () => {
  it("is quick while there is work, and slow again when there is none", async () => {
    const words = activityOf(createActivity(1), 0);
    const pulse = new Pulse(words);
    const every = () => Atomics.load(words, activityWord.everyMs);
    assert.equal(every(), idlePulseMs);
    pulse.work();
    assert.deepEqual([every(), words[activityWord.pulse]], [pulseMs, 1]);
    await until("beats of itself", () => words[activityWord.pulse]! >= 3 || undefined);
    await until("the end of work", () => every() === idlePulseMs || undefined);
    const beats = words[activityWord.pulse]!;
    pulse.work();
    assert.equal(words[activityWord.pulse], beats + 1);
    pulse.stop();
  });
});

describe("Pulse at rest", () => {
  function resting() {
    const words = activityOf(createActivity(1), 0);
    let woken = 0;
    const pulse = new Pulse(words, () => woken++);
    const every = () => Atomics.load(words, activityWord.everyMs);
    return { pulse, every, woken: () => woken };
  }

  it("tells its own pace, and wakes at once when there is work", () => {
    const { pulse, every, woken } = resting();
    pulse.rest();
    assert.deepEqual([pulse.rests, every(), woken()], [true, restPulseMs, 0]);
    pulse.work();
    pulse.work();
    assert.deepEqual([pulse.rests, every(), woken()], [false, pulseMs, 1]);
    pulse.stop();
  });

  it("does not begin while there is work", () => {
    const { pulse, every } = resting();
    pulse.work();
    pulse.rest();
    assert.deepEqual([pulse.rests, every()], [false, pulseMs]);
    pulse.stop();
  });

  it("ends when there is something to look after, once", () => {
    const { pulse, every, woken } = resting();
    pulse.rouse();
    assert.equal(woken(), 0);
    pulse.rest();
    pulse.rouse();
    pulse.rouse();
    assert.deepEqual([pulse.rests, every(), woken()], [false, idlePulseMs, 1]);
    pulse.stop();
  });
});

describe("Sentinel with what the operating system says", () => {
  /** A worker that is held for 400 ms, in which the kernel counts so much. */
  function stallWith(during: Partial<ThreadFacts>, rule = false, afterwards = 0): Stall {
    const activity = createActivity(1);
    const words = activityOf(activity, 0);
    let facts: ThreadFacts = {
      cpuMs: 1000,
      queuedMs: 50,
      stolenMs: 10,
      throttledMs: 0,
      collections: 3,
      collectorMs: 9,
      helperMs: 9,
      pausesMs: 5,
    };
    let held = 0;
    const sentinel = new Sentinel({
      activity,
      workers: 1,
      facts: () => facts,
      ruleName: () => "greedy",
      held: () => held++,
      released: () => {},
    }, 0);
    const before = facts;
    Atomics.add(words, activityWord.pulse, 1);
    sentinel.look(lookMs, 0);
    if (rule) words[activityWord.rule] = 1;
    for (let ms = lookMs; ms <= 400; ms += lookMs) {
      const part = ms / 400;
      const rise = (name: keyof ThreadFacts) => (before[name] ?? 0) + (during[name] ?? 0) * part;
      facts = {
        cpuMs: rise("cpuMs"),
        queuedMs: rise("queuedMs"),
        stolenMs: rise("stolenMs"),
        throttledMs: rise("throttledMs"),
        collectorMs: rise("collectorMs"),
        helperMs: rise("helperMs"),
        pausesMs: rise("pausesMs"),
        collections: 3,
      };
      sentinel.look(lookMs + ms, 0);
    }
    assert.equal(held, 1);
    Atomics.add(words, activityWord.pulse, 1);
    sentinel.look(lookMs + 420, 0);
    // The runtime tells of what it collected when the thread has gone on.
    facts = { ...facts, collections: 3 + afterwards };
    Atomics.add(words, activityWord.pulse, 1);
    sentinel.look(2 * lookMs + 420, 0);
    return sentinel.stalls[0]!;
  }

  it("look() asks for facts every two seconds while a worker has no work, and judges its stall all the same", () => {
    const activity = createActivity(1);
    const words = activityOf(activity, 0);
    Atomics.store(words, activityWord.everyMs, idlePulseMs);
    let asked = 0;
    let facts: ThreadFacts = { cpuMs: 0, queuedMs: 0, stolenMs: 0, throttledMs: 0, collections: 0 };
    const sentinel = new Sentinel({
      activity,
      workers: 1,
      facts: () => (asked++, facts),
      ruleName: () => undefined,
      held: () => {},
      released: () => {},
    }, 0);
    let nowMs = 0;
    for (; nowMs < 10_000; nowMs += 200) {
      Atomics.add(words, activityWord.pulse, 1);
      sentinel.look(nowMs, nowMs);
    }
    assert.equal(asked, 5);
    for (const end = nowMs + 1000; nowMs <= end; nowMs += 50) {
      facts = { ...facts, cpuMs: facts.cpuMs! + 50 };
      sentinel.look(nowMs, nowMs);
    }
    assert.equal(sentinel.stalls[0]!.cause, "worker");
    assert.ok(sentinel.stalls[0]!.evidence!.cpu_ms! >= 900);
  });

  it("look() asks for facts seldom while a worker rests, and for those of now when it works again", () => {
    const activity = createActivity(1);
    const words = activityOf(activity, 0);
    Atomics.store(words, activityWord.everyMs, restPulseMs);
    let asked = 0;
    const sentinel = new Sentinel({
      activity,
      workers: 1,
      facts: () => (asked++, { cpuMs: 0, queuedMs: 0, stolenMs: 0, throttledMs: 0, collections: 0 }),
      ruleName: () => undefined,
      held: () => {},
      released: () => {},
    }, 0);
    for (let nowMs = 0; nowMs < 40_000; nowMs += 1_000) {
      Atomics.add(words, activityWord.pulse, 1);
      sentinel.look(nowMs, nowMs);
    }
    assert.equal(asked, 2);
    Atomics.add(words, activityWord.pulse, 1);
    Atomics.store(words, activityWord.everyMs, pulseMs);
    sentinel.look(40_010, 40_010);
    assert.equal(asked, 3);
  });

  const table: [string, Partial<ThreadFacts>, boolean, number, Stall["cause"]][] = [
    ["it ran", { cpuMs: 390, queuedMs: 5 }, false, 0, "worker"],
    ["it ran in a rule", { cpuMs: 390, queuedMs: 5 }, true, 0, "rule"],
    ["it ran, and garbage was collected too", { cpuMs: 390, queuedMs: 5 }, false, 2, "worker"],
    ["it got no core", { cpuMs: 20, queuedMs: 370 }, false, 0, "machine"],
    ["it got no core in a rule", { cpuMs: 100, queuedMs: 290, stolenMs: 600 }, true, 0, "machine"],
    ["it slept while garbage was collected", { cpuMs: 10, queuedMs: 5 }, false, 1, "gc"],
    ["it slept while the collectors worked", { cpuMs: 10, queuedMs: 5, collectorMs: 390 }, false, 0, "gc"],
    ["it helped the collectors", { cpuMs: 150, queuedMs: 150, collectorMs: 700 }, false, 0, "gc"],
    [
      "it ran while another worker's garbage was collected",
      { cpuMs: 380, queuedMs: 5, collectorMs: 390 },
      false,
      0,
      "worker",
    ],
    [
      "it ran and queued while another worker's was",
      { cpuMs: 190, queuedMs: 180, collectorMs: 700 },
      false,
      0,
      "worker",
    ],
    [
      "it ran, held by its own collector for most of it",
      { cpuMs: 390, queuedMs: 5, pausesMs: 300 },
      true,
      3,
      "gc",
    ],
    ["it ran, held by it for a little", { cpuMs: 390, queuedMs: 5, pausesMs: 90 }, true, 3, "rule"],
    ["it got no core while it collected", { cpuMs: 20, queuedMs: 370, pausesMs: 390 }, false, 1, "machine"],
    ["it slept, and V8's threads worked", { cpuMs: 100, queuedMs: 20, helperMs: 200 }, false, 0, "gc"],
    ["it slept in a call", { cpuMs: 10, queuedMs: 5, collectorMs: 30, helperMs: 40 }, false, 0, "blocked"],
  ];
  for (const [name, during, rule, collections, cause] of table) {
    it(`says ${cause} when ${name}`, () => {
      const stall = stallWith(during, rule, collections);
      assert.equal(stall.cause, cause);
      assert.equal(stall.evidence!.cpu_ms, during.cpuMs);
      assert.equal(stall.evidence!.collections, collections);
      assert.equal(stall.evidence!.stolen_ms, during.stolenMs ?? 0);
    });
  }

  it("says blocked when it slept for seconds, though some garbage was collected in or behind them", () => {
    const activity = createActivity(1);
    const words = activityOf(activity, 0);
    let facts: ThreadFacts = {
      cpuMs: 0,
      queuedMs: 0,
      stolenMs: 0,
      throttledMs: 0,
      collections: 0,
      collectorMs: 1,
    };
    const sentinel = new Sentinel({
      activity,
      workers: 1,
      facts: () => facts,
      ruleName: () => undefined,
      held: () => {},
      released: () => {},
    }, 0);
    const beat = (nowMs: number) => {
      Atomics.add(words, activityWord.pulse, 1);
      sentinel.look(nowMs, 0);
    };
    beat(lookMs);
    for (let ms = 2 * lookMs; ms <= 6000; ms += lookMs) sentinel.look(ms, 0);
    assert.equal(sentinel.stalls[0]!.cause, "blocked");
    facts = { ...facts, cpuMs: 140, queuedMs: 90, collectorMs: 25, collections: 1 };
    beat(6000 + lookMs);
    assert.equal(sentinel.stalls[0]!.cause, "blocked");
    facts = { ...facts, collections: 2 };
    beat(6000 + 2 * lookMs);
    assert.deepEqual([sentinel.stalls[0]!.cause, sentinel.stalls[0]!.evidence!.collections], ["blocked", 2]);
  });

  it("says gc when the profile of a stall is mostly the collector's", () => {
    const { turn, sentinel } = watch();
    turn(200, [0]);
    turn(50, [0, 1]);
    sentinel.profiled(1, {
      samples: 9,
      stacks: [{ stack: "(garbage collector)", share: 0.6 }, { stack: "work", share: 0.4 }],
    });
    assert.equal(sentinel.stalls[0]!.cause, "gc");
  });

  it("keeps the profile of a stall that is over", () => {
    const { turn, sentinel } = watch();
    turn(200, [0]);
    turn(50, [0, 1]);
    sentinel.profiled(1, { samples: 9, stacks: [{ stack: "/(a+)+b/ < test", share: 1 }] });
    sentinel.profiled(0, { samples: 1, stacks: [] });
    assert.equal(sentinel.stalls[0]!.profile!.samples, 9);
  });
});

describe("readFacts()", () => {
  it("knows the time of this thread, and that garbage was collected, on Linux", {
    skip: process.platform !== "linux",
  }, async () => {
    const words = activityOf(createActivity(1), 0);
    noteThread(words);
    const before = readFacts(words);
    let kept: object[] = [];
    await until("time on a core, and a collection", () => {
      for (let i = 0; i < 200_000; i++) {
        if (i % 1000 === 0) kept = [];
        kept.push({ i });
      }
      const { cpuMs, collections } = readFacts(words);
      return (cpuMs! > before.cpuMs! + 20 && collections > 0) || undefined;
    });
  });

  it("knows how long garbage held this thread, where the runtime tells, and tells nothing where it does not", async () => {
    const words = activityOf(createActivity(1), 0);
    const pulse = new Pulse(words, undefined, noteThread(words, countGarbagePauses()));
    if (!("Deno" in globalThis)) {
      pulse.beat();
      assert.equal(readFacts(words).pausesMs, undefined);
      return;
    }
    const kept = Array.from({ length: 500_000 }, (_, at) => ({ at }));
    // Part of a collection may be another thread's, or this one got no core beside it.
    await until("a collection that is told with most of its time", () => {
      pulse.beat();
      const before = readFacts(words).pausesMs!;
      const fromMs = performance.now();
      collectGarbage();
      const ms = performance.now() - fromMs;
      assert.equal(readFacts(words).pausesMs, before, "what is held tells nothing");
      pulse.beat();
      const pausedMs = readFacts(words).pausesMs! - before;
      assert.ok(pausedMs <= ms + 2, `${pausedMs} ms of ${ms}`);
      return pausedMs > ms / 2 || undefined;
    });
    assert.equal(kept.length, 500_000);
  });

  it("reads steal and both forms of cpu.stat", () => {
    assert.equal(stolenMs("cpu  2664359 50824 251556 2498021 4127 0 26090 3624 0 0\ncpu0 1 1"), 36_240);
    assert.equal(stolenMs("cpu  1 2"), undefined);
    assert.equal(stolenMs(undefined), undefined);
    assert.equal(throttledMs("usage_usec 5\nnr_throttled 2\nthrottled_usec 1500\n"), 1.5);
    assert.equal(throttledMs("nr_periods 0\nthrottled_time 2500000\n"), 2.5);
    assert.equal(throttledMs("usage_usec 5\n"), undefined);
  });
});
