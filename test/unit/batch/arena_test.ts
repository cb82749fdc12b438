import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Arena, granuleBytes } from "../../../src/batch/arena.ts";
import { InvariantError } from "../../../src/core/invariant.ts";

const base = 4096;

/** The same promises, written down naively: an array of owners. */
class Model {
  readonly owners: number[];
  next = 1;
  highWater = 0;
  constructor(granules: number) {
    this.owners = new Array(granules).fill(0);
  }
  allocate(bytes: number): number {
    const count = Math.max(1, Math.ceil(bytes / granuleBytes));
    for (let at = 0; at + count <= this.owners.length; at++) {
      if (this.owners.slice(at, at + count).some((o) => o !== 0)) continue;
      this.owners.fill(this.next++, at, at + count);
      this.highWater = Math.max(this.highWater, at + count);
      return base + at * granuleBytes;
    }
    return 0;
  }
  #range(at: number): [number, number] {
    const first = (at - base) / granuleBytes;
    let end = first;
    while (end < this.owners.length && this.owners[end] === this.owners[first]) end++;
    return [first, end];
  }
  extend(at: number, bytes: number): boolean {
    const [first, end] = this.#range(at);
    const want = first + Math.ceil(bytes / granuleBytes);
    if (want > this.owners.length) return want <= end;
    if (this.owners.slice(end, Math.max(end, want)).some((o) => o !== 0)) return false;
    this.owners.fill(this.owners[first]!, first, Math.max(end, want));
    this.highWater = Math.max(this.highWater, want);
    return true;
  }
  trim(at: number, bytes: number): void {
    const [first, end] = this.#range(at);
    const keep = first + Math.max(1, Math.ceil(bytes / granuleBytes));
    if (keep < end) this.owners.fill(0, keep, end);
  }
  free(at: number): void {
    const [first, end] = this.#range(at);
    this.owners.fill(0, first, end);
  }
  bytesOf(at: number): number {
    const [first, end] = this.#range(at);
    return (end - first) * granuleBytes;
  }
  get used(): number {
    return this.owners.filter((o) => o !== 0).length * granuleBytes;
  }
}

test("Arena does what a naive model does when random extents come, grow, shrink and go", () => {
  const step = fc.record({
    what: fc.constantFrom("allocate", "allocate", "extend", "trim", "free"),
    bytes: fc.integer({ min: 1, max: 40 * granuleBytes }),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(step, { maxLength: 120 }), (granules, steps) => {
      const arena = new Arena(base, granules * granuleBytes + 100);
      const model = new Model(granules);
      const live: number[] = [];
      for (const { what, bytes, pick } of steps) {
        const index = live.length > 0 ? pick % live.length : -1;
        if (what === "allocate") {
          const at = arena.allocate(bytes);
          assert.equal(at, model.allocate(bytes));
          if (at !== 0) live.push(at);
        } else if (index >= 0) {
          const at = live[index]!;
          if (what === "extend") assert.equal(arena.extend(at, bytes), model.extend(at, bytes));
          if (what === "trim") arena.trim(at, bytes), model.trim(at, bytes);
          if (what === "free") {
            arena.free(at);
            model.free(at);
            live.splice(index, 1);
          }
        }
        assert.equal(arena.bytesUsed, model.used);
        assert.equal(arena.bytesHighWater, model.highWater * granuleBytes);
        for (const at of live) assert.equal(arena.bytesOf(at), model.bytesOf(at));
      }
      for (const at of live) arena.free(at);
      assert.equal(arena.bytesUsed, 0);
      assert.equal(arena.allocate(granules * granuleBytes), base);
    }),
    { numRuns: 300 },
  );
});

test("Arena.allocate() returns 0 when one byte more than everything is asked for", () => {
  const arena = new Arena(base, 3 * granuleBytes);
  assert.equal(arena.allocate(3 * granuleBytes + 1), 0);
  assert.equal(arena.allocate(3 * granuleBytes), base);
  assert.equal(arena.allocate(1), 0);
});

test("Arena.allocate() reuses the lowest address when it was freed", () => {
  const arena = new Arena(base, 64 * granuleBytes);
  const first = arena.allocate(40 * granuleBytes);
  arena.allocate(granuleBytes);
  arena.free(first);
  assert.equal(arena.allocate(1), base);
  assert.equal(arena.bytesHighWater, 41 * granuleBytes);
});

test("Arena.free() stops the program when an extent is freed twice", () => {
  const arena = new Arena(base, 4 * granuleBytes);
  const at = arena.allocate(1);
  arena.free(at);
  assert.throws(() => arena.free(at), InvariantError);
  assert.throws(() => arena.free(at + 1), InvariantError);
});
