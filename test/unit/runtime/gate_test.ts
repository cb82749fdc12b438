import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFaultReporter } from "../../../src/runtime/fault.ts";
import { Gate } from "../../../src/runtime/gate.ts";
import type { Connection } from "../../../src/runtime/runtime.ts";

const connection: Connection = {
  peer: "test",
  unsentBytes: 0,
  pause() {},
  resume() {},
  write() {},
  end() {},
  destroy() {},
};

/** A gate over a socket that only records, with a handler that records; `onReceived` runs in `received`. */
function setUp(onReceived: (text: string, gate: Gate<object>) => void = () => {}) {
  const calls: string[] = [];
  const released: string[] = [];
  const gate: Gate<object> = new Gate<object>({
    opened: () => ({}),
    received(_state, chunk) {
      const text = new TextDecoder().decode(chunk);
      calls.push(`received ${text}`);
      onReceived(text, gate);
    },
    closed: (_state, error) => void calls.push(`closed ${error?.message ?? "cleanly"}`),
  }, {
    pause: () => void calls.push("pause"),
    resume: () => void calls.push("resume"),
    destroy: () => void calls.push("destroy"),
    release: (chunk) => void released.push(new TextDecoder().decode(chunk)),
  });
  assert.equal(gate.open(connection), true);
  return { gate, calls, released, take: (text: string) => gate.take(new TextEncoder().encode(text)) };
}

/** Lets queued microtasks run. */
const settled = (): Promise<void> => Promise.resolve();

describe("Gate", () => {
  it("take() holds what comes while paused, and resume() delivers it before it reads on", () => {
    const { gate, calls, take } = setUp();
    take("a");
    gate.pause();
    gate.pause();
    take("b");
    take("c");
    assert.deepEqual(calls, ["received a", "pause"]);
    gate.resume();
    gate.resume();
    assert.deepEqual(calls, ["received a", "pause", "received b", "received c", "resume"]);
  });

  it("resume() stops at the chunk in which the handler pauses again", () => {
    const { gate, calls, take } = setUp((text) => text === "b" && gate.pause());
    gate.pause();
    for (const text of ["a", "b", "c"]) take(text);
    gate.resume();
    assert.deepEqual(calls, ["pause", "received a", "received b", "pause"]);
    gate.resume();
    assert.deepEqual(calls.slice(4), ["received c", "resume"]);
  });

  it("finish() waits behind held chunks, and comes at once without any", async () => {
    const { gate, calls, take } = setUp();
    gate.pause();
    take("a");
    gate.finish(new Error("reset"));
    await settled();
    assert.deepEqual(calls, ["pause"]);
    gate.resume();
    await settled();
    assert.deepEqual(calls, ["pause", "received a", "closed reset"]);

    const bare = setUp();
    bare.gate.pause();
    bare.gate.finish(undefined);
    await settled();
    assert.deepEqual(bare.calls, ["pause", "closed cleanly"]);
  });

  it("destroy() drops held chunks and closes once, whether the socket is open or not", async () => {
    const open = setUp();
    open.gate.pause();
    open.take("a");
    open.gate.destroy();
    open.gate.destroy();
    open.gate.finish(undefined);
    open.gate.finish(undefined);
    await settled();
    assert.deepEqual(open.calls, ["pause", "destroy", "closed cleanly"]);

    const gone = setUp();
    gone.gate.pause();
    gone.take("a");
    gone.gate.finish(new Error("reset"));
    gone.gate.destroy();
    gone.gate.resume();
    await settled();
    assert.deepEqual(gone.calls, ["pause", "closed reset"], "there is no socket to destroy or to read");
  });

  it("take() delivers nothing after destroy(), and closed() comes after received() returned", async () => {
    const { gate, calls, take } = setUp(() => {
      gate.destroy();
      gate.finish(undefined);
      calls.push("returned");
    });
    take("a");
    take("b");
    await settled();
    assert.deepEqual(calls, ["received a", "destroy", "returned", "closed cleanly"]);
  });

  it("take() releases a chunk at once where who paused in it is done with it, unless somebody else is not", () => {
    const { gate, released, take } = setUp((text) => {
      if (text.includes("kept")) gate.pause();
      if (text.includes("done")) gate.pause(true);
      if (text.includes("last")) gate.pause();
    });
    take("done");
    assert.deepEqual([released, gate.paused], [["done"], true]);
    gate.resume();
    for (const text of ["kept done", "done last"]) {
      take(text);
      assert.equal(released.at(-1) === text, false, "it is the handler's still");
      gate.resume();
      assert.equal(released.at(-1), text);
    }
    gate.pause(true);
    gate.resume();
    assert.deepEqual(released, ["done", "kept done", "done last"]);
  });

  it("take() releases a chunk when the handler is done with it: after received(), or with resume() if it paused", () => {
    const { gate, released, take } = setUp((text) => text.startsWith("paused") && gate.pause());
    take("a");
    assert.deepEqual(released, ["a"]);
    take("paused b");
    take("c");
    take("paused d");
    assert.deepEqual(released, ["a"], "b is the handler's still, the others were not delivered");
    gate.resume();
    assert.deepEqual(released, ["a", "c", "paused b"], "d is lent now");
    gate.destroy();
    gate.finish(undefined);
    assert.equal(released.length, 3);
    gate.resume();
    gate.resume();
    assert.deepEqual(released.slice(3), ["paused d"], "who waited for room is done after the end too, once");
  });

  it("take() ends the connection with what the handler threw", async () => {
    const faults: unknown[] = [];
    setFaultReporter((where) => faults.push(where));
    const { gate, calls, take } = setUp(() => {
      throw new Error("broken");
    });
    take("a");
    gate.finish(undefined);
    await settled();
    assert.deepEqual(calls, ["received a", "destroy", "closed broken"]);
    assert.deepEqual(faults, ["connection.received"]);
    setFaultReporter(undefined);
  });
});
