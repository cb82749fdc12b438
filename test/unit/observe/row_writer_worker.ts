/**
 * Writes a counter row until told to stop, with as little between two turns as leaves a reader a chance: a chunk
 * of lines takes some hundred times longer. Every published row balances.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { counter, CounterRow } from "../../../src/observe/row.ts";

const { rows, stop } = workerData as { rows: SharedArrayBuffer; stop: SharedArrayBuffer };
const row = new CounterRow(rows, 1);
const stopped = new Int32Array(stop);
let turn = 0;
while (Atomics.load(stopped, 0) === 0) {
  for (let line = 0; line < 100; line++) {
    row.add(counter.received, 3);
    row.add(counter.delivered, 2);
    row.add(counter.dropped_shutdown, 1);
  }
  row.set(counter.heartbeat, ++turn);
  row.publish();
}
parentPort!.postMessage(turn);
