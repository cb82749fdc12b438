import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serveDenoStream } from "../../../src/runtime/deno_stream.ts";
import { setFaultReporter } from "../../../src/runtime/fault.ts";
import type { DenoConn, DenoListener } from "../../../src/runtime/globals.ts";
import { recorder, until } from "./support.ts";

/** A listener whose accepts give what the test says, then wait until it is closed. */
function fakeListener(accepts: (() => DenoConn)[]): DenoListener & { calls: number } {
  let rejectWaiting: (error: Error) => void = () => {};
  return {
    calls: 0,
    addr: { transport: "tcp", hostname: "127.0.0.1", port: 1 },
    accept() {
      this.calls += 1;
      const next = accepts.shift();
      if (next !== undefined) return Promise.resolve().then(next);
      return new Promise((_resolve, reject) => rejectWaiting = reject);
    },
    close: () => rejectWaiting(new Error("closed")),
  };
}

/** A connection that has `chunks` to read, then ends. */
function fakeConn(chunks: string[]): DenoConn {
  return {
    remoteAddr: { transport: "tcp", hostname: "10.0.0.1", port: 2 },
    read(into) {
      const text = chunks.shift();
      return Promise.resolve(text === undefined ? null : new TextEncoder().encodeInto(text, into).written);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    closeWrite: () => Promise.resolve(),
    close() {},
  };
}

describe("serveDenoStream()", () => {
  it("reports a failed accept, waits, and goes on when the process is out of descriptors", async () => {
    const faults: string[] = [];
    setFaultReporter((where) => faults.push(where));
    const full = (): never => {
      throw Object.assign(new Error("Too many open files"), { code: "EMFILE" });
    };
    const fake = fakeListener([full, full, () => fakeConn(["hello"])]);
    const handler = recorder();
    const startMs = performance.now();
    const listener = serveDenoStream(fake, handler);
    await until("the connection", () => handler.records[0]?.closed === 1);
    assert.ok(performance.now() - startMs > 150, "two waits, no spinning");
    assert.equal(handler.records[0].text, "hello");
    assert.equal(handler.records[0].connection.peer, "10.0.0.1:2");
    assert.deepEqual(faults, ["listener.accept", "listener.accept"]);
    await listener.close();
    assert.equal(fake.calls, 4);
    assert.deepEqual(faults.length, 2, "the end of the listener is no fault");
    setFaultReporter(undefined);
  });

  it("goes on at once, without a fault, when connections were reset before they were accepted", async () => {
    const faults: string[] = [];
    setFaultReporter((where) => faults.push(where));
    const gone = (code: string) => (): never => {
      throw Object.assign(new Error("Transport endpoint is not connected"), { code });
    };
    const resets = Array.from({ length: 200 }, (_, i) => gone(i % 2 === 0 ? "ENOTCONN" : "ECONNABORTED"));
    const fake = fakeListener([...resets, () => fakeConn(["hello"])]);
    const handler = recorder();
    const startMs = performance.now();
    const listener = serveDenoStream(fake, handler);
    await until(
      "all are closed",
      () => handler.records.filter((record) => record.closed === 1).length === 201,
    );
    assert.ok(performance.now() - startMs < 10_000, "200 waits would be 20 s");
    const { connection, error } = handler.records[0];
    assert.equal(connection.peer, "unknown");
    assert.equal((error as { code?: string }).code, "ENOTCONN");
    assert.equal(handler.records[200].text, "hello");
    assert.deepEqual(faults, []);
    await listener.close();
    setFaultReporter(undefined);
  });

  it("keeps the chunk as it is while paused, and reads into it only after resume()", async () => {
    const handler = recorder((record) => {
      if (record.chunks === 1) record.connection.pause();
    });
    let held: Uint8Array | undefined;
    const original = handler.received.bind(handler);
    handler.received = (record, chunk) => {
      held ??= chunk;
      original(record, chunk);
    };
    const listener = serveDenoStream(fakeListener([() => fakeConn(["first", "second"])]), handler);
    await until("the first chunk", () => handler.records[0]?.chunks === 1);
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(new TextDecoder().decode(held), "first");
    handler.records[0].connection.resume();
    await until("the end", () => handler.records[0].closed === 1);
    assert.equal(handler.records[0].text, "firstsecond");
    await listener.close();
  });
});
