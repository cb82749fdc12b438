import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createHistogramRows, HistogramRow, HistogramSnapshot } from "../../../src/observe/histogram.ts";
import { LatencyReader } from "../../../src/observe/latency.ts";

const errorMax = 0.03;

function near(got: number, want: number, what: string) {
  assert.ok(Math.abs(got - want) <= want * errorMax, `${what}: got ${got}, want ${want} within 3 %`);
}

test("HistogramSnapshot.quantile() is within 3 % when values lie between 1 µs and 1 h", () => {
  const value = fc.double({ min: 0, max: 1, noNaN: true }).map((share) => 0.001 * 3_600_000_000 ** share);
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0.5, 0.9, 0.99, 0.999),
      (values, q) => {
        const rows = createHistogramRows(1);
        const row = new HistogramRow(rows, 0);
        for (const one of values) row.record(one, 1);
        const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(values.length * q)) - 1];
        near(HistogramSnapshot.of(rows).quantile(q), exact, `p${q * 100} of ${values}`);
      },
    ),
  );
});

const edges = [
  { name: "zero counts as 1 µs", input: 0, want: 0.001 },
  { name: "negative counts as 1 µs", input: -5, want: 0.001 },
  { name: "NaN counts as 1 µs", input: NaN, want: 0.001 },
  { name: "1 µs", input: 0.001, want: 0.001 },
  { name: "just below 2 µs", input: 0.0019999, want: 0.002 },
  { name: "2 µs", input: 0.002, want: 0.002 },
  { name: "1 h", input: 3_600_000, want: 3_600_000 },
];
for (const { name, input, want } of edges) {
  test(`HistogramRow.record() finds the bucket when the value is at an edge: ${name}`, () => {
    const rows = createHistogramRows(1);
    const row = new HistogramRow(rows, 0);
    row.record(input, 3);
    // A greater one, so that the greatest value does not hide the bucket's.
    row.record(3_600_000, 1);
    near(HistogramSnapshot.of(rows).quantile(0.5), want, name);
    assert.equal(HistogramSnapshot.of(rows).count, 4);
  });
}

test("HistogramRow.record() counts as 1 h when the value is beyond", () => {
  const rows = createHistogramRows(1);
  new HistogramRow(rows, 0).record(1e12, 1);
  const snapshot = HistogramSnapshot.of(rows);
  assert.equal(snapshot.count, 1);
  near(snapshot.quantile(0.5), 3_600_000, "bound");
  assert.equal(snapshot.maxMs, 1e12);
});

test("HistogramSnapshot.of() adds up rows when there are several workers", () => {
  const rows = createHistogramRows(3);
  new HistogramRow(rows, 0).record(1, 98);
  new HistogramRow(rows, 1).record(50, 1);
  new HistogramRow(rows, 2).record(1000, 1);
  const snapshot = HistogramSnapshot.of(rows);
  assert.equal(snapshot.count, 100);
  near(snapshot.sumMs, 98 + 50 + 1000, "sum");
  const { p50, p99, p999, max } = snapshot.percentiles();
  near(p50, 1, "p50");
  near(p99, 50, "p99");
  near(p999, 1000, "p999");
  assert.equal(max, 1000);
});

test("HistogramSnapshot.percentiles() are zero when nothing was recorded", () => {
  assert.deepEqual(HistogramSnapshot.of(createHistogramRows(2)).percentiles(), {
    count: 0,
    p50: 0,
    p99: 0,
    p999: 0,
    max: 0,
  });
});

test("HistogramSnapshot.since() forgets the past when there was worse before", () => {
  const rows = createHistogramRows(1);
  const row = new HistogramRow(rows, 0);
  row.record(60_000, 1000);
  const before = HistogramSnapshot.of(rows);
  row.record(2, 10);
  const recent = HistogramSnapshot.of(rows).since(before);
  assert.equal(recent.count, 10);
  near(recent.quantile(0.999), 2, "p999");
  near(recent.maxMs, 2, "max");
  near(recent.sumMs, 20, "sum");
  assert.equal(before.since(before).percentiles().max, 0);
});

test("HistogramSnapshot.cumulative() never falls and ends below the count when bounds rise", () => {
  const rows = createHistogramRows(1);
  const row = new HistogramRow(rows, 0);
  for (const value of [0.5, 5, 50, 500]) row.record(value, 2);
  assert.deepEqual(HistogramSnapshot.of(rows).cumulative([0.1, 1, 10, 100, 400]), [0, 2, 4, 6, 6]);
});

test("LatencyReader.read() shows the last ten seconds as recent when older values were slower", () => {
  const rows = createHistogramRows(1);
  const row = new HistogramRow(rows, 0);
  const reader = new LatencyReader(rows, 0);
  row.record(900, 100);
  near(reader.read(1000).recent!.p50, 900, "first second");
  for (let nowMs = 2000; nowMs <= 11_000; nowMs += 1000) {
    row.record(3, 1);
    reader.read(nowMs);
  }
  const latency = reader.read(12_000);
  near(latency.recent!.p999, 3, "recent p999");
  assert.equal(latency.recent!.count, 9);
  near(latency.all.p50, 900, "lifetime p50");
  assert.equal(latency.buckets.count, 110);
  assert.equal(latency.buckets!.cumulative.length, latency.buckets!.upper_bounds_ms.length);
});

test("LatencyReader.note() keeps what is recent for whoever asks later when nobody has asked before", () => {
  const rows = createHistogramRows(2);
  const row = new HistogramRow(rows, 1);
  const reader = new LatencyReader(rows, 0);
  row.record(900, 100);
  for (let nowMs = 1000; nowMs <= 20_000; nowMs += 1000) {
    if (nowMs === 15_000) row.record(3, 7);
    reader.note(nowMs);
  }
  const { all, recent } = reader.read(20_500);
  assert.equal(all.count, 107);
  assert.equal(recent.count, 7);
  near(recent.p999, 3, "recent p999");
  for (let nowMs = 21_000; nowMs <= 40_000; nowMs += 1000) reader.note(nowMs);
  assert.equal(reader.read(40_000).recent.count, 0);
});
