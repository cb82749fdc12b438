import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { noteOrigin, type Origin, originsOf, peerOf } from "../../../src/batch/origins.ts";
import { Rig } from "./bench.ts";

test("noteOrigin() joins runs of one sender, and notes only large ones when there are many", () => {
  const origins: Origin[] = [];
  noteOrigin(origins, 0, 5, 500, "a");
  noteOrigin(origins, 5, 6, 100, "a");
  noteOrigin(origins, 6, 7, 100, "b");
  assert.deepEqual(origins, [{ from: 0, to: 6, peer: "a" }, { from: 6, to: 7, peer: "b" }]);
  for (let at = 7; at < 500; at++) noteOrigin(origins, at, at + 1, 100, `p${at}`);
  assert.equal(origins.length, 128);
  noteOrigin(origins, 500, 501, 5000, "large");
  assert.deepEqual([peerOf(origins, 500), peerOf(origins, 499), peerOf(origins, 3)], [
    "large",
    undefined,
    "a",
  ]);
});

test("originsOf() gives each record of a part the sender that it had when parts are any", () => {
  fc.assert(fc.property(
    fc.array(fc.constantFrom("a", "b", "c", undefined), { maxLength: 30 }),
    fc.array(fc.nat(29), { maxLength: 30 }),
    (peers, wanted) => {
      const origins: Origin[] = [];
      peers.forEach((peer, at) => peer !== undefined && noteOrigin(origins, at, at + 1, 1, peer));
      const records = wanted.filter((record) => record < peers.length);
      const own = originsOf(origins, records);
      assert.deepEqual(records.map((_, index) => peerOf(own, index)), records.map((record) => peers[record]));
    },
  ));
  assert.equal(originsOf(undefined, [1]), undefined);
});

test("Batcher notes who sent the records of each batch when it is told", () => {
  const rig = new Rig(16 * 16 * 1024);
  for (const peer of ["a", "a", "b", undefined]) {
    rig.batcher.peer = peer;
    rig.append("t", null, "value");
  }
  rig.batcher.closeAll();
  rig.append("t", null, "next");
  rig.batcher.closeAll();
  assert.deepEqual(rig.emitted.map(({ origins }) => origins), [
    [{ from: 0, to: 2, peer: "a" }, { from: 2, to: 3, peer: "b" }],
    undefined,
  ]);
});
