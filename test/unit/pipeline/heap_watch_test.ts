import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  connectionsMin,
  grownBytesMin,
  HeapWatch,
  quietBytes,
  restsPerCollection,
} from "../../../src/pipeline/heap_watch.ts";
import { openHeap } from "../../../src/runtime/collect.ts";

const mib = 1024 * 1024;
const base = 44 * mib;

/** A heap whose collections leave `left` bytes and take 50 ms. */
function rig(): {
  bytes: number;
  left: number;
  nowMs: number;
  connections: number;
  readonly collected: { sinceMs: number; ms: number; freedBytes: number }[];
  look(): number;
} {
  const state = {
    bytes: base,
    left: base,
    nowMs: 1_000,
    connections: connectionsMin,
    collected: [] as never[] as Collected[],
    look,
  };
  const watch = new HeapWatch({
    bytes: () => state.bytes,
    collect: () => {
      state.nowMs += 50;
      return state.bytes = state.left;
    },
  }, {
    nowMs: () => state.nowMs,
    connections: () => state.connections,
    collected: (sinceMs, ms, freedBytes) => state.collected.push({ sinceMs, ms, freedBytes }),
  });
  function look(): number {
    watch.look();
    return state.collected.length;
  }
  look();
  return state;
}

type Collected = { sinceMs: number; ms: number; freedBytes: number };

describe("HeapWatch", () => {
  it("collects nothing while the heap is less than `quietBytes` over its least", () => {
    const state = rig();
    state.bytes = base + quietBytes - 1;
    assert.equal(state.look(), 0);
  });

  it("collects nothing while there are few connections", () => {
    const state = rig();
    state.bytes = base + 100 * mib;
    state.connections = connectionsMin - 1;
    assert.equal(state.look(), 0);
    state.connections = connectionsMin;
    assert.equal(state.look(), 1);
  });

  it("collects when it is over that, and tells how long it took and what it freed", () => {
    const state = rig();
    state.bytes = base + quietBytes;
    state.left = base + mib;
    assert.equal(state.look(), 1);
    assert.deepEqual(state.collected, [{ sinceMs: 1_000, ms: 50, freedBytes: quietBytes - mib }]);
  });

  it("takes a smaller heap for the least when the runtime has collected", () => {
    const state = rig();
    state.bytes = base - 8 * mib;
    state.look();
    state.bytes = base + quietBytes - 8 * mib - 1;
    assert.equal(state.look(), 0);
    state.bytes++;
    assert.equal(state.look(), 1);
  });

  it("waits until `grownBytesMin` are new after a collection that left much", () => {
    const state = rig();
    state.bytes = state.left = base + quietBytes;
    assert.equal(state.look(), 1);
    state.nowMs += 60_000;
    state.bytes += grownBytesMin - 1;
    assert.equal(state.look(), 1);
    state.bytes++;
    assert.equal(state.look(), 2);
  });

  it("lets a heap grow by a quarter of what is in use", () => {
    const state = rig();
    state.bytes = state.left = base + 64 * mib;
    assert.equal(state.look(), 1);
    state.nowMs += 60_000;
    state.bytes += 16 * mib - 1;
    assert.equal(state.look(), 1);
    state.bytes++;
    assert.equal(state.look(), 2);
  });

  it("rests after a collection for `restsPerCollection` times what that took", () => {
    const state = rig();
    state.bytes = base + quietBytes;
    assert.equal(state.look(), 1);
    state.bytes = base + 2 * quietBytes;
    state.nowMs += restsPerCollection * 50 - 1;
    assert.equal(state.look(), 1);
    state.nowMs++;
    assert.equal(state.look(), 2);
  });
});

describe("openHeap()", () => {
  it("collects what nobody holds, where the runtime has such a heap", async () => {
    const heap = await openHeap();
    assert.equal(heap !== undefined, "Bun" in globalThis);
    if (heap === undefined) return;
    const before = heap.collect();
    const held = arrays(1_000);
    const with8MiB = heap.collect();
    assert.ok(with8MiB > before + 4 * mib, `8 MiB are held: ${before} bytes became ${with8MiB}`);
    assert.ok(heap.bytes() > before, `${heap.bytes()} bytes after ${before}`);
    // One after the other is let go, so that an address that is left over on the stack holds a few of them at most.
    held.fill(undefined);
    const after = heap.collect();
    assert.ok(after < with8MiB - 4 * mib, `8 MiB are let go: ${with8MiB} bytes became ${after}`);
  });
});

/** So many arrays of 8 KiB each. */
function arrays(count: number): (number[] | undefined)[] {
  return Array.from({ length: count }, (_, at) => new Array<number>(1_000).fill(at));
}
