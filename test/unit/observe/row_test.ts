import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { ledgerOf } from "../../../src/observe/ledger.ts";
import {
  counter,
  counterNames,
  CounterRow,
  CounterRowReader,
  createCounterRows,
  dropReasons,
  firstDropped,
} from "../../../src/observe/row.ts";

test("counter names each place once when reasons are appended", () => {
  assert.equal(new Set(counterNames).size, counterNames.length);
  dropReasons.forEach((reason, index) => assert.equal(counter[`dropped_${reason}`], firstDropped + index));
});

test("CounterRow.add() stays private until publish() when a reader looks", () => {
  const rows = createCounterRows(2);
  const row = new CounterRow(rows, 1);
  const reader = new CounterRowReader(rows, 1);
  row.add(counter.received, 5);
  row.add(counter.received, 2);
  row.set(counter.rules_version, 9);
  assert.equal(reader.read()[counter.received], 0);
  row.publish();
  assert.equal(reader.read()[counter.received], 7);
  assert.equal(reader.values[counter.rules_version], 9);
  assert.equal(row.value(counter.received), 7);
  assert.equal(new CounterRowReader(rows, 0).read().every((value) => value === 0), true);
});

test("CounterRow counts on when its worker takes the place of a dead one", () => {
  const rows = createCounterRows(1);
  const dead = new CounterRow(rows, 0);
  dead.add(counter.received, 41);
  dead.publish();
  // It died inside publish().
  new Int32Array(rows)[0]++;
  const reader = new CounterRowReader(rows, 0);
  reader.read();
  assert.equal(reader.staleReads, 1);

  const heir = new CounterRow(rows, 0);
  heir.add(counter.received, 1);
  heir.publish();
  assert.equal(reader.read()[counter.received], 42);
});

test("CounterRowReader.read() keeps the former snapshot when a writer died inside", () => {
  const rows = createCounterRows(1);
  const row = new CounterRow(rows, 0);
  const reader = new CounterRowReader(rows, 0);
  row.add(counter.received, 10);
  row.publish();
  reader.read();
  new Int32Array(rows)[0]++;
  new Float64Array(rows, 64)[counter.received] = 99;
  assert.equal(reader.read()[counter.received], 10);
  assert.equal(reader.staleReads, 1);
});

test("CounterRow.publish() passes the end of the sequence's range when it wraps", () => {
  const rows = createCounterRows(1);
  new Int32Array(rows)[0] = 0x7ffffffe;
  const row = new CounterRow(rows, 0);
  const reader = new CounterRowReader(rows, 0);
  for (let turn = 1; turn <= 3; turn++) {
    row.add(counter.received, 1);
    row.publish();
    assert.equal(reader.read()[counter.received], turn);
  }
  assert.equal(reader.staleReads, 0);
});

test("CounterRowReader.read() sees only balanced rows when a worker publishes all the time", {
  timeout: 30_000,
}, async () => {
  const rows = createCounterRows(2);
  const stop = new SharedArrayBuffer(4);
  const worker = new Worker(new URL("./row_writer_worker.ts", import.meta.url), {
    workerData: { rows, stop },
  });
  const turns = new Promise<number>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  const reader = new CounterRowReader(rows, 1);
  // Without the lock one in a few dozen is torn.
  const snapshotsMin = 1000;
  let changes = 0;
  let former = 0;
  const deadline = performance.now() + 20_000;
  while (changes < snapshotsMin && performance.now() < deadline) {
    const row = reader.read();
    assert.equal(ledgerOf(row).balanced, true);
    assert.equal(row[counter.heartbeat] * 300, row[counter.received]);
    if (row[counter.heartbeat] !== former) changes++;
    former = row[counter.heartbeat];
    // The worker is started by this thread's loop on some runtimes.
    if (former === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  Atomics.store(new Int32Array(stop), 0, 1);
  const total = await turns;
  await worker.terminate();
  assert.ok(changes >= snapshotsMin, `only ${changes} snapshots differed`);
  assert.equal(reader.read()[counter.heartbeat], total);
});
