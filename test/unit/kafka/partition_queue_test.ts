/** The line of one partition, without anything around it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { PartitionQueue, sequenceAfter } from "../../../src/kafka/partition_queue.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { FakeClock } from "./fake_clock.ts";

/** A kernel that only writes down what it was asked to seal. */
function recorder(): {
  kernel: Kernel;
  sealed: { at: number; producerId: bigint; epoch: number; sequence: number }[];
} {
  const sealed: { at: number; producerId: bigint; epoch: number; sequence: number }[] = [];
  const sealBatch: Kernel["sealBatch"] = (at, _end, _count, _base, _max, producerId, epoch, sequence) =>
    void sealed.push({ at, producerId, epoch, sequence });
  return { kernel: { sealBatch } as unknown as Kernel, sealed };
}

function batch(at: number, count = 10): ClosedBatch {
  return {
    topic: "logs",
    partition: 0,
    at,
    end: at + 100,
    count,
    rawBytes: 39,
    attributes: 0,
    baseTimestampMs: 0,
    maxTimestampMs: 0,
    openedAtMs: 0,
  };
}

const topic = { name: "logs", nameBytes: new Uint8Array(), batchBytesMax: Infinity };
const identity = { producerId: 7n, epoch: 0 };

function queueOf(batches: number) {
  const { kernel, sealed } = recorder();
  const queue = new PartitionQueue(topic, 0, kernel);
  for (let at = 1; at <= batches; at++) queue.push(batch(at));
  return { queue, sealed, clock: new FakeClock() };
}

describe("PartitionQueue", () => {
  it("take() gives one batch until one is acknowledged, then five at most", () => {
    const { queue, sealed } = queueOf(20);
    const first = queue.take(0, identity);
    assert.equal(queue.take(0, identity), undefined);
    queue.delivered(first!, 0);
    const more = Array.from({ length: 6 }, () => queue.take(0, identity));
    assert.deepEqual(more.map((entry) => entry?.sequence), [10, 20, 30, 40, 50, undefined]);
    assert.equal(sealed.length, 6);
  });

  it("take() gives nothing after a failure until everything that is out has come back", () => {
    const { queue, clock } = queueOf(20);
    queue.delivered(queue.take(0, identity)!, 0);
    const [one, two, three] = Array.from({ length: 3 }, () => queue.take(0, identity)!);
    queue.returned(one);
    assert.equal(queue.take(0, identity), undefined);
    queue.delivered(two, 0);
    assert.equal(queue.take(0, identity), undefined, "the third is still out");
    queue.failed(three, 0, clock);
    assert.equal(queue.take(0, identity), undefined, "held after a failure");
    assert.equal(queue.take(1000, identity), one);
    assert.equal(queue.take(1000, identity), undefined, "one at a time until one is acknowledged");
    queue.delivered(one, 1000);
    assert.equal(queue.take(1000, identity), three);
  });

  it("take() gives the same sequences again when batches come back", () => {
    const { queue, sealed } = queueOf(3);
    queue.delivered(queue.take(0, identity)!, 0);
    const entries = [queue.take(0, identity)!, queue.take(0, identity)!];
    for (const entry of entries) queue.returned(entry);
    assert.equal(queue.take(0, identity), entries[0]);
    assert.equal(sealed.length, 3, "no batch is sealed twice");
  });

  it("take() numbers the line anew under the next epoch only when nothing is out", () => {
    const { queue, sealed } = queueOf(4);
    queue.delivered(queue.take(0, identity)!, 0);
    const [one, two, three] = Array.from({ length: 3 }, () => queue.take(0, identity)!);
    queue.rejected(one);
    assert.equal(queue.take(0, identity), undefined);
    queue.returned(two);
    assert.equal(sealed.length, 4);
    queue.returned(three);
    assert.equal(queue.take(0, identity), two);
    queue.delivered(two, 0);
    assert.equal(queue.take(0, identity), three);
    assert.deepEqual(sealed.slice(4), [
      { at: 3, producerId: 7n, epoch: 1, sequence: 0 },
      { at: 4, producerId: 7n, epoch: 1, sequence: 10 },
    ]);
  });

  it("divide() lets parts take the batch's place, in order, before what came behind it", () => {
    const { queue, sealed } = queueOf(4);
    queue.delivered(queue.take(0, identity)!, 0);
    const [one, two, three] = Array.from({ length: 3 }, () => queue.take(0, identity)!);
    queue.divide(one);
    queue.returned(two);
    queue.returned(three);
    assert.equal(queue.take(0, identity), undefined, "nothing overtakes a batch that is being divided");
    queue.placeBefore(one, batch(20, 4));
    const first = queue.take(0, identity)!;
    assert.equal(first.batch.at, 20);
    queue.delivered(first, 0);
    assert.equal(queue.take(0, identity), undefined);
    queue.placeBefore(one, batch(21, 6));
    queue.divided(one);
    const order = Array.from({ length: 3 }, () => queue.take(0, identity)!);
    assert.deepEqual(order.map((entry) => entry.batch.at), [21, 3, 4]);
    assert.deepEqual(sealed.slice(4).map(({ epoch, sequence }) => [epoch, sequence]), [
      [1, 0],
      [1, 4],
      [1, 10],
      [1, 20],
    ]);
  });

  it("takeOversized() gives a batch only in its turn, and once", () => {
    const { kernel } = recorder();
    const queue = new PartitionQueue({ ...topic, batchBytesMax: 99 }, 0, kernel);
    queue.push({ ...batch(1), end: 51 });
    queue.push(batch(2));
    assert.equal(queue.takeOversized(), undefined);
    const small = queue.take(0, identity)!;
    const large = queue.takeOversized()!;
    assert.equal(large.batch.at, 2);
    assert.equal(queue.takeOversized(), undefined);
    queue.delivered(small, 0);
    assert.equal(queue.take(0, identity), undefined);
    queue.divided(large);
    assert.equal(queue.waiting, 0);
  });

  it("sequenceRefused() is no news behind a failed batch, and a reason for a new epoch at the head", () => {
    const { queue, clock } = queueOf(3);
    queue.delivered(queue.take(0, identity)!, 0);
    const [one, two] = [queue.take(0, identity)!, queue.take(0, identity)!];
    queue.failed(one, 0, clock);
    assert.equal(queue.sequenceRefused(two, 0, clock), false);
    const again = queue.take(2000, identity)!;
    assert.equal(again.sequence, 10);
    assert.equal(queue.sequenceRefused(again, 2000, clock), true);
    assert.equal(queue.take(4000, identity)!.sequence, 0);
  });

  it("take() waits for another producer id when the old one was refused or its epochs are used up", () => {
    const { queue, clock, sealed } = queueOf(2);
    const refused = queue.take(0, identity)!;
    queue.producerRefused(refused, 0, clock);
    assert.equal(queue.take(2000, identity), undefined);
    assert.equal(queue.refusedProducerId, 7n);
    const last = { producerId: 8n, epoch: 32767 };
    const entry = queue.take(2000, last)!;
    assert.equal(queue.refusedProducerId, undefined);
    queue.rejected(entry);
    assert.equal(queue.take(2000, last), undefined, "no epoch behind 32767");
    assert.equal(queue.refusedProducerId, 8n);
    assert.ok(queue.take(2000, { producerId: 9n, epoch: 0 }) !== undefined);
    assert.deepEqual(sealed.map(({ producerId }) => producerId), [7n, 8n, 9n]);
  });

  it("giveBack() leaves what could have gone to another partition: there it would be behind later batches", () => {
    const { queue } = queueOf(0);
    queue.assign(batch(1));
    assert.deepEqual(queue.giveBack(() => true, 0), []);
    queue.push(batch(2));
    queue.push(batch(3));
    assert.deepEqual(queue.giveBack(({ at }) => at !== 2, 0).map(({ at }) => at), [3]);
    const first = queue.take(0, identity)!;
    assert.equal(first.batch.at, 1);
    queue.delivered(first, 0);
    assert.equal(queue.take(0, identity)!.batch.at, 2);
  });

  it("drop() gives what is not out in order and leaves what is", () => {
    const { queue } = queueOf(4);
    queue.delivered(queue.take(0, identity)!, 0);
    const [one, two] = [queue.take(0, identity)!, queue.take(0, identity)!];
    queue.returned(one);
    assert.deepEqual(queue.drop().map(({ at }) => at), [2, 4]);
    assert.equal(queue.sent, 1);
    assert.equal(queue.waiting, 0);
    queue.returned(two);
    assert.deepEqual(queue.drop().map(({ at }) => at), [3]);
  });

  const sequences = [
    { from: 0, count: 1, want: 1 },
    { from: 2 ** 31 - 2, count: 1, want: 2 ** 31 - 1 },
    { from: 2 ** 31 - 1, count: 1, want: 0 },
    { from: 2 ** 31 - 2, count: 5, want: 3 },
  ];
  for (const { from, count, want } of sequences) {
    it(`sequenceAfter() is ${want} when ${count} records follow ${from}`, () => {
      assert.equal(sequenceAfter(from, count), want);
    });
  }
});
