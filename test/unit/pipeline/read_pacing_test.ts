import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  chunkBytesMax,
  datagramQuietMs,
  pauseMsMax,
  pauseMsMin,
  quietMs,
  ReadPacing,
  turnBytesMax,
  turnMsMax,
  windowMs,
} from "../../../src/pipeline/read_pacing.ts";

const lingerMs = 5;

/** A line on its way through the loop. */
interface Line {
  readonly cameMs: number;
  readonly bytes: number;
}

/**
 * An event loop with a clock of its own: it polls, gives what has come to the pacing, and ends the turn. One batch is
 * open at a time, as of one topic.
 */
class Loop {
  nowMs = 1_000;
  mayPause = true;
  /** What a turn with something to read takes. */
  turnMs = 0.1;
  /** The turn of this number takes so much. */
  long: { readonly turn: number; readonly ms: number } | undefined;
  turns = 0;
  readonly pauses: { readonly fromMs: number; readonly ms: number }[] = [];
  /** Age of each line when its batch was closed. */
  readonly agesMs: number[] = [];
  readonly pacing: ReadPacing;
  #soon: (() => void)[] = [];
  #after: (() => void)[] = [];
  #waitedSinceMs: number | undefined;
  #open: { readonly openedMs: number; readonly lines: Line[] } | undefined;

  constructor(linger = lingerMs) {
    this.pacing = new ReadPacing({
      lingerMs: linger,
      nowMs: () => this.nowMs,
      sleep: (ms) => {
        this.pauses.push({ fromMs: this.nowMs, ms });
        this.nowMs += ms;
      },
      soon: (callback) => this.#soon.push(callback),
      after: (callback) => this.#after.push(callback),
      mayPause: () => this.mayPause,
      closeDue: (earlyMs) => this.#closeDue(earlyMs),
      dueMs: () => this.#open === undefined ? Infinity : this.#open.openedMs + linger,
      waitedSince: (sinceMs) => this.#waitedSinceMs = sinceMs,
    });
  }

  /** Lines that come at these times, each in a chunk of its own unless several have come when it is read. */
  run(lines: readonly Line[], untilMs: number): void {
    const left = [...lines];
    while (this.nowMs < untilMs) {
      const ready = left.findIndex(({ cameMs }) => cameMs > this.nowMs);
      const come = left.splice(0, ready < 0 ? left.length : ready);
      if (come.length > 0) this.#read(come);
      if (this.#open !== undefined && this.nowMs >= this.#open.openedMs + lingerMs) this.#closeDue(0);
      this.#endTurn();
      if (this.#soon.length > 0) continue;
      // Nothing to do: it sleeps in the poll until the next line or timer.
      const nextMs = left[0]?.cameMs ?? Infinity;
      const dueMs = this.#open === undefined ? Infinity : this.#open.openedMs + lingerMs;
      this.nowMs = Math.max(this.nowMs, Math.min(nextMs, dueMs, untilMs));
    }
  }

  #read(come: Line[]): void {
    this.turns++;
    this.nowMs += this.turns === this.long?.turn ? this.long.ms : this.turnMs;
    this.#open ??= { openedMs: this.#waitedSinceMs ?? this.nowMs, lines: [] };
    this.#open.lines.push(...come);
    for (const { bytes } of come) this.pacing.read(bytes);
  }

  #closeDue(earlyMs: number): void {
    if (this.#open === undefined || this.nowMs + earlyMs < this.#open.openedMs + lingerMs) return;
    for (const { cameMs } of this.#open.lines) this.agesMs.push(this.nowMs - cameMs);
    this.#open = undefined;
  }

  #endTurn(): void {
    const callbacks = this.#soon;
    this.#soon = [];
    for (const callback of callbacks) {
      callback();
      const after = this.#after;
      this.#after = [];
      for (const one of after) one();
    }
  }
}

/** A line of 200 bytes every `everyMs`, for `forMs`. */
function lines(everyMs: number, forMs: number, bytes = 200, fromMs = 1_000): Line[] {
  const count = Math.floor(forMs / everyMs);
  return Array.from({ length: count }, (_, index) => ({ cameMs: fromMs + index * everyMs, bytes }));
}

describe("ReadPacing", () => {
  it("read() gathers what comes in pauses when small chunks are frequent", () => {
    const loop = new Loop();
    loop.run(lines(0.25, 1_000), 2_000 + 2 * lingerMs);
    assert.ok(loop.turns < 400, `${loop.turns} turns for 4,000 lines`);
    assert.equal(loop.agesMs.length, 4_000);
    assert.equal(loop.pacing.stats.pauses, loop.pauses.length);
    const paused = loop.pauses.reduce((sum, { ms }) => sum + ms, 0);
    assert.ok(Math.abs(loop.pacing.stats.pausedMs - paused) < 1e-6);
  });

  it("read() lets no line wait longer than the linger and a turn when it pauses", () => {
    const loop = new Loop();
    loop.run(lines(0.25, 1_000), 2_000);
    assert.ok(
      Math.max(...loop.agesMs) <= lingerMs + 2 * loop.turnMs + 1e-9,
      `${Math.max(...loop.agesMs)} ms`,
    );
    assert.ok(loop.pauses.every(({ ms }) => ms <= pauseMsMax && ms >= pauseMsMin / 2));
  });

  it("read() has one turn for each pause when turns take their time", () => {
    const loop = new Loop();
    loop.turnMs = 1.2;
    loop.run(lines(0.25, 1_000), 2_000);
    assert.ok(loop.pauses.length > 100, `${loop.pauses.length} pauses`);
    // Beside those of the first moments, in which it counts.
    assert.ok(loop.turns <= loop.pauses.length + 50, `${loop.turns} turns for ${loop.pauses.length} pauses`);
  });

  it("read() never pauses when chunks are rare", () => {
    const loop = new Loop();
    loop.run(lines(3, 1_000), 2_000);
    assert.deepEqual(loop.pauses, []);
  });

  const busy = [
    { name: "chunks are large", everyMs: 0.25, bytes: chunkBytesMax + 1, turnMs: 0.1 },
    { name: "a turn has much to read", everyMs: 0.001, bytes: turnBytesMax / 90, turnMs: 0.1 },
  ];
  for (const { name, everyMs, bytes, turnMs } of busy) {
    it(`read() does not pause when ${name}`, () => {
      const loop = new Loop();
      loop.turnMs = turnMs;
      loop.run(lines(everyMs, 200, bytes), 1_200);
      assert.deepEqual(loop.pauses, []);
    });
  }

  it("read() pauses seldom when turns have much to do", () => {
    const loop = new Loop();
    loop.turnMs = turnMsMax + 0.5;
    loop.run(lines(0.25, 1_000), 2_000);
    // It tries again when it was quiet for long enough: one pause for that.
    assert.ok(loop.pauses.length <= 1_000 / quietMs + 1, `${loop.pauses.length} pauses`);
  });

  it("read() goes on pausing, as long as before, when one turn alone was long", () => {
    const loop = new Loop();
    loop.run(lines(0.25, 500), 1_500);
    const before = loop.pauses.length;
    const { fromMs, ms } = loop.pauses[before - 1]!;
    loop.long = { turn: loop.turns + 20, ms: 8 * turnMsMax };
    loop.run(lines(0.25, 500, 200, 1_500), 2_000);
    let wokeMs = fromMs + ms;
    for (const pause of loop.pauses.slice(before, -2)) {
      const awakeMs = pause.fromMs - wokeMs;
      assert.ok(awakeMs < loop.long.ms + lingerMs, `awake for ${awakeMs} ms at ${wokeMs}`);
      wokeMs = pause.fromMs + pause.ms;
    }
    assert.ok(wokeMs > 1_980, `the last pause ended at ${wokeMs}`);
    assert.ok(Math.abs(loop.pauses.at(-3)!.ms - ms) < pauseMsMin, `${loop.pauses.at(-3)!.ms} ms, not ${ms}`);
  });

  it("read() does not pause when what waits would be late", () => {
    const loop = new Loop();
    loop.mayPause = false;
    loop.run(lines(0.25, 500), 1_500);
    assert.deepEqual(loop.pauses, []);
    loop.mayPause = true;
    loop.run(lines(0.25, 500, 200, 1_500), 2_000);
    assert.ok(loop.pauses.length > 0);
  });

  it("read() does not pause when the linger is too short for a pause", () => {
    const loop = new Loop(pauseMsMin);
    loop.run(lines(0.25, 500), 1_500);
    assert.deepEqual(loop.pauses, []);
  });

  it("hold() keeps it awake when somebody cannot wait", () => {
    const loop = new Loop();
    loop.run(lines(0.25, 500), 1_500);
    const before = loop.pauses.length;
    assert.ok(before > 0);
    const heldMs = loop.nowMs;
    loop.pacing.hold(datagramQuietMs);
    // A shorter wish does not end a longer one.
    loop.pacing.hold(quietMs);
    loop.run(lines(0.25, 2_000, 200, heldMs), heldMs + 2_000);
    const after = loop.pauses[before];
    assert.ok(after !== undefined && after.fromMs >= heldMs + datagramQuietMs, `paused at ${after?.fromMs}`);
  });

  it("read() goes back to reading at once when the senders fall silent", () => {
    const loop = new Loop();
    loop.run(lines(0.25, 500), 1_500);
    assert.ok(loop.pauses.length > 0);
    const silentMs = loop.nowMs + pauseMsMax + windowMs;
    loop.run([], silentMs);
    const before = loop.pauses.length;
    loop.run(lines(20, 500, 200, silentMs), silentMs + 500);
    assert.equal(loop.pauses.length, before);
  });
});
