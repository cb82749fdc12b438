import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Connections, connectionsMaxFor, openFilesMax, type Tracked } from "../../../src/io/connections.ts";
import type { Connection, ConnectionHandler } from "../../../src/runtime/runtime.ts";

/** A connection of a listener that does not exist; `destroy` calls `closed` a turn later, as the real ones do. */
class FakeConnection implements Connection {
  readonly peer: string;
  readonly calls: string[] = [];
  destroyed = false;

  constructor(peer: string) {
    this.peer = peer;
  }
  pause(): void {
    this.calls.push("pause");
  }
  unsentBytes = 0;
  write(): void {}
  end(): void {}

  resume(): void {
    this.calls.push("resume");
  }
  destroy(): void {
    this.destroyed = true;
  }
}

interface Seen {
  readonly tracked: Tracked<Seen>;
  bytes: number;
  closed: number;
}

/** Books with a clock that stands still, a handler that records, and `open` to make connections. */
function setUp(options: { max: number; idleMs: number }) {
  const clock = { nowMs: 1000 };
  const books = new Connections({ ...options, nowMs: () => clock.nowMs });
  const seen: Seen[] = [];
  const wrapped: ConnectionHandler<Tracked<Seen>> = books.wrap<Seen>("syslog tcp", {
    opened(tracked) {
      const state = { tracked, bytes: 0, closed: 0 };
      seen.push(state);
      return tracked.peer === "refuse me" ? undefined : state;
    },
    received: (state, chunk) => void (state.bytes += chunk.length),
    closed: (state) => void (state.closed += 1),
  });
  const open = (peer: string) => {
    const connection = new FakeConnection(peer);
    const state = wrapped.opened(connection);
    const close = (): void => wrapped.closed(state!);
    return {
      connection,
      state,
      close,
      receive: (bytes: number) => wrapped.received(state!, new Uint8Array(bytes)),
    };
  };
  return { clock, books, seen, open };
}

describe("Connections", () => {
  it("wrap() refuses above the limit, counts it, and takes the next when one has closed", () => {
    const { books, open } = setUp({ max: 2, idleMs: 0 });
    const first = open("a");
    open("b");
    assert.equal(open("c").state, undefined);
    assert.deepEqual(books.counts(), { open: 2, accepted: 2, refused: 1, idled: 0 });
    first.close();
    assert.notEqual(open("d").state, undefined);
    assert.deepEqual(books.counts(), { open: 2, accepted: 3, refused: 1, idled: 0 });
  });

  it("wrap() keeps no books of a connection that the handler refuses", () => {
    const { books, open } = setUp({ max: 2, idleMs: 0 });
    assert.equal(open("refuse me").state, undefined);
    assert.deepEqual(books.counts(), { open: 0, accepted: 0, refused: 0, idled: 0 });
  });

  it("wrap() passes everything on, with ids that are never used twice", () => {
    const { books, seen, open } = setUp({ max: 10, idleMs: 0 });
    const first = open("a");
    first.receive(7);
    first.receive(5);
    first.close();
    const second = open("b");
    assert.equal(seen[0].bytes, 12);
    assert.equal(seen[0].closed, 1);
    assert.notEqual(first.state!.id, second.state!.id);
    seen[1].tracked.pause();
    assert.equal(books.list()[0].paused, true);
    seen[1].tracked.resume();
    assert.deepEqual(second.connection.calls, ["pause", "resume"]);
    assert.deepEqual(books.list(), [{
      id: second.state!.id,
      listener: "syslog tcp",
      peer: "b",
      tlsPeer: undefined,
      openedAtMs: 1000,
      receivedAtMs: 1000,
      bytes: 0,
      paused: false,
    }]);
  });

  it("sweep() ends what was silent for idleMs, and neither busy nor paused ones", () => {
    const { clock, books, seen, open } = setUp({ max: 10, idleMs: 600 });
    const idle = open("idle");
    const busy = open("busy");
    const paused = open("paused");
    seen[2].tracked.pause();
    for (let i = 0; i < 5; i++) {
      clock.nowMs += 150;
      busy.receive(1);
      books.sweep();
    }
    assert.deepEqual([idle, busy, paused].map((c) => c.connection.destroyed), [true, false, false]);
    assert.equal(books.counts().idled, 1, "counted once");
  });

  it("sweep() ends nothing when idleMs is 0", () => {
    const { clock, books, open } = setUp({ max: 10, idleMs: 0 });
    const { connection } = open("idle");
    clock.nowMs += 1e9;
    books.sweep();
    assert.equal(connection.destroyed, false);
  });

  it("sweep() has the boundary at idleMs", () => {
    for (const { afterMs, want } of [{ afterMs: 599, want: false }, { afterMs: 600, want: true }]) {
      const { clock, books, open } = setUp({ max: 10, idleMs: 600 });
      const { connection } = open("idle");
      clock.nowMs += afterMs;
      books.sweep();
      assert.equal(connection.destroyed, want, `${afterMs} ms`);
    }
  });

  it("destroy() ends the one with the id, destroyAll() all of them", () => {
    const { books, open } = setUp({ max: 10, idleMs: 0 });
    const [a, b, c] = [open("a"), open("b"), open("c")];
    assert.equal(books.destroy(b.state!.id), true);
    assert.equal(books.destroy(12345), false);
    assert.deepEqual([a, b, c].map((each) => each.connection.destroyed), [false, true, false]);
    books.destroyAll();
    assert.deepEqual([a, b, c].map((each) => each.connection.destroyed), [true, true, true]);
  });
});

describe("connectionsMaxFor()", () => {
  const table = [
    { name: "enough descriptors", wanted: 10_000, share: 2, openFiles: 100_000, want: 5000 },
    { name: "an odd share", wanted: 5, share: 2, openFiles: 100_000, want: 3 },
    { name: "few descriptors", wanted: 10_000, share: 2, openFiles: 1024, want: 384 },
    { name: "hardly any", wanted: 10_000, share: 2, openFiles: 100, want: 1 },
    { name: "an unknown limit", wanted: 10_000, share: 4, openFiles: undefined, want: 2500 },
  ];
  for (const { name, wanted, share, openFiles, want } of table) {
    it(`gives ${want} when there are ${name}`, () =>
      assert.equal(connectionsMaxFor(wanted, share, openFiles), want));
  }
});

describe("openFilesMax()", () => {
  it("reads the limit of this process when there is /proc", () => {
    const limit = openFilesMax();
    assert.ok(limit === undefined || limit > 0);
  });
});
