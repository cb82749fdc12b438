import assert from "node:assert/strict";
import { test } from "node:test";
import { createDealTable, Dealer, isDealt } from "../../../src/pipeline/dealer.ts";

/** Workers of a listener with so many connections each. */
function workers(...connections: (number | "closed")[]): Dealer[] {
  const table = createDealTable(connections.length);
  return connections.map((count, worker) => {
    const dealer = new Dealer(table, worker);
    if (count !== "closed") dealer.open(count);
    return dealer;
  });
}

const targets: readonly [string, (number | "closed")[], number | undefined][] = [
  ["is undefined when all have the same", [2, 2], undefined],
  ["is undefined when the others have more", [1, 2], undefined],
  ["is the other when it has fewer", [1, 0], 1],
  ["is the one with the fewest", [5, 4, 1, 3], 2],
  ["is undefined when the other is closed", [9, "closed"], undefined],
  ["passes over those that are closed", [9, "closed", 3], 2],
  ["is undefined when this worker is closed itself", ["closed", 0], undefined],
  ["is undefined when many are nearly even", [240, 211], undefined],
  ["is the other when many are uneven", [240, 209], 1],
];
for (const [title, connections, want] of targets) {
  test(`Dealer.target() ${title}`, () => assert.equal(workers(...connections)[0]!.target(), want));
}

test("Dealer.target() counts what is on its way until it arrived", () => {
  const [first, second] = workers(2, 0);
  assert.equal(first!.target(), 1);
  assert.equal(first!.target(), 1);
  assert.equal(first!.target(), undefined, "two and two");
  second!.arrived();
  second!.has(1);
  assert.equal(first!.target(), undefined, "one is there, one on its way");
  second!.arrived();
  assert.equal(first!.target(), 1, "the other never came");
});

test("Dealer.has() says nothing when it is closed", () => {
  const [first, second] = workers(3, 0);
  second!.close();
  second!.has(0);
  assert.equal(first!.target(), undefined);
});

test("isDealt() is true of syslog over plain TCP alone", () => {
  assert.deepEqual(
    [["syslog", "tcp"], ["syslog", "tls"], ["syslog", "udp"], ["relp", "tcp"], ["http", "tcp"]].map((
      [kind, transport],
    ) => isDealt({ kind, transport } as Parameters<typeof isDealt>[0])),
    [true, false, false, false, false],
  );
});
