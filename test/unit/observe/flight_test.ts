import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createFlight,
  eventsMax,
  flightKind,
  FlightRecorder,
  flightTrace,
} from "../../../src/observe/flight.ts";

const origin = 1_000_000;

function recorder(threads = 1) {
  const shared = createFlight(threads);
  return { shared, recorder: new FlightRecorder(shared, threads - 1, origin) };
}

describe("flightTrace()", () => {
  it("gives what threads did, with names, times and arguments, as a Chrome trace", () => {
    const { shared, recorder: worker } = recorder(2);
    worker.record(flightKind.chunk, 10, 2.5, 17, 4096);
    worker.record(flightKind["connection closed"], 13, 0, 17, 0);
    const { traceEvents } = flightTrace(shared, ["main", "worker 0"], 99);
    assert.deepEqual(traceEvents, [
      { name: "thread_name", ph: "M", ts: 0, pid: 99, tid: 0, args: { name: "main" } },
      { name: "thread_name", ph: "M", ts: 0, pid: 99, tid: 1, args: { name: "worker 0" } },
      {
        name: "chunk",
        ph: "X",
        ts: 1_000_010_000,
        dur: 2500,
        pid: 99,
        tid: 1,
        args: { connection: 17, bytes: 4096 },
      },
      {
        name: "connection closed",
        ph: "i",
        ts: 1_000_013_000,
        pid: 99,
        tid: 1,
        s: "t",
        args: { connection: 17 },
      },
    ]);
  });

  it("gives the last events in order when the ring went round", () => {
    const { shared, recorder: worker } = recorder();
    for (let n = 0; n < eventsMax + 100; n++) worker.record(flightKind.chunk, n, 1, n, 0);
    const events = flightTrace(shared, ["worker 0"], 1).traceEvents.slice(1);
    assert.equal(events.length, eventsMax);
    assert.equal(events[0]!.args.connection, 100);
    assert.equal(events.at(-1)!.args.connection, eventsMax + 99);
  });

  it("leaves out what is older than wanted", () => {
    const { shared, recorder: worker } = recorder();
    for (let n = 0; n < 10; n++) worker.record(flightKind.chunk, n * 1000, 1, n, 0);
    const events = flightTrace(shared, ["worker 0"], 1, origin + 7000).traceEvents.slice(1);
    assert.deepEqual(events.map(({ args }) => args.connection), [7, 8, 9]);
  });
});
