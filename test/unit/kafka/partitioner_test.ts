/** Keys meet in the partition that Kafka's Java client chooses: the vectors are what `Utils.murmur2` of kafka-clients 4.3.1 gives. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { murmur2, partitionOfKey } from "../../../src/kafka/partitioner.ts";

describe("murmur2()", () => {
  const cases = [
    { key: "21", want: -973932308 },
    { key: "foobar", want: -790332482 },
    { key: "a-little-bit-long-string", want: -985981536 },
    { key: "a-little-bit-longer-string", want: -1486304829 },
    { key: "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", want: -58897971 },
    { key: "abc", want: 479470107 },
    { key: "", want: 275646681 },
    { key: "k\u00e4se", want: -1070276755 },
  ];
  for (const { key, want } of cases) {
    it(`is ${want} when the key is "${key}", wherever it lies`, () => {
      const bytes = Buffer.from(key);
      assert.equal(murmur2(bytes, 0, bytes.length), want);
      const padded = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(5, 0xff)]);
      assert.equal(murmur2(padded, 3, bytes.length), want);
    });
  }

  it("partitionOfKey() takes the sign bit off before it divides", () => {
    const bytes = Buffer.from("foobar");
    assert.equal(partitionOfKey(bytes, 0, 6, 12), (-790332482 & 0x7fffffff) % 12);
  });
});
