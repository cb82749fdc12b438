import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { headroomBytes } from "../../../src/batch/record_batch.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import { type ReadBack, readBatch, Rig } from "./bench.ts";

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("rows" as const),
      topic: fc.nat(11),
      sizes: fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("rows" as const),
      topic: fc.nat(2),
      sizes: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 40 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("record" as const),
      topic: fc.nat(11),
      key: fc.option(fc.integer({ min: 0, max: 400 })),
      size: fc.integer({ min: 0, max: 5000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("record" as const),
      topic: fc.nat(2),
      key: fc.constant(null),
      size: fc.integer({ min: 5000, max: 60_000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("time" as const), ms: fc.integer({ min: 0, max: 150 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("clock" as const),
      ms: fc.constantFrom(-10, 1, 2 ** 31, -(2 ** 33)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("sink" as const), hungry: fc.boolean(), ready: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("settle" as const), batches: fc.integer({ min: 1, max: 20 }) }),
  },
);

test("Batcher emits every record once and in order when sizes, limits, room and appetite are random", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }).map((kib) => kib * 1024),
      fc.integer({ min: 9, max: 24 }).map((granules) => granules * 16 * 1024),
      fc.integer({ min: 1, max: 14 }),
      fc.array(step, { minLength: 1, maxLength: 80 }),
      (batchBytesMax, arenaBytes, lanesMax, steps) => {
        const rig = new Rig(arenaBytes, { batchBytesMax, lanesMax });
        const taken = new Map<string, ReadBack[]>();
        const got = new Map<string, ReadBack[]>();
        let serial = 0;
        let nowMs = 1_700_000_000_000;
        const text = (size: number) => {
          const head = `${serial++}.`;
          return head + "abcdefghij".repeat(Math.ceil(size / 10)).slice(0, Math.max(0, size - head.length));
        };
        const note = (into: Map<string, ReadBack[]>, record: ReadBack) => {
          const list = into.get(record.topic);
          if (list === undefined) into.set(record.topic, [record]);
          else list.push(record);
        };
        const settle = (count: number) => {
          for (const batch of rig.emitted.splice(0, count)) {
            assert.ok(batch.count === 1 || batch.rawBytes <= batchBytesMax, "batch respects its limit");
            assert.equal(batch.rawBytes, batch.end - batch.at - batchHeaderBytes);
            assert.ok(batch.at - headroomBytes >= rig.kernel.arenaAt);
            const records = readBatch(rig.kernel, batch);
            assert.equal(batch.baseTimestampMs, records[0]!.timestampMs);
            assert.equal(batch.maxTimestampMs, Math.max(...records.map((r) => r.timestampMs)));
            for (const record of records) note(got, record);
            rig.batcher.release(batch);
          }
        };
        for (const s of steps) {
          if (s.do === "rows") {
            const frames = s.sizes.map(text);
            while (frames.reduce((sum, frame) => sum + frame.length + 1, 0) > 16 * 1024) frames.pop();
            if (frames.length === 0) continue;
            const topic = `t${s.topic}`;
            const count = rig.appendRows(topic, frames, nowMs);
            for (const value of frames.slice(0, count)) {
              note(taken, { topic, key: null, value, timestampMs: nowMs });
            }
          } else if (s.do === "record") {
            const topic = `t${s.topic}`;
            const key = s.key === null ? null : "k".repeat(s.key);
            const value = text(s.size);
            if (rig.append(topic, key, value, nowMs)) note(taken, { topic, key, value, timestampMs: nowMs });
          } else if (s.do === "time") {
            nowMs += s.ms;
            rig.timers.advance(s.ms);
          } else if (s.do === "clock") {
            nowMs += s.ms;
          } else if (s.do === "settle") {
            settle(s.batches);
          } else {
            const became = s.hungry && !rig.sink.hungry;
            rig.sink.hungry = s.hungry;
            rig.sink.ready = s.ready || s.hungry;
            if (became) rig.batcher.wants();
          }
          assert.ok(rig.timers.armed <= 1, "one timer at most");
          assert.equal(rig.timers.armed, rig.batcher.empty ? 0 : 1, "armed exactly while a batch is open");
        }
        rig.batcher.closeAll();
        assert.equal(rig.timers.armed, 0);
        settle(Number.POSITIVE_INFINITY);
        assert.deepEqual(got, new Map([...got.keys()].map((topic) => [topic, taken.get(topic)])));
        assert.equal(got.size, taken.size);
        assert.equal(rig.batcher.stats().arenaBytesUsed, 0, "all memory came back");
      },
    ),
    { numRuns: 400 },
  );
});

test("Batcher takes everything in the end when the sink settles whatever was emitted", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 60_000 })), { minLength: 1, maxLength: 120 }),
      fc.boolean(),
      (records, hungry) => {
        const rig = new Rig(9 * 16 * 1024, { lanesMax: 40 });
        rig.sink.hungry = hungry;
        let out = 0;
        for (const [topic, size] of records) {
          // What the pipeline does: pause, and go on when something was settled or time passed.
          for (let tries = 0; !rig.append(`t${topic}`, null, "x".repeat(size)); tries++) {
            assert.ok(tries < 50, "a record that fits the arena is taken some time");
            out += rig.take().length;
            rig.timers.advance(10);
          }
        }
        rig.batcher.closeAll();
        out += rig.take().length;
        assert.equal(out, records.length);
      },
    ),
    { numRuns: 60 },
  );
});
