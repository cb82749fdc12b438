import assert from "node:assert/strict";
import { test } from "node:test";
import { countUndecided, notACount, readOctetCount } from "../../../src/framing/octet_count.ts";

const cases: [string, number][] = [
  ["", countUndecided],
  ["1", countUndecided],
  ["123456789", countUndecided],
  ["123456789 ", countUndecided],
  ["123456789 <", 123456789 + 10],
  ["1234567890", notACount],
  ["5 <1>ab", 7],
  ["5 x", notACount],
  ["5<", notACount],
  ["0", notACount],
  ["05 <", notACount],
  [" 5 <", notACount],
  ["<5 ", notACount],
];

for (const [input, want] of cases) {
  test(`readOctetCount() gives ${want} when the bytes are "${input}"`, () => {
    const bytes = new TextEncoder().encode(`??${input}<<`);
    assert.equal(readOctetCount(bytes, 2, 2 + input.length), want);
  });
}
