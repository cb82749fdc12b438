import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { Batcher } from "../../../src/batch/batcher.ts";
import { openBatch } from "../../../src/batch/decode.ts";
import { Receipt, settleReceipts } from "../../../src/batch/receipt.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { granuleBytes } from "../../../src/batch/arena.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { ledgerOf } from "../../../src/observe/ledger.ts";
import {
  counter,
  CounterRow,
  CounterRowReader,
  createCounterRows,
  endRow,
} from "../../../src/observe/row.ts";
import { lateMs } from "../../../src/pipeline/held_batches.ts";
import { SpoolStage } from "../../../src/pipeline/spool_stage.ts";
import { parkAfterMs } from "../../../src/pipeline/stalled_topics.ts";
import type { Sink } from "../../../src/sink/sink.ts";
import type { Durability } from "../../../src/spool/spool.ts";
import { until } from "../../support/until.ts";
import { FakeTimers } from "../batch/fake_timers.ts";
import { FakeSpool, type Stored } from "./fake_spool.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const batchBytesMax = 4 * 1024;
const decoder = new TextDecoder();

interface RigOptions {
  readonly durability?: Durability;
  readonly left?: readonly Stored[];
  readonly sinkBytesMax?: number;
  /** Batches wait in memory for a prompt sink. */
  readonly holds?: boolean;
}

/** Batcher, stage, a spool in memory, and a sink that settles when the test says so. */
class Rig {
  readonly kernel = createKernel({
    frameBytesMax: 1024,
    pieceBytes: 4096,
    rowsMax: 16,
    scratchBytes: 4096,
    arenaBytes: 512 * 1024,
  });
  readonly rows = createCounterRows(1);
  readonly counters = new CounterRow(this.rows, 0);
  readonly reader = new CounterRowReader(this.rows, 0);
  readonly inSink: ClosedBatch[] = [];
  /** `topic: value` in the order in which the sink got them. */
  readonly sent: string[] = [];
  readonly delivered: string[] = [];
  readonly replayed: number[] = [];
  ready = true;
  hungry = true;
  nowMs = 1_000;
  wants = 0;
  /** Topics of which nothing moves. */
  readonly stalled = new Set<string>();
  readonly spool: FakeSpool;
  readonly stage: SpoolStage;
  readonly batcher: Batcher;
  readonly spareBytes: number;
  readonly durability: Durability;

  constructor(
    { durability = "fsync", left = [], sinkBytesMax = 256 * 1024, holds = false }: RigOptions = {},
  ) {
    this.durability = durability;
    const sink: Sink = {
      name: "test",
      start: () => {},
      hungry: true,
      send: (batch) => {
        this.inSink.push(batch);
        this.sent.push(...this.#values(batch));
      },
      status: () => ({ name: "test", ready: this.ready, batchesInFlight: 0, bytesInFlight: 0, details: {} }),
      stalls: (topic) => this.stalled.has(topic),
      giveBack: (topic, isWanted) => {
        const own = this.inSink.filter((batch) => batch.topic === topic).slice(1).filter(isWanted);
        for (const batch of own) this.inSink.splice(this.inSink.indexOf(batch), 1);
        return own.reverse();
      },
      close: () => Promise.resolve(),
    };
    Object.defineProperty(sink, "hungry", { get: () => this.hungry });
    this.stage = new SpoolStage({
      durability,
      sink,
      memory: {
        reserve: (recordBytes) => this.batcher.reserve(recordBytes),
        free: (at) => this.batcher.free(at),
        bytesOf: (at) => this.batcher.bytesOf(at),
        roomy: () => this.batcher.roomy,
      },
      counters: this.counters,
      sinkBytesMax: () => sinkBytesMax,
      recordBytesMax: () => 8 * 1024,
      wants: () => this.wants++,
      freed: () => {},
      holds,
      replayed: (batch) => this.replayed.push(batch.count),
      log: () => {},
      nowMs: () => this.nowMs,
    });
    this.batcher = new Batcher({
      kernel: this.kernel,
      batchBytesMax,
      lingerMs: 1_000_000,
      lanesMax: 100,
      sink: this.stage,
      timers: new FakeTimers(),
      emit: (batch) => this.stage.send(batch),
    });
    this.spool = new FakeSpool(this.kernel.bytes, left);
    this.spool.events = this.stage.events;
    this.stage.join(this.spool);
    this.spareBytes = this.batcher.bytesUsed;
  }

  /** One line into the lane of a topic; false: no room. */
  line(topic: string, value: string, receipt?: Receipt): boolean {
    const { scratchAt, bytes } = this.kernel;
    const length = bytes.subarray(scratchAt).length && Buffer.from(value).copy(bytes, scratchAt);
    this.batcher.receipt = receipt;
    const taken = this.batcher.append(this.batcher.lane(topic), Date.now(), 0, -1, scratchAt, length, 0, 0);
    this.batcher.receipt = undefined;
    if (!taken) return false;
    this.counters.add(counter.received, 1);
    this.counters.add(counter.in_flight, 1);
    this.counters.publish();
    return true;
  }

  /** A batch of one line. */
  batch(topic: string, value: string, receipt?: Receipt): void {
    assert.ok(this.line(topic, value, receipt), "there is room");
    this.batcher.closeAll();
  }

  /** The batch that came to the sink at this place is delivered. */
  settle(place = 0): boolean {
    const [batch] = this.inSink.splice(place, 1);
    if (batch === undefined) return false;
    this.delivered.push(...this.#values(batch));
    this.counters.add(counter.delivered, batch.count);
    this.counters.add(counter.in_flight, -batch.count);
    this.counters.publish();
    settleReceipts(batch, { kind: "delivered" });
    this.stage.released(batch);
    this.stage.settled(batch, "delivered");
    return true;
  }

  ledger() {
    const { sinkBytes, sinkBytesMax } = this.stage.stats();
    // One batch may be read back while others come.
    const most = sinkBytesMax + granuleBytes;
    assert.ok(sinkBytes <= most || this.durability === "none", `${sinkBytes} of ${sinkBytesMax}`);
    const ledger = ledgerOf(this.reader.read());
    assert.ok(ledger.balanced, JSON.stringify(ledger));
    return ledger;
  }

  /** Everything goes its way to the end. */
  async finish(): Promise<void> {
    this.ready = this.hungry = true;
    this.spool.full = false;
    this.batcher.closeAll();
    await until(
      "the end",
      async () => {
        this.spool.commit(8);
        this.settle();
        this.stage.tick();
        await turn();
        this.ledger();
        const ended = this.ledger().in_flight === 0 && this.ledger().spooled === 0;
        return ended ? true : undefined;
      },
      10_000,
      0,
    );
  }

  #values(batch: ClosedBatch): string[] {
    const opened = openBatch(this.kernel.bytes, batch);
    assert.ok(opened.ok, "a batch can be read");
    const values: string[] = [];
    while (opened.records.next()) {
      const { bytes, valueAt, valueLength } = opened.records;
      values.push(`${batch.topic}: ${decoder.decode(bytes.subarray(valueAt, valueAt + valueLength))}`);
    }
    return values;
  }
}

describe("SpoolStage", () => {
  it("sends a batch to the sink when it is committed, and not before", () => {
    const rig = new Rig();
    rig.batch("a", "one");
    assert.deepEqual([rig.sent, rig.stage.hungry], [[], false]);
    rig.spool.commit();
    assert.deepEqual([rig.sent, rig.stage.hungry, rig.wants], [["a: one"], true, 1]);
    assert.equal(rig.ledger().in_flight, 1);
    rig.settle();
    assert.deepEqual([rig.spool.disk.length, rig.spool.settlements], [0, ["delivered"]]);
    assert.equal(rig.batcher.bytesUsed, rig.spareBytes);
  });

  it("counts as lost at an end at once what the disk has not, and the rest as spooled", async () => {
    const fill = "x".repeat(1000);
    const rig = new Rig({ sinkBytesMax: 64 * 1024 });
    for (let i = 0; i < 40; i++) {
      rig.batch("a", `${i} ${fill}`);
      rig.spool.commit();
    }
    for (let i = 0; i < 3; i++) {
      rig.settle();
      await turn();
    }
    rig.batch("b", "written, and not committed");
    rig.line("b", "not even in a batch");
    const { delivered, in_flight, spooled } = rig.ledger();
    assert.equal(delivered + in_flight + spooled, 42);
    assert.ok(in_flight > 2, "the sink has some");
    rig.counters.publish();
    assert.equal(endRow(rig.counters), 2);
    const end = rig.ledger();
    assert.deepEqual([end.in_flight, end.spooled, end.dropped.shutdown], [0, 40 - delivered, 2]);
  });

  it("knows nothing on the disk when all that was committed is delivered", async () => {
    const rig = new Rig({ sinkBytesMax: 64 * 1024 });
    for (let i = 0; i < 40; i++) {
      rig.batch("a", `${i} ${"x".repeat(1000)}`);
      rig.spool.commit();
    }
    await rig.finish();
    assert.equal(rig.counters.value(counter.in_flight_on_disk), 0);
  });

  it("tells who waits for the disk at the commit, and who waits for Kafka at the ack", () => {
    const rig = new Rig();
    const told: string[] = [];
    const disk = new Receipt("disk", () => told.push("disk"));
    const kafka = new Receipt("kafka", () => told.push("kafka"));
    rig.line("a", "1", disk);
    rig.batch("a", "2", kafka);
    disk.placed();
    kafka.placed();
    rig.spool.commit();
    assert.deepEqual(told, ["disk"]);
    rig.settle();
    assert.deepEqual(told, ["disk", "kafka"]);
  });

  it("gives up what finds no place in the sink, in order, and reads it back when there is", async () => {
    const rig = new Rig({ sinkBytesMax: 64 * 1024 });
    const fill = "x".repeat(1000);
    for (let i = 0; i < 40; i++) {
      rig.batch("a", `${i} ${fill}`);
      rig.spool.commit();
      rig.ledger();
    }
    const { spooled, in_flight } = rig.ledger();
    assert.ok(spooled > 30 && in_flight > 0, `${spooled} ${in_flight}`);
    assert.ok(rig.batcher.bytesUsed - rig.spareBytes <= 16 * 1024 * in_flight);
    await rig.finish();
    assert.deepEqual(rig.delivered, Array.from({ length: 40 }, (_, i) => `a: ${i} ${fill}`));
    assert.equal(rig.stage.stats().readBack, spooled);
    assert.equal(rig.batcher.bytesUsed, rig.spareBytes);
  });

  it("says that it reads back for as long as the disk has an answer to give, from batch to batch", async () => {
    const rig = new Rig({ sinkBytesMax: 64 * 1024 });
    for (let i = 0; i < 40; i++) {
      rig.batch("a", `${i} ${"x".repeat(1000)}`);
      rig.spool.commit();
    }
    await turn();
    assert.equal(rig.stage.readsBack, false, "the sink has no place");
    let answer = () => {};
    const ask = () => rig.spool.disksAnswer = new Promise((resolve) => answer = resolve);
    ask();
    const before = rig.stage.stats().readBack;
    while (rig.settle());
    for (let batches = 0; batches < 3; batches++) {
      await turn();
      assert.deepEqual([rig.stage.readsBack, rig.stage.stats().readBack - before], [true, batches]);
      const answerThis = answer;
      ask();
      answerThis();
    }
    rig.spool.disksAnswer = undefined;
    answer();
    await rig.finish();
    assert.equal(rig.stage.readsBack, false);
  });

  it("holds what finds no place while the sink is prompt, in order", async () => {
    const rig = new Rig({ sinkBytesMax: 64 * 1024, holds: true });
    const fill = "x".repeat(1000);
    let taken = 0;
    while (rig.line("a", `${taken} ${fill}`)) {
      taken++;
      rig.batcher.closeAll();
      rig.spool.commit();
      rig.stage.tick();
      rig.ledger();
    }
    const { held, givenUp } = rig.stage.stats();
    assert.ok(held > 5, `${held} are held until memory is full`);
    assert.deepEqual([givenUp, rig.stage.hungry, rig.stage.drained, rig.ledger().spooled], [
      0,
      false,
      false,
      0,
    ]);
    await rig.finish();
    assert.deepEqual(rig.delivered, Array.from({ length: taken }, (_, i) => `a: ${i} ${fill}`));
    assert.deepEqual([rig.stage.stats().readBack, rig.stage.stats().held], [0, 0]);
    assert.equal(rig.batcher.bytesUsed, rig.spareBytes);
    assert.equal(rig.spool.disk.length, 0);
  });

  it("holds no more than leaves datagrams their room", async () => {
    const rig = new Rig({ sinkBytesMax: 64 * 1024, holds: true });
    const fill = "x".repeat(1000);
    for (let i = 0; i < 200; i++) {
      rig.counters.add(counter.datagrams, 1);
      rig.batch("a", `${i} ${fill}`);
      rig.spool.commit();
    }
    assert.ok(rig.stage.stats().givenUp > 100);
    await rig.finish();
    assert.deepEqual(rig.delivered, Array.from({ length: 200 }, (_, i) => `a: ${i} ${fill}`));
  });

  const ends: { name: string; change: (rig: Rig) => void }[] = [
    { name: "the sink is late", change: (rig) => rig.nowMs += lateMs },
    { name: "the topic is parked", change: (rig) => rig.stage.parked("a", true) },
    { name: "nothing of the topic moves", change: (rig) => rig.stalled.add("a") },
  ];
  for (const { name, change } of ends) {
    it(`gives up what it holds when ${name}, and keeps the order`, async () => {
      const rig = new Rig({ sinkBytesMax: 64 * 1024, holds: true });
      const fill = "x".repeat(1000);
      for (let i = 0; i < 16; i++) {
        rig.batch("a", `${i} ${fill}`);
        rig.spool.commit();
      }
      rig.batch("a", `16 ${fill}`);
      rig.spool.commit();
      assert.ok(rig.stage.stats().held > 3);
      change(rig);
      rig.stage.tick();
      assert.equal(rig.stage.stats().held, 0);
      assert.ok(rig.ledger().spooled > 3);
      rig.batch("a", `17 ${fill}`);
      rig.spool.commit();
      assert.equal(rig.stage.stats().held, 0, "what comes behind waits on the disk too");
      rig.stalled.clear();
      rig.stage.parked("a", false);
      await rig.finish();
      assert.deepEqual(rig.delivered, Array.from({ length: 18 }, (_, i) => `a: ${i} ${fill}`));
    });
  }

  it("holds what others have while nothing of a topic moves, however late that is", async () => {
    const rig = new Rig({ sinkBytesMax: 64 * 1024, holds: true });
    const fill = "x".repeat(1000);
    rig.batch("stuck", `0 ${fill}`);
    rig.spool.commit();
    rig.stalled.add("stuck");
    rig.nowMs += 10 * lateMs;
    rig.stage.tick();
    for (let i = 0; i < 16; i++) {
      rig.batch("fine", `${i} ${fill}`);
      rig.spool.commit();
    }
    rig.stage.tick();
    const { held, givenUp } = rig.stage.stats();
    assert.ok(held > 3, `${held} are held`);
    assert.equal(givenUp, 0);
    rig.nowMs += lateMs;
    rig.stage.tick();
    assert.equal(rig.stage.stats().held, 0, "what moves is late too");
    rig.stalled.clear();
    await rig.finish();
    const fine = rig.delivered.filter((value) => value.startsWith("fine"));
    assert.deepEqual(fine, Array.from({ length: 16 }, (_, i) => `fine: ${i} ${fill}`));
    assert.equal(rig.delivered.length, 17);
  });

  it("answers who waits for Kafka when a batch is given up, as far as it came", () => {
    for (const [durability, reached] of [["fsync", "disk"], ["none", "memory"]] as const) {
      const rig = new Rig({ durability, sinkBytesMax: 32 * 1024 });
      rig.ready = false;
      rig.batch("a", "x".repeat(1000));
      rig.spool.commit();
      rig.batch("a", "x".repeat(1000));
      rig.spool.commit();
      let told = 0;
      const receipt = new Receipt("kafka", () => told++);
      rig.batch("a", "y".repeat(1000), receipt);
      receipt.placed();
      assert.equal(told, 0);
      rig.spool.commit(9);
      assert.deepEqual([told, receipt.reached, receipt.kept], [1, reached, false]);
    }
  });

  it("goes on taking small batches when the sink is down: they take more memory than they are long", async () => {
    const rig = new Rig({ sinkBytesMax: 256 * 1024 });
    rig.ready = false;
    for (let i = 0; i < 100; i++) {
      rig.batch("a", `${i}`);
      rig.spool.commit();
    }
    assert.ok(rig.batcher.roomy);
    await rig.finish();
    assert.deepEqual(rig.delivered, Array.from({ length: 100 }, (_, i) => `a: ${i}`));
  });

  it("takes back what topics hold of which nothing moves, reads on for the others, and keeps the order", async () => {
    const rig = new Rig({ sinkBytesMax: 256 * 1024 });
    const fill = "x".repeat(1000);
    for (let i = 0; i < 5; i++) {
      for (const topic of ["stuck", "stuck too", "fine"]) {
        rig.batch(topic, `${i} ${fill}`);
        rig.spool.commit();
      }
    }
    rig.stalled.add("stuck");
    rig.stalled.add("stuck too");
    rig.stage.tick();
    rig.ledger();
    const held = (topic: string) => rig.inSink.filter((batch) => batch.topic === topic).length;
    assert.deepEqual([held("stuck"), held("stuck too")], [1, 1]);
    assert.ok(held("fine") > 0);
    for (let i = 5; i < 20; i++) {
      for (const topic of ["stuck", "stuck too", "fine"]) {
        rig.batch(topic, `${i} ${fill}`);
        rig.spool.commit();
      }
    }
    await until(
      "the others flow",
      async () => {
        const fine = rig.inSink.findIndex((batch) => batch.topic === "fine");
        if (fine >= 0) rig.settle(fine);
        rig.stage.tick();
        await turn();
        rig.ledger();
        return rig.delivered.filter((value) => value.startsWith("fine")).length === 20 ? true : undefined;
      },
      10_000,
      0,
    );
    assert.equal(held("stuck"), 1);
    rig.stalled.clear();
    await rig.finish();
    for (const topic of ["stuck", "stuck too", "fine"]) {
      assert.deepEqual(
        rig.delivered.filter((value) => value.startsWith(`${topic}: `)),
        Array.from({ length: 20 }, (_, i) => `${topic}: ${i} ${fill}`),
      );
    }
  });

  it("leaves other topics their place when one is not delivered", () => {
    const rig = new Rig({ sinkBytesMax: 128 * 1024 });
    for (let i = 0; i < 25; i++) rig.batch("stuck", `${i} ${"x".repeat(1000)}`);
    rig.spool.commit(25);
    rig.batch("fine", "here I am");
    rig.spool.commit();
    assert.equal(rig.sent.at(-1), "fine: here I am");
  });

  it("parks a topic that stalls for long, and sends what waited in order when it moves again", async () => {
    const rig = new Rig();
    rig.batch("stuck", "1");
    rig.spool.commit();
    rig.stalled.add("stuck");
    rig.stage.tick();
    rig.nowMs += parkAfterMs - 1;
    rig.stage.tick();
    assert.deepEqual([...rig.spool.parked], []);
    rig.nowMs += 1;
    rig.stage.tick();
    assert.deepEqual([...rig.spool.parked], ["stuck"]);
    rig.batch("stuck", "2");
    rig.batch("fine", "1");
    rig.spool.commit(2);
    assert.deepEqual([rig.sent, rig.ledger().spooled], [["stuck: 1", "fine: 1"], 1]);
    rig.stalled.clear();
    rig.settle();
    rig.stage.tick();
    assert.deepEqual([...rig.spool.parked], []);
    await rig.finish();
    assert.deepEqual(rig.delivered.filter((value) => value.startsWith("stuck")), ["stuck: 1", "stuck: 2"]);
  });

  it("passes a full disk by while the sink takes what comes, in order", () => {
    const rig = new Rig();
    rig.batch("a", "committed");
    rig.spool.commit();
    rig.spool.full = true;
    rig.batch("a", "passing 1");
    rig.batch("a", "passing 2");
    assert.deepEqual(rig.sent, ["a: committed", "a: passing 1", "a: passing 2"]);
    assert.equal(rig.stage.stats().passedBy, 2);
    while (rig.settle());
    assert.equal(rig.ledger().delivered, 3);
    assert.deepEqual(rig.spool.settlements, ["delivered"]);
  });

  it("waits with a full disk while the sink is down, and goes on by itself", async () => {
    const rig = new Rig();
    rig.ready = false;
    rig.spool.full = true;
    rig.batch("a", "one");
    assert.deepEqual([rig.sent, rig.stage.full, rig.stage.status().ready], [[], true, false]);
    rig.spool.full = false;
    rig.spool.commit();
    assert.deepEqual(rig.sent, ["a: one"]);
    await rig.finish();
  });

  it("drains a memory full of batches that a full disk does not take, by the extent set aside", async () => {
    const rig = new Rig({ sinkBytesMax: 32 * 1024 });
    for (let i = 0; i < 6; i++) rig.batch("a", `${i} ${"x".repeat(1000)}`);
    rig.spool.commit(6);
    assert.ok(rig.spool.disk.length > rig.inSink.length, "some are on the disk alone");
    rig.spool.full = true;
    rig.ready = false;
    let taken = 6;
    while (rig.line("a", `${taken} ${"x".repeat(1000)}`)) taken++;
    assert.ok(!rig.batcher.roomy);
    rig.ready = true;
    await until(
      "the disk's batches",
      async () => {
        rig.settle();
        rig.stage.tick();
        await turn();
        return rig.delivered.length >= 6 ? true : undefined;
      },
      5_000,
      0,
    );
    await rig.finish();
    assert.deepEqual(rig.delivered.map((value) => Number.parseInt(value.slice(3))), [...Array(taken).keys()]);
  });

  it("does not ask the disk with durability none, until the sink is away", async () => {
    const rig = new Rig({ durability: "none", sinkBytesMax: 32 * 1024 });
    rig.batch("a", "one");
    for (let i = 0; i < 5; i++) rig.batch("a", "x".repeat(1000));
    assert.deepEqual([rig.sent.length, rig.spool.pendingBatches], [6, 0], "whatever its place");
    while (rig.settle());
    rig.ready = false;
    for (let i = 0; i < 10; i++) rig.batch("a", `${i} ${"x".repeat(1000)}`);
    assert.ok(rig.spool.pendingBatches > 0);
    await rig.finish();
    assert.equal(rig.delivered.length, 16);
    assert.deepEqual(rig.delivered, rig.sent);
  });

  it("counts what an earlier session left, and sends it", async () => {
    const first = new Rig();
    first.batch("a", "old");
    first.spool.commit();
    const rig = new Rig({ left: first.spool.disk });
    assert.deepEqual([rig.ledger().replayed, rig.ledger().spooled], [1, 1]);
    await rig.finish();
    assert.deepEqual([rig.delivered, rig.replayed], [["a: old"], [1]]);
    assert.equal(rig.ledger().delivered, 1);
  });

  it("keeps to the bound of replay when the spool says later", async () => {
    const first = new Rig();
    first.batch("a", "old");
    first.spool.commit();
    const rig = new Rig({ left: first.spool.disk });
    rig.spool.delayMs = 5;
    await turn();
    assert.deepEqual(rig.sent, []);
    rig.spool.delayMs = 0;
    await until("the batch", () => rig.sent.length > 0 ? true : undefined);
  });

  it("close() leaves on the disk what the sink did not settle, with every durability", async () => {
    for (const durability of ["none", "fsync"] as const) {
      const rig = new Rig({ durability });
      rig.batch("a", "one");
      rig.spool.commit();
      rig.batch("a", "two");
      assert.equal(rig.sent.length, durability === "none" ? 2 : 1);
      assert.equal(await rig.stage.close(1_000), 0);
      const { in_flight, spooled } = rig.ledger();
      assert.deepEqual([in_flight, spooled, rig.spool.disk.length], [0, 2, 2]);
    }
  });

  it("close() says what is neither delivered nor on the disk", async () => {
    const rig = new Rig();
    rig.spool.full = true;
    rig.ready = false;
    rig.batch("a", "one");
    assert.equal(rig.stage.drained, false);
    assert.equal(await rig.stage.close(1_000), 1);
  });

  it("takes damaged batches out of the ledger", () => {
    const first = new Rig();
    first.batch("a", "old");
    first.spool.commit();
    const rig = new Rig({ left: first.spool.disk });
    rig.spool.disk.splice(0);
    rig.stage.events.damaged({
      reason: "crc_mismatch",
      batches: 1,
      records: 1,
      counted: true,
      path: undefined,
      message: "",
    });
    const { spooled, dropped } = rig.ledger();
    assert.deepEqual([spooled, dropped.spool_damaged], [0, 1]);
  });

  it("delivers every line once and in order per topic, whatever the disk, the sink and the memory do, over restarts", async () => {
    const step = fc.record({ what: fc.nat(13), topic: fc.constantFrom("a", "b", "c"), size: fc.nat(1000) });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Durability>("none", "os", "fsync"),
        fc.array(fc.array(step, { minLength: 80, maxLength: 160, size: "max" }), {
          minLength: 1,
          maxLength: 3,
        }),
        async (durability, sessions) => {
          let left: readonly Stored[] = [];
          let number = 0;
          let inOrder = durability !== "none";
          const lines: string[] = [];
          const delivered: string[] = [];
          for (const [session, steps] of sessions.entries()) {
            const rig = new Rig({ durability, left, sinkBytesMax: 64 * 1024, holds: true });
            const began = number;
            for (const { what, topic, size } of steps) {
              const value = `${number} ${"x".repeat(size)}`;
              if (what <= 3 && rig.line(topic, value)) {
                lines.push(`${topic}: ${value}`);
                number++;
              } else if (what === 4) rig.batcher.closeAll();
              else if (what === 5) rig.spool.commit(1 + size % 8);
              // Partitions settle in any order, a topic's batches here in theirs.
              else if (what === 6) rig.settle();
              else if (what === 7) rig.ready = !rig.ready;
              else if (what === 8) rig.spool.full = !rig.spool.full;
              else if (what === 9) rig.hungry = !rig.hungry;
              else if (what === 10) rig.stage.tick();
              else if (what === 11) rig.nowMs += size / 3;
              else if (what === 12) rig.counters.add(counter.datagrams, 1);
              else await turn();
              rig.ledger();
            }
            if (session < sessions.length - 1) {
              rig.batcher.closeAll();
              rig.spool.full = false;
              assert.equal(await rig.stage.close(1_000), 0);
              assert.equal(rig.ledger().in_flight, 0);
              assert.equal(
                rig.ledger().spooled,
                rig.spool.disk.reduce((sum, { batch }) => sum + batch.count, 0),
              );
              left = [...rig.spool.disk];
            } else {
              await rig.finish();
              assert.equal(rig.batcher.bytesUsed, rig.spareBytes);
              assert.equal(rig.spool.disk.length, 0);
            }
            delivered.push(...rig.delivered);
            for (const topic of ["a", "b", "c"]) {
              const numbers = rig.delivered.filter((line) => line.startsWith(topic)).map(numberOf);
              const live = numbers.filter((one) => one >= began);
              const old = numbers.filter((one) => one < began);
              assert.deepEqual(live, ascending(live));
              // What was in the sink alone at the end comes behind what was on the disk then.
              if (inOrder) assert.deepEqual(old, ascending(old));
            }
            if (rig.stage.stats().passedBy > 0) inOrder = false;
          }
          for (const topic of ["a", "b", "c"]) {
            const of = (all: string[]) => all.filter((line) => line.startsWith(topic));
            assert.deepEqual([...new Set(of(delivered))].toSorted(byNumber), of(lines).toSorted(byNumber));
            assert.equal(of(delivered).length, of(lines).length, "none twice");
          }
        },
      ),
      { numRuns: 30, endOnFailure: true },
    );
  });
});

function numberOf(line: string): number {
  return Number.parseInt(line.slice(3));
}

function byNumber(one: string, other: string): number {
  return numberOf(one) - numberOf(other);
}

function ascending(numbers: readonly number[]): number[] {
  return numbers.toSorted((one, other) => one - other);
}
