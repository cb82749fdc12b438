import assert from "node:assert/strict";
import { test } from "node:test";
import { lingerBusyFactor } from "../../../src/batch/linger.ts";
import { granuleBytes } from "../../../src/batch/arena.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import { headroomBytes } from "../../../src/batch/record_batch.ts";
import { Rig } from "./bench.ts";

const lingerMs = 5;
const epoch = 1_700_000_000_000;

test("Batcher closes a batch at its linger, not before, when the sink is hungry", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  rig.append("a", "k", "one");
  rig.timers.advance(lingerMs - 1);
  rig.append("a", null, "two", epoch + 4);
  assert.equal(rig.emitted.length, 0);
  rig.timers.advance(1);
  assert.equal(rig.emitted.length, 1);
  assert.equal(rig.timers.armed, 0);
  assert.deepEqual(rig.take(), [
    { topic: "a", key: "k", value: "one", timestampMs: epoch },
    { topic: "a", key: null, value: "two", timestampMs: epoch + 4 },
  ]);
});

test("Batcher counts the linger from when lines may have come when they waited for being read", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  assert.equal(rig.batcher.dueMs, Infinity);
  const sinceMs = rig.timers.nowMs();
  rig.timers.advance(lingerMs - 1);
  rig.batcher.waitedSinceMs = sinceMs;
  rig.append("a", null, "waited");
  rig.batcher.waitedSinceMs = undefined;
  rig.append("b", null, "came now");
  assert.equal(rig.batcher.dueMs, sinceMs + lingerMs);
  rig.timers.advance(1);
  assert.deepEqual(rig.take().map((record) => record.value), ["waited"]);
  assert.equal(rig.batcher.dueMs, sinceMs + 2 * lingerMs - 1);
});

test("Batcher.closeDue() closes what is due within a span, and nothing that is younger", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  rig.append("a", null, "old");
  rig.timers.advance(2);
  rig.append("b", null, "young");
  rig.timers.advance(2);
  rig.batcher.closeDue(0);
  assert.equal(rig.emitted.length, 0);
  rig.batcher.closeDue(1);
  assert.deepEqual(rig.take().map((record) => record.value), ["old"]);
  rig.sink.hungry = false;
  rig.batcher.closeDue(lingerMs);
  assert.equal(rig.emitted.length, 0);
  rig.sink.hungry = true;
  rig.timers.advance(3);
  rig.batcher.closeDue(0);
  assert.deepEqual(rig.take().map((record) => record.value), ["young"]);
  assert.equal(rig.timers.armed, 0);
});

test("Batcher serves all lanes with one timer when they fall due one after the other", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  for (const topic of ["a", "b", "c"]) {
    rig.append(topic, null, "x");
    assert.equal(rig.timers.armed, 1);
    rig.timers.advance(1);
  }
  rig.timers.advance(2);
  assert.deepEqual(rig.emitted.map((batch) => batch.topic), ["a"]);
  rig.timers.advance(1);
  assert.deepEqual(rig.emitted.map((batch) => batch.topic), ["a", "b"]);
  rig.timers.advance(1);
  assert.deepEqual(rig.emitted.map((batch) => batch.topic), ["a", "b", "c"]);
  assert.equal(rig.timers.armed, 0);
});

test("Batcher lets a due batch grow when the sink is busy, and closes it when the sink wants", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  rig.sink.hungry = false;
  rig.append("a", null, "one");
  rig.timers.advance(lingerMs * 3);
  rig.append("a", null, "two");
  rig.append("b", null, "young");
  assert.equal(rig.emitted.length, 0);
  rig.sink.hungry = true;
  rig.batcher.wants();
  assert.deepEqual(rig.take().map((record) => record.value), ["one", "two"]);
  rig.timers.advance(lingerMs);
  assert.deepEqual(rig.take().map((record) => record.value), ["young"]);
});

test("Batcher closes all due batches together when the sink has enough after the first", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  rig.sink.hungry = false;
  for (const topic of ["a", "b", "c"]) rig.append(topic, null, "x");
  rig.timers.advance(lingerMs);
  rig.sink.hungry = true;
  const push = rig.emitted.push.bind(rig.emitted);
  rig.emitted.push = (...batches) => {
    rig.sink.hungry = false;
    return push(...batches);
  };
  rig.batcher.wants();
  assert.equal(rig.emitted.length, 3);
});

test("Batcher closes a batch after 20 lingers when the sink stays busy", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  rig.sink.hungry = false;
  rig.append("a", null, "x");
  rig.timers.advance(lingerMs * lingerBusyFactor - 1);
  assert.equal(rig.emitted.length, 0);
  rig.timers.advance(1);
  assert.equal(rig.emitted.length, 1);
});

test("Batcher keeps a batch open when the sink cannot deliver, until it is full", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs, batchBytesMax: 20_000 });
  rig.sink.hungry = rig.sink.ready = false;
  rig.append("a", null, "x".repeat(9_900));
  rig.timers.advance(lingerMs * lingerBusyFactor * 50);
  rig.append("a", null, "y".repeat(9_900));
  assert.equal(rig.emitted.length, 0);
  rig.append("a", null, "z".repeat(9_900));
  assert.equal(rig.emitted.length, 1);
  assert.equal(rig.emitted[0]!.count, 2);
  rig.sink.hungry = rig.sink.ready = true;
  rig.batcher.wants();
  rig.timers.advance(lingerMs);
  assert.equal(rig.emitted.length, 2);
});

test("Batcher closes within 20 lingers when a sink came back busy without ever saying that it wants", () => {
  const rig = new Rig(16 * granuleBytes, { lingerMs });
  rig.sink.hungry = rig.sink.ready = false;
  rig.append("a", null, "x");
  rig.timers.advance(lingerMs * lingerBusyFactor * 3);
  rig.sink.ready = true;
  rig.timers.advance(lingerMs * lingerBusyFactor);
  assert.equal(rig.emitted.length, 1);
});

test("Batcher.append() gives a record of its own batch when it is larger than a batch may be", () => {
  const rig = new Rig(16 * granuleBytes, { batchBytesMax: 1000 });
  for (const size of [10, 967, 968, 969, 5000, 60_000, 10]) {
    assert.ok(rig.append("a", null, "x".repeat(size)));
  }
  rig.batcher.closeAll();
  assert.deepEqual(rig.emitted.map((batch) => batch.count), [1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual(rig.take().map((record) => record.value.length), [10, 967, 968, 969, 5000, 60_000, 10]);
});

test("Batcher.appendRows() gives a row of its own batch when it is larger than a batch may be", () => {
  const rig = new Rig(16 * granuleBytes, { batchBytesMax: 1000 });
  const frames = ["a".repeat(300), "b".repeat(300), "c".repeat(4000), "d".repeat(10), "e".repeat(4000)];
  assert.equal(rig.appendRows("a", frames), frames.length);
  rig.batcher.closeAll();
  assert.deepEqual(rig.emitted.map((batch) => batch.count), [2, 1, 1, 1]);
  assert.deepEqual(rig.take().map((record) => record.value), frames);
});

test("Batcher.appendRows() takes what fits and goes on at the next row when room came back", () => {
  const rig = new Rig(8 * granuleBytes, { batchBytesMax: 16 * 1024 });
  rig.sink.hungry = false;
  const frames = Array.from({ length: 4 }, (_, i) => `${i}`.repeat(3900));
  let sent = 0;
  let taken = 4;
  for (; taken === 4; sent += taken) taken = rig.appendRows("a", frames);
  assert.ok(sent > 0 && !rig.batcher.roomy && rig.batcher.stats().noRoom > 0);
  const before = rig.take().length + rig.batcher.stats().recordsOpen;
  assert.equal(before, sent);
  assert.equal(rig.appendRows("a", frames, epoch, taken), 4 - taken);
  assert.ok(rig.batcher.roomy);
});

test("Batcher emits what is open when memory is used up and the sink is hungry", () => {
  const rig = new Rig(8 * granuleBytes, { lingerMs: 1000 });
  for (let i = 0; i < 8; i++) assert.ok(rig.append(`t${i}`, null, "x"));
  assert.equal(rig.append("t8", null, "x"), false);
  assert.equal(rig.emitted.length, 8);
  assert.equal(rig.take().length, 8);
  assert.ok(rig.append("t8", null, "x"));
});

test("Batcher.append() begins a new batch when the clock jumped by decades", () => {
  const rig = new Rig(8 * granuleBytes);
  rig.append("a", null, "before", 1000);
  rig.append("a", null, "after", epoch);
  rig.append("a", null, "back", 1000);
  rig.batcher.closeAll();
  assert.deepEqual(rig.take().map((record) => record.timestampMs), [1000, epoch, 1000]);
});

test("Batcher.lane() forgets the idle and closes the oldest when there are more topics than lanes", () => {
  const rig = new Rig(128 * granuleBytes, { lanesMax: 4, lingerMs: 1000 });
  for (let i = 0; i < 100; i++) assert.ok(rig.append(`t${i}`, null, `${i}`));
  assert.equal(rig.batcher.stats().lanes, 4);
  assert.equal(rig.emitted.length, 96);
  rig.batcher.closeAll();
  assert.deepEqual(rig.take().map((record) => record.value), Array.from({ length: 100 }, (_, i) => `${i}`));
  for (let i = 0; i < 100; i++) {
    rig.append("busy", null, "x");
    rig.append(`u${i}`, null, "x");
    rig.batcher.closeAll();
    rig.take();
  }
  assert.equal(rig.batcher.stats().lanes, 4);
});

test("Batcher gives each partition its own batch when the caller chose one", () => {
  const rig = new Rig(8 * granuleBytes);
  for (const partition of [0, 1, 0, -1]) {
    rig.kernel.bytes[rig.kernel.scratchAt] = 65 + partition;
    rig.batcher.append(rig.batcher.lane("a", partition), epoch, 0, -1, rig.kernel.scratchAt, 1, 0, 0);
  }
  rig.batcher.closeAll();
  assert.deepEqual(rig.emitted.map(({ partition, count }) => [partition, count]), [[0, 2], [1, 1], [-1, 1]]);
});

test("Batcher sizes the next extent by the last batch, and gives back what it does not need", () => {
  const rig = new Rig(64 * granuleBytes, { batchBytesMax: 256 * 1024, lingerMs });
  for (let i = 0; i < 20; i++) rig.append("a", null, "x".repeat(10_000));
  rig.batcher.closeAll();
  const bytes = rig.emitted[0]!.end - rig.emitted[0]!.at + headroomBytes;
  assert.equal(rig.batcher.stats().arenaBytesUsed, Math.ceil(bytes / granuleBytes) * granuleBytes);
  rig.take();
  rig.append("a", null, "x");
  assert.ok(rig.batcher.stats().arenaBytesUsed >= bytes, "as large as the last one");
  rig.batcher.closeAll();
  assert.equal(rig.batcher.stats().arenaBytesUsed, granuleBytes);
  rig.take();
  rig.append("a", null, "x");
  assert.equal(rig.batcher.stats().arenaBytesUsed, granuleBytes);
});

test("Batcher moves a growing batch when another one is in its way", () => {
  const rig = new Rig(32 * granuleBytes, { batchBytesMax: 256 * 1024 });
  rig.append("a", null, "1".repeat(10_000));
  rig.append("b", null, "2");
  for (let i = 0; i < 5; i++) rig.append("a", null, "1".repeat(10_000));
  assert.equal(rig.emitted.length, 0);
  rig.batcher.closeAll();
  assert.deepEqual(rig.emitted.map(({ topic, count }) => [topic, count]), [["a", 6], ["b", 1]]);
  assert.ok(rig.emitted[0]!.at > rig.emitted[1]!.at);
  assert.equal(rig.take()[5]!.value, "1".repeat(10_000));
});

test("Batcher.close() closes one lane before its time when an answer waits for it", () => {
  const rig = new Rig(8 * granuleBytes);
  rig.append("a", null, "x");
  rig.append("b", null, "y");
  rig.batcher.close(rig.batcher.lane("b"));
  rig.batcher.close(rig.batcher.lane("c"));
  assert.deepEqual(rig.emitted.map((batch) => batch.topic), ["b"]);
  assert.equal(rig.emitted[0]!.end - rig.emitted[0]!.at, batchHeaderBytes + rig.emitted[0]!.rawBytes);
});
