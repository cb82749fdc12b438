import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPeerTable, PeerTable } from "../../../src/io/peer_table.ts";

describe("PeerTable.enter()", () => {
  it("counts like a map when senders come and go through two workers", () => {
    const step = fc.record({
      host: fc.integer({ min: 0, max: 40 }),
      worker: fc.integer({ min: 0, max: 1 }),
      enter: fc.boolean(),
    });
    fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const memory = createPeerTable(64);
      const workers = [new PeerTable(memory), new PeerTable(memory)];
      const counts = new Map<string, number>();
      for (const { host, worker, enter } of steps) {
        const name = `192.0.2.${host}`;
        const key = workers[worker]!.key(name)!;
        const count = counts.get(name) ?? 0;
        if (enter) {
          const want = count < 3;
          assert.equal(workers[worker]!.enter(key, 3), want);
          if (want) counts.set(name, count + 1);
        } else if (count > 0) {
          workers[worker]!.leave(key);
          counts.set(name, count - 1);
        }
      }
    }));
  });

  it("takes the /64 of IPv6 and the whole of IPv4 as one sender", () => {
    const table = new PeerTable(createPeerTable(10));
    assert.deepEqual(table.key("2001:db8::1"), table.key("2001:db8::ffff:1"));
    assert.notDeepEqual(table.key("2001:db8:0:1::1"), table.key("2001:db8::1"));
    assert.notDeepEqual(table.key("192.0.2.1"), table.key("192.0.2.2"));
    assert.deepEqual(table.key("::ffff:192.0.2.1"), table.key("192.0.2.1"));
    assert.equal(table.key("unix"), undefined);
  });

  it("has other keys in another process, so that nobody can choose addresses that collide", () => {
    const [a, b] = [new PeerTable(createPeerTable(10)), new PeerTable(createPeerTable(10))];
    assert.notDeepEqual(a.key("192.0.2.1"), b.key("192.0.2.1"));
  });

  it("counts every connection of 10,000 senders", () => {
    const table = new PeerTable(createPeerTable(10_000));
    const keys = Array.from(
      { length: 10_000 },
      (_, index) => table.key(`10.${index >> 8}.${index & 255}.1`)!,
    );
    for (const key of keys) assert.equal(table.enter(key, 1), true);
    const missed = keys.filter((key) => table.enter(key, 1)).length;
    assert.ok(missed < 50, `${missed} were not found again`);
  });
});

describe("PeerTable.spend()", () => {
  it("lets a sender have its rate and no more when it sends as fast as it may", () => {
    const rate = fc.integer({ min: 1024, max: 10_000_000 });
    fc.assert(fc.property(rate, fc.array(fc.integer({ min: 1, max: 200_000 })), (bytesPerSecond, chunks) => {
      const table = new PeerTable(createPeerTable(10));
      const key = table.key("192.0.2.1", 3)!;
      let nowMs = 1000;
      let sent = 0;
      for (const bytes of chunks) {
        nowMs += table.spend(key, bytes, bytesPerSecond, nowMs);
        sent += bytes;
        const seconds = (nowMs - 1000) / 1000;
        assert.ok(sent <= bytesPerSecond * (seconds + 1) + 1, "over the rate");
      }
      const least = sent / bytesPerSecond - 1;
      const roundings = chunks.length / 16_000 + 0.001;
      assert.ok((nowMs - 1000) / 1000 <= Math.max(0, least) + roundings, "under the rate");
    }));
  });

  it("keeps listeners apart, and senders", () => {
    const table = new PeerTable(createPeerTable(10));
    assert.ok(table.spend(table.key("192.0.2.1", 0)!, 5000, 1024, 0) > 0);
    assert.equal(table.spend(table.key("192.0.2.1", 1)!, 500, 1024, 0), 0);
    assert.equal(table.spend(table.key("192.0.2.2", 0)!, 500, 1024, 0), 0);
  });

  it("works when the clock's 32 bits turn round", () => {
    const table = new PeerTable(createPeerTable(10));
    const key = table.key("192.0.2.1")!;
    for (let hour = 0; hour < 200; hour++) {
      const nowMs = hour * 3_600_000;
      assert.equal(table.spend(key, 1000, 1000, nowMs), 0, `hour ${hour}`);
      assert.equal(Math.round(table.spend(key, 1000, 1000, nowMs)), 1000, `hour ${hour}`);
    }
  });
});

describe("PeerTable.afford()", () => {
  it("takes nothing from a sender that is over its rate", () => {
    const table = new PeerTable(createPeerTable(10));
    const key = table.key("192.0.2.1")!;
    assert.equal(table.afford(key, 1000, 1000, 0), true);
    for (let i = 0; i < 10; i++) assert.equal(table.afford(key, 500, 1000, 0), false);
    assert.equal(table.afford(key, 500, 1000, 501), true);
  });
});
