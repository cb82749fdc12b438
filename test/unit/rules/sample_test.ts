import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keepsKey, Sampler, sampleRate } from "../../../src/rules/sample.ts";

const rates = [0, 0.001, 0.1, 0.25, 0.5, 0.9, 1];

for (const rate of rates) {
  test(`Sampler keeps ${rate} of all lines, and the same ones for the same seed`, () => {
    const count = 100_000;
    for (const seed of [0, 1, 0xdeadbeef]) {
      const one = new Sampler(rate, seed);
      const other = new Sampler(rate, seed);
      let kept = 0;
      for (let n = 0; n < count; n++) {
        const keeps = one.keeps();
        assert.equal(other.keeps(), keeps);
        if (keeps) kept++;
      }
      // Five standard deviations.
      assert.ok(Math.abs(kept - rate * count) <= 5 * Math.sqrt(count * rate * (1 - rate)), `${kept} kept`);
    }
  });

  test(`keepsKey() keeps ${rate} of all keys`, () => {
    const count = 100_000;
    let kept = 0;
    for (let n = 0; n < count; n++) if (keepsKey(`host-${n}.example.net`, rate)) kept++;
    assert.ok(Math.abs(kept - rate * count) <= 5 * Math.sqrt(count * rate * (1 - rate)), `${kept} kept`);
  });
}

test("keepsKey() says the same of a key each time, and keeps at a higher rate what it keeps at a lower one", () => {
  fc.assert(fc.property(
    fc.string({ unit: "binary" }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    (key, a, b) => {
      assert.equal(keepsKey(key, a), keepsKey(key, a));
      if (keepsKey(key, Math.min(a, b))) assert.ok(keepsKey(key, Math.max(a, b)));
      assert.ok(keepsKey(key, 1) && !keepsKey(key, 0));
    },
  ));
});

test("sampleRate() reads shares and 1/N", () => {
  assert.deepEqual([0, 0.5, 1, "1/1", "1/4"].map(sampleRate), [0, 0.5, 1, 1, 0.25]);
});
