import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { NetworkSet } from "../../../src/core/networks.ts";
import { Admission, type ListenerPolicy, openPolicy } from "../../../src/io/admission.ts";
import { createPeerTable } from "../../../src/io/peer_table.ts";
import { Connections } from "../../../src/io/connections.ts";
import type { Tracked } from "../../../src/io/tracked.ts";
import type { Connection, ConnectionHandler } from "../../../src/runtime/runtime.ts";
import { until } from "../../support/until.ts";

/** A connection of a listener that does not exist; `destroy` calls `closed` a turn later, as the real ones do. */
class FakeConnection implements Connection {
  readonly peer: string;
  readonly calls: string[] = [];
  destroyed = false;

  constructor(peer: string) {
    this.peer = peer;
  }
  pause(isDone = false): void {
    this.calls.push(isDone ? "pause, done" : "pause");
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
  text: string;
  closed: number;
}

interface Options {
  readonly max: number;
  readonly idleMs: number;
  readonly perPeer?: number;
  readonly policy?: ListenerPolicy;
  readonly lowered?: boolean;
  /** Books of another worker. */
  readonly shared?: SharedArrayBuffer;
}

/** Books with a clock that stands still, a handler that records, and `open` to make connections. */
function setUp({ max, idleMs, perPeer = 1000, policy = openPolicy, lowered = false, shared }: Options) {
  const clock = { nowMs: 1000 };
  const refusals: string[] = [];
  const books = new Connections({
    admission: new Admission({ connections: max, lowered, connectionsPerPeer: perPeer }, shared),
    idleMs,
    handshakeMs: 500,
    nowMs: () => clock.nowMs,
    refused: (_listener, peer, reason) => void refusals.push(`${peer} ${reason}`),
  });
  const seen: Seen[] = [];
  const wrapped: ConnectionHandler<Tracked<Seen>> = books.wrap<Seen>("syslog tcp", {
    opened(tracked) {
      const state = { tracked, bytes: 0, text: "", closed: 0 };
      seen.push(state);
      return tracked.peer === "refuse me" ? undefined : state;
    },
    received: (state, chunk) => {
      state.bytes += chunk.length;
      state.text += new TextDecoder().decode(chunk);
    },
    closed: (state) => void (state.closed += 1),
  }, policy);
  const open = (peer: string) => {
    const connection = new FakeConnection(peer);
    const state = wrapped.opened(connection);
    const close = (): void => wrapped.closed(state!);
    return {
      connection,
      state,
      close,
      receive: (bytes: number | string) => {
        // As the runtimes give it: a Buffer whose memory is gone after the call.
        const chunk = typeof bytes === "number" ? new Uint8Array(bytes) : new TextEncoder().encode(bytes);
        const buffer = Buffer.from(chunk.slice().buffer as ArrayBuffer);
        wrapped.received(state!, buffer);
        (buffer.buffer as ArrayBuffer).transfer(0);
      },
      wrapped,
    };
  };
  return { clock, books, seen, open, refusals };
}

describe("Connections", () => {
  it("wrap() refuses above the limit, counts it, and takes the next when one has closed", () => {
    const { books, open, refusals } = setUp({ max: 2, idleMs: 0 });
    const first = open("a");
    open("b");
    assert.equal(open("c").state, undefined);
    assert.equal(books.counts().refused.connections, 1);
    first.close();
    assert.notEqual(open("d").state, undefined);
    const { open: opened, accepted, refused } = books.counts();
    assert.deepEqual([opened, accepted, refused.connections], [2, 3, 1]);
    assert.deepEqual(refusals, ["c connections"]);
  });

  it("wrap() keeps no books of a connection that the handler refuses", () => {
    const { books, open } = setUp({ max: 2, idleMs: 0 });
    assert.equal(open("refuse me").state, undefined);
    const { open: opened, accepted } = books.counts();
    assert.deepEqual([opened, accepted], [0, 0]);
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
      pausedBy: undefined,
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

  it("sweep() ends a paused one whose peer reads none of its answers, and not one that reads some", () => {
    const { clock, books, seen, open } = setUp({ max: 10, idleMs: 600 });
    const dead = open("dead");
    const slow = open("slow");
    for (const { tracked } of seen) tracked.pause();
    dead.connection.unsentBytes = slow.connection.unsentBytes = 100_000;
    for (let i = 0; i < 6; i++) {
      clock.nowMs += 150;
      slow.connection.unsentBytes -= 1_000;
      books.sweep();
    }
    assert.deepEqual([dead, slow].map((c) => c.connection.destroyed), [true, false]);
  });

  describe("with one that sends much", () => {
    const much = 100_000;
    const little = 100;

    it("reads it without a rest when nobody else sends", () => {
      const { open } = setUp({ max: 10, idleMs: 0 });
      const fat = open("fat");
      for (const bytes of [much, little, much, little, much]) fat.receive(bytes);
      const beginsSmall = open("begins small");
      for (const bytes of [little, little, much, much]) beginsSmall.receive(bytes);
      assert.deepEqual([fat.connection.calls, beginsSmall.connection.calls], [[], []]);
    });

    it("lets it rest for a moment behind each large chunk when others send little", async () => {
      const { open } = setUp({ max: 10, idleMs: 0 });
      const [fat, thin] = [open("fat"), open("thin")];
      for (let chunk = 1; chunk <= 3; chunk++) {
        thin.receive(little);
        fat.receive(much);
        assert.equal(fat.connection.calls.at(-1), "pause, done");
        await until("the end of its rest", () => fat.connection.calls.at(-1) === "resume" || undefined);
      }
      assert.deepEqual(thin.connection.calls, []);
    });

    it("lets it rest no more when the others have not sent for a while, and when they send much too", () => {
      const { open, clock } = setUp({ max: 10, idleMs: 0 });
      const [fat, other] = [open("fat"), open("other")];
      other.receive(little);
      clock.nowMs += 1;
      fat.receive(much);
      assert.deepEqual(fat.connection.calls, ["pause, done"]);
      clock.nowMs += 1000;
      fat.connection.calls.length = 0;
      fat.receive(much);
      // What is little is the end of much.
      other.receive(much);
      other.receive(little);
      fat.receive(much);
      assert.deepEqual([fat.connection.calls, other.connection.calls], [[], []]);
    });

    it("besideThin() says so for a while when others send little, and not of the last pieces of much", () => {
      const { open, books, clock } = setUp({ max: 10, idleMs: 0 });
      const [fat, thin] = [open("fat"), open("thin")];
      const besideThin = () => books.besideThin(clock.nowMs);
      for (const bytes of [much, little, much, little]) fat.receive(bytes);
      assert.equal(besideThin(), false);
      thin.receive(little);
      assert.equal(besideThin(), true);
      clock.nowMs += 99;
      fat.receive(little);
      assert.equal(besideThin(), true);
      clock.nowMs += 1;
      assert.equal(besideThin(), false);
      thin.receive(little);
      assert.equal(besideThin(), true);
    });

    it("goes on with what its handler paused when the handler does, and not when the rest is over", async () => {
      const { open, seen } = setUp({ max: 10, idleMs: 0 });
      const [fat, thin, last] = [open("fat"), open("thin"), open("last")];
      thin.receive(little);
      seen[0]!.tracked.pause();
      fat.receive(much);
      last.receive(much);
      await until("the end of the rests", () => last.connection.calls.at(-1) === "resume" || undefined);
      assert.ok(!fat.connection.calls.includes("resume"));
      seen[0]!.tracked.resume();
      assert.equal(fat.connection.calls.at(-1), "resume");
    });
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
    books.destroyAll(() => true);
    assert.deepEqual([a, b, c].map((each) => each.connection.destroyed), [true, true, true]);
  });
});

const networks = (...texts: string[]) => new NetworkSet(texts);

describe("Connections, limits", () => {
  it("counts connections of all workers, and frees their places", () => {
    const shared = createPeerTable(10);
    const [one, two] = [setUp({ max: 3, idleMs: 0, shared }), setUp({ max: 3, idleMs: 0, shared })];
    const first = one.open("192.0.2.1:1");
    one.open("192.0.2.2:1");
    two.open("192.0.2.3:1");
    assert.equal(two.open("192.0.2.4:1").state, undefined);
    assert.equal(one.open("192.0.2.4:1").state, undefined);
    first.close();
    assert.notEqual(two.open("192.0.2.4:1").state, undefined);
    assert.deepEqual(two.refusals, ["192.0.2.4:1 connections"]);
  });

  it("frees the place of a connection whose handler threw or refused", () => {
    const { books, open } = setUp({ max: 1, idleMs: 0, perPeer: 1 });
    const throwing = books.wrap("x", {
      opened() {
        throw new Error("broken");
      },
      received() {},
      closed() {},
    });
    assert.throws(() => throwing.opened(new FakeConnection("192.0.2.1:1")), /broken/);
    assert.equal(open("refuse me").state, undefined);
    assert.notEqual(open("192.0.2.1:1").state, undefined);
  });

  it("names descriptors as the reason when the open-files limit is the bound", () => {
    const { open, refusals } = setUp({ max: 1, idleMs: 0, lowered: true });
    open("192.0.2.1:1");
    open("192.0.2.2:1");
    assert.deepEqual(refusals, ["192.0.2.2:1 descriptors"]);
  });

  it("refuses a sender above its limit on any worker, and nobody else", () => {
    const shared = createPeerTable(10);
    const [one, two] = [0, 1].map(() => setUp({ max: 10, idleMs: 0, perPeer: 2, shared }));
    const first = one!.open("192.0.2.1:1");
    two!.open("192.0.2.1:2");
    assert.equal(one!.open("192.0.2.1:3").state, undefined);
    assert.equal(two!.open("192.0.2.1:3").state, undefined);
    assert.notEqual(one!.open("192.0.2.2:3").state, undefined);
    first.close();
    assert.notEqual(two!.open("192.0.2.1:3").state, undefined);
    assert.equal(one!.books.counts().refused.connections_per_peer, 1);
  });

  it("takes allowed networks only, IPv4 inside IPv6 too", () => {
    const policy = { ...openPolicy, allowFrom: networks("10.0.0.0/8", "2001:db8::/32") };
    const { open, refusals } = setUp({ max: 10, idleMs: 0, policy });
    for (const peer of ["10.1.2.3:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"]) {
      assert.notEqual(open(peer).state, undefined, peer);
    }
    for (const peer of ["11.1.2.3:1", "[2001:db9::1]:1", "unknown"]) {
      assert.equal(open(peer).state, undefined, peer);
    }
    assert.deepEqual(refusals.map((text) => text.split(" ")[1]), ["network", "network", "network"]);
  });

  it("stops reading a sender that is over its rate, lets it go on when its time has come, and keeps the handler's pause", () => {
    const policy = { ...openPolicy, bytesPerSecond: 1000 };
    const { clock, books, open, seen } = setUp({ max: 10, idleMs: 0, policy });
    const fast = open("192.0.2.1:1");
    const other = open("192.0.2.2:1");
    fast.receive(1000);
    assert.deepEqual(fast.connection.calls, [], "a second's worth at once is fine");
    fast.receive(500);
    assert.deepEqual(fast.connection.calls, ["pause, done"]);
    other.receive(900);
    assert.deepEqual(other.connection.calls, []);
    clock.nowMs += 499;
    books.sweep();
    assert.deepEqual(fast.connection.calls, ["pause, done"]);
    assert.equal(books.list()[0]!.pausedBy, "rate");
    seen[0]!.tracked.pause();
    clock.nowMs += 2;
    books.sweep();
    assert.deepEqual(fast.connection.calls, ["pause, done", "pause"]);
    seen[0]!.tracked.resume();
    assert.deepEqual(fast.connection.calls, ["pause, done", "pause", "resume"]);
    assert.equal(books.counts().held, 1);
  });

  it("gives the chunk of a handler that waited back when it goes on, over its rate too", () => {
    const policy = { ...openPolicy, bytesPerSecond: 1000 };
    const { clock, books, open, seen } = setUp({ max: 10, idleMs: 0, policy });
    const fast = open("192.0.2.1:1");
    fast.receive(1500);
    seen[0]!.tracked.pause();
    seen[0]!.tracked.resume();
    assert.deepEqual(fast.connection.calls, ["pause, done", "pause", "resume", "pause, done"]);
    clock.nowMs += 501;
    books.sweep();
    assert.equal(fast.connection.calls.at(-1), "resume");
  });

  it("shares a sender's rate over its connections", () => {
    const policy = { ...openPolicy, bytesPerSecond: 1000 };
    const { open } = setUp({ max: 10, idleMs: 0, policy });
    const [a, b] = [open("192.0.2.1:1"), open("192.0.2.1:2")];
    a.receive(900);
    b.receive(200);
    assert.deepEqual(b.connection.calls, ["pause, done"]);
  });
});

describe("Connections, PROXY protocol", () => {
  const policy = { ...openPolicy, proxyFrom: networks("10.0.0.0/8"), allowFrom: networks("192.0.2.0/24") };

  it("has the sender of the header as peer, and gives the handler what is behind it, when the stream is cut anywhere", () => {
    const text = "PROXY TCP4 192.0.2.7 10.0.0.9 1234 514\r\n<13>line\n";
    for (let cut = 0; cut <= text.length; cut++) {
      const { open, seen, books } = setUp({ max: 10, idleMs: 0, policy });
      const { receive, connection } = open("10.0.0.1:9999");
      assert.equal(books.counts().accepted, 0);
      if (cut > 0) receive(text.slice(0, cut));
      if (cut < text.length) receive(text.slice(cut));
      assert.equal(seen[0]!.text, "<13>line\n", `cut at ${cut}`);
      assert.equal(seen[0]!.tracked.peer, "192.0.2.7:1234");
      assert.equal(connection.destroyed, false);
      assert.equal(books.counts().accepted, 1);
    }
  });

  const refused = [
    { name: "no header comes", from: "10.0.0.1:1", text: "<13>hello\n", want: "10.0.0.1:1 proxy_header" },
    {
      name: "the header is damaged",
      from: "10.0.0.1:1",
      text: "PROXY TCP4 999.0.0.1 1.1.1.1 1 2\r\n",
      want: "10.0.0.1:1 proxy_header",
    },
    {
      name: "the sender behind it is not allowed",
      from: "10.0.0.1:1",
      text: "PROXY TCP4 198.51.100.1 10.0.0.9 1 2\r\nx\n",
      want: "198.51.100.1:1 network",
    },
    {
      name: "it comes from a network that is not listed",
      from: "192.0.2.1:1",
      text: "PROXY TCP4 192.0.2.7 10.0.0.9 1 2\r\nx\n",
      want: "192.0.2.1:1 proxy_network",
    },
  ];
  for (const { name, from, text, want } of refused) {
    it(`refuses when ${name}`, () => {
      const { open, seen, refusals, books } = setUp({ max: 10, idleMs: 0, policy });
      const { receive, connection, close } = open(from);
      receive(text);
      assert.deepEqual(refusals, [want]);
      assert.equal(connection.destroyed, true);
      assert.equal(seen[0]!.text, "");
      close();
      assert.equal(books.counts().open, 0);
    });
  }

  it("keeps the load balancer as peer when it speaks for itself", () => {
    const { open, seen } = setUp({
      max: 10,
      idleMs: 0,
      policy: { ...policy, allowFrom: networks("10.0.0.0/8") },
    });
    open("10.0.0.1:1").receive("PROXY UNKNOWN\r\nhealth\n");
    assert.equal(seen[0]!.tracked.peer, "10.0.0.1:1");
    assert.equal(seen[0]!.text, "health\n");
  });

  it("ends a connection whose header does not come in time", () => {
    const { clock, open, books, refusals } = setUp({ max: 10, idleMs: 0, policy });
    const slow = open("10.0.0.1:1");
    slow.receive("PROXY TCP4 ");
    clock.nowMs += 499;
    books.sweep();
    assert.equal(slow.connection.destroyed, false);
    clock.nowMs += 1;
    books.sweep();
    assert.equal(slow.connection.destroyed, true);
    assert.deepEqual(refusals, ["10.0.0.1:1 handshake"]);
  });

  it("counts the sender behind the header against its limit, not the load balancer", () => {
    const { open, refusals } = setUp({ max: 10, idleMs: 0, perPeer: 1, policy });
    const header = (address: string) => `PROXY TCP4 ${address} 10.0.0.9 1 2\r\n`;
    open("10.0.0.1:1").receive(header("192.0.2.1"));
    open("10.0.0.1:2").receive(header("192.0.2.2"));
    open("10.0.0.1:3").receive(header("192.0.2.1"));
    assert.deepEqual(refusals, ["192.0.2.1:1 connections_per_peer"]);
  });

  it("counts a TLS connection as accepted when its handshake is done, and as failed when it never was", () => {
    const { open, books } = setUp({ max: 10, idleMs: 0, policy: { ...openPolicy, handshakes: true } });
    const [good, bad] = [open("192.0.2.1:1"), open("192.0.2.2:1")];
    good.wrapped.ready!(good.state!);
    good.close();
    bad.close();
    const { accepted, handshakesFailed } = books.counts();
    assert.deepEqual([accepted, handshakesFailed], [1, 1]);
  });
});
