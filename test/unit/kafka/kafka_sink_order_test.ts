/**
 * Order, exactly one settlement and no duplicates, through random patterns of everything that goes wrong. The fake
 * brokers check sequences as Kafka does, and that no byte of a request changes while it is out.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BenchSink } from "./bench_sink.ts";
import type { Fault } from "./fake_cluster.ts";
import { partitionOfKey } from "../../../src/kafka/partitioner.ts";

/** One thing that goes wrong with one request. */
type FaultKind =
  | { kind: "none" }
  | { kind: "refuse"; code: number; appends: boolean; odd: boolean }
  | { kind: "cut"; when: "before" | "after" }
  | { kind: "slow"; delayMs: number }
  | { kind: "garbage" }
  | { kind: "throttle"; throttleMs: number };

/** One thing that happens between two batches. */
type Event =
  | { kind: "send"; topic: number; records: number; partition: number }
  | { kind: "wait"; ms: number }
  | { kind: "down"; broker: number }
  | { kind: "up"; broker: number }
  | { kind: "move"; topic: number; partition: number; broker: number }
  | { kind: "grow"; topic: number };

const refusedBefore = [3, 5, 6, 7, 13, 19, 56, 74, 89].map((code) => ({ code, appends: false }));
const refusedAfter = [7, 20, 46].map((code) => ({ code, appends: true }));

const faultOf: fc.Arbitrary<FaultKind> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<FaultKind>({ kind: "none" }) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...refusedBefore, ...refusedAfter), fc.boolean()).map((
      [refusal, odd],
    ) => ({
      kind: "refuse" as const,
      ...refusal,
      odd,
    })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("before" as const, "after" as const).map((when) => ({
      kind: "cut" as const,
      when,
    })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(50, 3000, 30_000).map((delayMs) => ({ kind: "slow" as const, delayMs })),
  },
  { weight: 1, arbitrary: fc.constant<FaultKind>({ kind: "garbage" }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1, 500).map((throttleMs) => ({ kind: "throttle" as const, throttleMs })),
  },
);

const topicOf = fc.integer({ min: 0, max: 1 });
const brokerOf = fc.integer({ min: 1, max: 3 });
const eventOf: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      topic: topicOf,
      records: fc.integer({ min: 1, max: 4 }),
      partition: fc.constantFrom(-1, -1, -1, 0, 1),
    }),
  },
  { weight: 3, arbitrary: fc.constantFrom(0, 1, 5, 100, 2500).map((ms) => ({ kind: "wait" as const, ms })) },
  { weight: 1, arbitrary: brokerOf.map((broker) => ({ kind: "down" as const, broker })) },
  { weight: 1, arbitrary: brokerOf.map((broker) => ({ kind: "up" as const, broker })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("move" as const),
      topic: topicOf,
      partition: fc.integer({ min: 0, max: 2 }),
      broker: brokerOf,
    }),
  },
  { weight: 1, arbitrary: topicOf.map((topic) => ({ kind: "grow" as const, topic })) },
);

const scenario = fc.record({
  seed: fc.nat(),
  faults: fc.array(faultOf, { maxLength: 40 }),
  events: fc.array(eventOf, { minLength: 1, maxLength: 60 }),
});

function toFault(kind: FaultKind): Fault {
  switch (kind.kind) {
    case "none":
      return {};
    case "refuse":
      return {
        refuse: ({ partition }) => kind.odd && partition % 2 === 1 ? undefined : kind.code,
        appends: kind.appends,
      };
    case "cut":
      return { cut: kind.when };
    case "slow":
      return { delayMs: kind.delayMs };
    case "garbage":
      return { garbage: Buffer.from([0, 0, 0, 1, 0]) };
    case "throttle":
      return { throttleMs: kind.throttleMs };
  }
}

/** Plays the events, then heals everything and waits until all batches are settled. */
async function play(
  bench: BenchSink,
  events: readonly Event[],
  faults: Fault[],
  fallback: (request: Parameters<BenchSink["cluster"]["fault"]>[0]) => Fault = () => ({}),
): Promise<void> {
  const { cluster, clock } = bench;
  cluster.create("t0", 3);
  cluster.create("t1", 2);
  cluster.fault = (request) => faults.shift() ?? fallback(request);
  bench.sink.start();
  let next = 0;
  for (const event of events) {
    if (event.kind === "send") {
      const values = Array.from({ length: event.records }, () => String(next++));
      bench.send(`t${event.topic}`, values, event.partition);
    } else if (event.kind === "wait") await clock.advance(event.ms);
    else if (event.kind === "down") cluster.down(event.broker);
    else if (event.kind === "up") cluster.up(event.broker);
    else if (event.kind === "grow") {
      cluster.create(`t${event.topic}`, 4);
      await clock.advance(1);
    } else {
      const partition = cluster.topics.get(`t${event.topic}`)![event.partition];
      if (partition !== undefined) partition.leader = event.broker;
    }
  }
  for (const broker of cluster.brokers.keys()) cluster.up(broker);
  await bench.settled(900_000);
  await bench.sink.close();
}

/**
 * Every record of `expected` once; in each partition those that were sent to it in the order in which they were
 * given, and so those that were sent to any.
 */
function checkLogs(bench: BenchSink, expected: readonly string[]): void {
  const addressed = new Set<number>();
  let next = 0;
  for (const batch of bench.sent) {
    for (let index = 0; index < batch.count; index++, next++) {
      if (bench.addressed.has(batch)) addressed.add(next);
    }
  }
  const logged: string[] = [];
  for (const [topic, partitions] of bench.cluster.topics) {
    partitions.forEach(({ log }, id) => {
      const numbers = log.map(Number);
      for (
        const part of [
          numbers.filter((n) => addressed.has(n)),
          numbers.filter((n) => !addressed.has(n)),
        ]
      ) {
        assert.deepEqual(part, [...part].sort((a, b) => a - b), `order in ${topic}-${id}`);
      }
      logged.push(...log);
    });
  }
  assert.deepEqual(logged.sort(), [...expected].sort(), "every record is in the log once");
}

function partitionOf(key: string, partitions: number): number {
  const bytes = Buffer.from(key);
  return partitionOfKey(bytes, 0, bytes.length, partitions);
}

/** Hundreds of scenarios, on a machine that may be busy. */
const slow = { timeout: 60_000 };

describe("KafkaSink", () => {
  it("keeps order and loses and doubles nothing when requests fail in any pattern", slow, async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ seed, faults, events }) => {
        const bench = new BenchSink({ brokers: 3, seed });
        await play(bench, events, faults.map(toFault));
        for (const batch of bench.sent) assert.equal(bench.outcomeOf(batch), "delivered");
        const records = bench.sent.reduce((sum, batch) => sum + batch.count, 0);
        checkLogs(bench, Array.from({ length: records }, (_, id) => String(id)));
        assert.equal(bench.sink.status().batchesInFlight, 0);
        assert.equal(bench.sink.status().bytesInFlight, 0);
      }),
      { numRuns: 100, seed: 20260101 },
    );
  });

  it(
    "rejects only the records that brokers refuse, and keeps the order of the others, when they name some or none",
    slow,
    async () => {
      await fc.assert(
        fc.asyncProperty(
          scenario,
          fc.constantFrom(10, 18, 32, 87),
          fc.boolean(),
          fc.constantFrom(0, 0.5, 1),
          async ({ seed, faults, events }, code, names, memoryScarcity) => {
            const bench = new BenchSink({ brokers: 3, seed });
            bench.memoryScarcity = memoryScarcity;
            const isBad = (value: string) => Number(value) % 7 === 3;
            const refuse: Fault["refuse"] = ({ batch }) => batch.values.some(isBad) ? code : undefined;
            const badRecords: Fault["badRecords"] = ({ batch }) =>
              names ? batch.values.flatMap((value, index) => isBad(value) ? [index] : []) : [];
            // Faults that append would append what the broker refuses.
            const usable = faults.filter((fault) => fault.kind !== "refuse" || !fault.appends).map(toFault);
            const mixed = usable.map((fault): Fault => ({
              ...fault,
              refuse: (part) => refuse(part) ?? fault.refuse?.(part),
              badRecords,
            }));
            await play(bench, events, mixed, () => ({ refuse, badRecords }));
            const expected: string[] = [];
            const refused: string[] = bench.refused.map(({ value }) => value);
            let next = 0;
            for (const batch of bench.sent) {
              const values = Array.from({ length: batch.count }, () => String(next++));
              expected.push(...values.filter((value) => !isBad(value)));
              const outcome = bench.outcomes.get(batch)!;
              const bad = values.filter(isBad);
              if (outcome.kind === "rejected") refused.push(...values);
              else assert.equal(outcome.refused ?? 0, bad.length);
            }
            checkLogs(bench, expected);
            const all = Array.from({ length: next }, (_, id) => String(id));
            assert.deepEqual(refused.sort(), all.filter(isBad).sort(), "every bad record is refused once");
            assert.equal(bench.slotsFree, bench.slotsTotal, "all memory came back");
          },
        ),
        { numRuns: 100, seed: 20260102 },
      );
    },
  );

  it(
    "divides what is too large, refuses single records only, and keeps order, whatever the limit and the codec",
    slow,
    async () => {
      const sendOf = fc.record({
        sizes: fc.array(fc.constantFrom(1, 10, 60, 150), { minLength: 1, maxLength: 8 }),
        partition: fc.constantFrom(-1, 0, 1),
        codec: fc.constantFrom(undefined, undefined, "gzip" as const, "zstd" as const),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.nat(),
          fc.array(sendOf, { minLength: 1, maxLength: 20 }),
          fc.array(faultOf, { maxLength: 20 }),
          fc.constantFrom(80, 120, 180, 300, 500),
          fc.constantFrom(0, 0.5, 1),
          fc.boolean(),
          async (seed, sends, faults, limit, memoryScarcity, isKnown) => {
            const bench = new BenchSink({ brokers: 2, seed });
            bench.memoryScarcity = memoryScarcity;
            const partitions = bench.cluster.create("t0", 2);
            bench.cluster.limits.set("t0", limit);
            bench.cluster.describesLimits = isKnown;
            const usable = faults.filter((fault) => fault.kind !== "refuse" || !fault.appends).map(toFault);
            bench.cluster.fault = () => usable.shift() ?? {};
            bench.sink.start();
            const values = new Map<string, { partition: number; order: number }>();
            let order = 0;
            for (const { sizes, partition, codec } of sends) {
              const own = sizes.map((size) => `${order++} `.padEnd(size, "x"));
              for (const value of own) values.set(value, { partition, order: values.size });
              bench.send("t0", own, partition, codec === undefined ? {} : { codec });
              if (order % 5 === 0) await bench.clock.advance(order % 3);
            }
            await bench.settled(900_000);
            await bench.sink.close();
            const logged: string[] = [];
            for (const [id, { log }] of partitions.entries()) {
              // What named its partition, and what did not, is in order each for itself.
              for (const named of [true, false]) {
                const own = log.filter((value) => values.get(value)!.partition >= 0 === named);
                const places = own.map((value) => values.get(value)!.order);
                assert.deepEqual(places, [...places].sort((a, b) => a - b), `order in ${id}`);
              }
              logged.push(...log);
            }
            const refused = [...bench.refused];
            for (const batch of bench.sent) {
              const outcome = bench.outcomes.get(batch)!;
              if (outcome.kind === "delivered") continue;
              assert.equal(batch.count, 1);
              refused.push({
                ...outcome,
                value: [...values.keys()].find((value) => !logged.includes(value))!,
              });
            }
            for (const { reason } of refused) assert.equal(reason, "record_too_large");
            assert.equal(logged.length + refused.length, values.size, "every record has one end");
            assert.equal(new Set(logged).size, logged.length);
            const isPacked = sends.some(({ codec }) => codec !== undefined);
            if (!isPacked) { for (const value of logged) assert.ok(value.length < limit); }
            for (const { value } of bench.refused) assert.ok(!logged.includes(value));
            assert.equal(bench.slotsFree, bench.slotsTotal, "all memory came back");
          },
        ),
        { numRuns: 150, seed: 20260104 },
      );
    },
  );

  it("restore() makes unsettled batches lie as they were given when the end comes amid divisions", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.constantFrom(undefined, "gzip" as const, "zstd" as const), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.constantFrom(120, 180, 300),
        fc.constantFrom(0.5, 1),
        fc.nat({ max: 200 }),
        async (seed, codecs, limit, memoryScarcity, msToTheEnd) => {
          const bench = new BenchSink({ seed });
          bench.memoryScarcity = memoryScarcity;
          bench.cluster.create("t0", 2);
          bench.cluster.limits.set("t0", limit);
          bench.cluster.ackMs = 20;
          bench.sink.start();
          const given = codecs.map((codec, number) => {
            const values = Array.from({ length: 8 }, (_, index) => `${number}/${index} `.padEnd(60, "x"));
            return { values, batch: bench.send("t0", values, 0, codec === undefined ? {} : { codec }) };
          });
          await bench.clock.advance(msToTheEnd);
          await bench.sink.close();
          bench.sink.restore();
          for (const { values, batch } of given) {
            if (!bench.outcomes.has(batch)) assert.deepEqual(bench.valuesOf(batch), values);
          }
        },
      ),
      { numRuns: 100, seed: 20260105 },
    );
  });

  it(
    "sends records where their key says, in the order of each key, when partitions become known late",
    slow,
    async () => {
      const stepOf = fc.oneof(
        { weight: 6, arbitrary: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 }) },
        { weight: 1, arbitrary: fc.constantFrom(1, 20, 200) },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.nat(),
          fc.array(stepOf, { minLength: 1, maxLength: 30 }),
          fc.array(faultOf, { maxLength: 20 }),
          fc.integer({ min: 1, max: 7 }),
          fc.nat(500),
          fc.constantFrom(0, 0.5, 1),
          async (seed, steps, faults, count, knownAtMs, memoryScarcity) => {
            const bench = new BenchSink({ brokers: 3, seed });
            bench.memoryScarcity = memoryScarcity;
            bench.cluster.fault = () => toFault(faults.shift() ?? { kind: "none" });
            bench.sink.start();
            bench.clock.after(knownAtMs, () => void bench.cluster.create("keyed", count));
            let next = 0;
            const keyOf = (value: string) => `key-${value.split("/")[0]}`;
            for (const step of steps) {
              if (typeof step === "number") {
                await bench.clock.advance(step);
                continue;
              }
              const values = step.map((key) => `${key}/${next++}`);
              const known = bench.sink.partitionsOf("keyed");
              if (known === 0) bench.send("keyed", values, -2, { keyOf });
              else {
                assert.equal(known, count);
                for (const value of values) {
                  bench.send("keyed", [value], partitionOf(keyOf(value), count), { keyOf });
                }
              }
            }
            await bench.settled(900_000);
            await bench.sink.close();
            const logs = bench.cluster.topics.get("keyed")!.map(({ log }) => log);
            assert.equal(logs.flat().length, next);
            for (const [id, log] of logs.entries()) {
              const lastOf = new Map<string, number>();
              for (const value of log) {
                assert.equal(partitionOf(keyOf(value), count), id);
                const order = Number(value.split("/")[1]);
                assert.ok(order > (lastOf.get(keyOf(value)) ?? -1), "order of a key");
                lastOf.set(keyOf(value), order);
              }
            }
            assert.equal(bench.slotsFree, bench.slotsTotal, "all memory came back");
          },
        ),
        { numRuns: 100, seed: 20260105 },
      );
    },
  );

  it("keeps order and doubles nothing when brokers forget or refuse the producer", slow, async () => {
    await fc.assert(
      fc.asyncProperty(
        scenario,
        fc.array(fc.constantFrom(0, 0, 45, 59, 47, 90, 49), { maxLength: 30 }),
        async ({ seed, events }, codes) => {
          const bench = new BenchSink({ brokers: 3, seed });
          const faults = codes.map((code): Fault => code === 0 ? {} : { refuse: () => code });
          await play(bench, events, faults);
          for (const batch of bench.sent) assert.equal(bench.outcomeOf(batch), "delivered");
          const records = bench.sent.reduce((sum, batch) => sum + batch.count, 0);
          checkLogs(bench, Array.from({ length: records }, (_, id) => String(id)));
        },
      ),
      { numRuns: 60, seed: 20260103 },
    );
  });
});
