import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ledgerOf, sumRows, totalsOf, workerStatsOf } from "../../../src/observe/ledger.ts";
import { counter, type CounterName, counterNames, dropReasons } from "../../../src/observe/row.ts";

function rowOf(values: Partial<Record<CounterName, number>>): Float64Array {
  const row = new Float64Array(counterNames.length);
  for (const [name, value] of Object.entries(values)) row[counter[name as CounterName]] = value;
  return row;
}

const cases: { name: string; input: Partial<Record<CounterName, number>>; want: boolean }[] = [
  { name: "nothing happened", input: {}, want: true },
  { name: "all delivered", input: { received: 5, delivered: 5 }, want: true },
  { name: "copies count as received", input: { received: 5, fan_out: 2, delivered: 7 }, want: true },
  {
    name: "parts and what earlier sessions left came too",
    input: { received: 1, split: 2, replayed: 3, delivered: 4, spooled: 2 },
    want: true,
  },
  {
    name: "each state has one line",
    input: {
      received: 6,
      delivered: 1,
      spooled: 1,
      in_flight: 1,
      dead_lettered: 1,
      joined: 1,
      dropped_shutdown: 1,
    },
    want: true,
  },
  { name: "a line is lost", input: { received: 5, delivered: 4 }, want: false },
  { name: "a line is doubled", input: { received: 5, delivered: 6 }, want: false },
];

for (const { name, input, want } of cases) {
  test(`ledgerOf() says balanced=${want} when ${name}`, () =>
    assert.equal(ledgerOf(rowOf(input)).balanced, want));
}

test("ledgerOf() names every drop reason when nothing was dropped", () => {
  assert.deepEqual(Object.keys(ledgerOf(rowOf({})).dropped), [...dropReasons]);
});

test("sumRows() keeps the ledger balanced when each row is", () => {
  const balancedRow = fc.tuple(fc.nat(1e9), fc.nat(1e9), fc.nat(1e9), fc.nat(1e6)).map(([a, b, c, copies]) =>
    rowOf({ received: a + b + c - copies, fan_out: copies, delivered: a, in_flight: b, dropped_rule_stop: c })
  );
  fc.assert(
    fc.property(fc.array(balancedRow, { maxLength: 64 }), (rows) => ledgerOf(sumRows(rows)).balanced),
  );
});

test("totalsOf() and workerStatsOf() take each figure from its own counter when all differ", () => {
  const row = Float64Array.from(counterNames, (_, index) => index + 1);
  const { connections_refused_by: refusedBy, ...totals } = totalsOf(row);
  for (const [reason, value] of Object.entries(refusedBy)) {
    assert.equal(value, counter[`refused_${reason}` as CounterName] + 1, reason);
  }
  for (const [name, value] of Object.entries(totals)) {
    assert.equal(value, counter[name as CounterName] + 1, name);
  }
  const { worker, heartbeat_age_ms, ...counters } = workerStatsOf(7, row, 12.4);
  assert.equal(worker, 7);
  assert.equal(heartbeat_age_ms, 12);
  for (const [name, value] of Object.entries(counters)) {
    assert.equal(value, counter[name as CounterName] + 1, name);
  }
});
