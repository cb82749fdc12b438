import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  activityOf,
  activityWord,
  createActivity,
  idlePulseMs,
  Pulse,
  pulseMs,
  readActivity,
} from "../../../src/observe/activity.ts";
import { until } from "../../support/until.ts";
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
