import assert from "node:assert/strict";
import { test } from "node:test";
import { CompressionNeed } from "../../../src/batch/compression_need.ts";

/**
 * A made-up machine with one processor: `lineMs` a byte for the way itself, `packMs` for packing it, a link that takes
 * `linkBytes` a millisecond. Senders offer `offered` bytes a millisecond; what goes through is what the tighter of
 * processor and link lets through.
 */
class Machine {
  nowMs = 0;
  offered = 100;
  linkBytes = 1e9;
  lineMs = 1 / 1000;
  packMs = 4 / 1000;
  ratio = 5;
  /** Changes of `on`. */
  turns = 0;
  rate = 0;
  #busyMs = 0;
  #askedMs = 0;
  readonly need = new CompressionNeed({
    nowMs: () => this.nowMs,
    busyShare: () => {
      const share = this.nowMs === this.#askedMs ? 0 : this.#busyMs / (this.nowMs - this.#askedMs);
      this.#busyMs = 0;
      this.#askedMs = this.nowMs;
      return Math.min(1, share);
    },
    cores: 1,
    workers: 1,
  });

  /** Time goes by in steps of 10 ms, each with one batch. */
  run(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += 10;
      const { on } = this.need.view();
      const byCpu = 1 / (this.lineMs + (on ? this.packMs : 0));
      const byLink = this.linkBytes * (on ? this.ratio : 1);
      this.rate = Math.min(this.offered, byCpu, byLink);
      const bytes = this.rate * 10;
      this.#busyMs += bytes * (this.lineMs + (on ? this.packMs : 0));
      const isPressed = byLink < Math.min(this.offered, byCpu);
      if (this.need.wants(bytes, !isPressed)) this.need.packed(bytes, bytes * this.packMs);
      if (this.need.view().on !== on) this.turns++;
    }
  }
}

test("CompressionNeed is on and stays so when neither processors nor link are the limit", () => {
  const machine = new Machine();
  machine.run(60_000);
  assert.deepEqual([machine.need.view().on, machine.turns], [true, 0]);
});

test("CompressionNeed turns off and stays so when the processors are the limit", () => {
  const machine = new Machine();
  machine.offered = 5000;
  machine.run(1000);
  assert.equal(machine.need.view().on, false);
  assert.equal(machine.need.view().reason, "cpu");
  machine.run(120_000);
  assert.equal(machine.turns, 1);
  assert.equal(Math.round(machine.rate), 1000, "all of the processor is for lines");
});

test("CompressionNeed stays off when packing would make the processors the limit again", () => {
  const machine = new Machine();
  machine.offered = 5000;
  machine.run(1000);
  // 300 bytes a millisecond: 30 % without packing, 150 % with it.
  machine.offered = 300;
  machine.run(120_000);
  assert.deepEqual([machine.need.view().on, machine.turns], [false, 1]);
});

test("CompressionNeed turns on again when there is room for it", () => {
  const machine = new Machine();
  machine.offered = 5000;
  machine.run(1000);
  machine.offered = 50;
  machine.run(20_000);
  assert.deepEqual([machine.need.view().on, machine.turns], [true, 2]);
});

test("CompressionNeed turns on when the link is the limit and the processors are not", () => {
  const machine = new Machine();
  machine.offered = 5000;
  machine.run(1000);
  assert.equal(machine.need.view().on, false);
  // What is packed fills a tenth of what the processor could do with it.
  machine.linkBytes = 20;
  machine.run(5000);
  assert.equal(machine.need.view().on, true);
  assert.equal(Math.round(machine.rate), 100);
});

test("CompressionNeed keeps what lets more through when the link is the limit without it and the processors with it", () => {
  for (const { linkBytes, want } of [{ linkBytes: 100, want: 200 }, { linkBytes: 400, want: 400 }]) {
    const machine = new Machine();
    machine.offered = 5000;
    machine.linkBytes = linkBytes;
    machine.run(30_000);
    const { turns } = machine;
    machine.run(20_000);
    assert.equal(Math.round(machine.rate), want, `the link takes ${linkBytes}`);
    assert.ok(turns <= 3 && machine.turns === turns, `${machine.turns} turns`);
  }
});
