import assert from "node:assert/strict";
import { test } from "node:test";
import { createKernel } from "../../../src/kernel/instance.ts";
import { crc32cOracle } from "./oracle_crc32c.ts";

const kernel = createKernel({ scratchBytes: 64, arenaBytes: 1024 * 1024 });
const { arenaAt, bytes } = kernel;

/** RFC 3720 B.4 prints the CRCs as bytes on the wire: here as numbers. */
const vectors: { name: string; input: Uint8Array; want: number }[] = [
  { name: "32 zeros", input: new Uint8Array(32), want: 0x8a9136aa },
  { name: "32 ones", input: new Uint8Array(32).fill(0xff), want: 0x62a8ab43 },
  { name: "32 ascending bytes", input: Uint8Array.from({ length: 32 }, (_, i) => i), want: 0x46dd794e },
  { name: "32 descending bytes", input: Uint8Array.from({ length: 32 }, (_, i) => 31 - i), want: 0x113fdb5c },
  { name: "nothing", input: new Uint8Array(0), want: 0 },
  { name: "the digits 1 to 9", input: new TextEncoder().encode("123456789"), want: 0xe3069283 },
];

for (const { name, input, want } of vectors) {
  test(`crc32c() gives the known value when the input is ${name}`, () => {
    bytes.set(input, arenaAt);
    assert.equal(kernel.crc32c(arenaAt, input.length), want);
    assert.equal(crc32cOracle(input), want, "the twin");
  });
}

/** xorshift32: the same bytes in every run. */
function fillRandom(target: Uint8Array): void {
  let state = 0x9e3779b9;
  for (let i = 0; i < target.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    target[i] = state;
  }
}

/** Prefix registers of the twin: the CRC of every prefix at the cost of one pass. */
function prefixCrcs(input: Uint8Array): Uint32Array {
  const table = Uint32Array.from({ length: 256 }, (_, i) => {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc;
  });
  const crcs = new Uint32Array(input.length + 1);
  let register = 0xffffffff;
  for (let i = 0; i < input.length; i++) {
    register = (register >>> 8) ^ table[(register ^ input[i]!) & 255]!;
    crcs[i + 1] = ~register;
  }
  return crcs;
}

/** Both sides of: a word of 16, two streams of 2048, the fold at 12 KiB, its window of 512 words, and twice that. */
const ranges: readonly (readonly [number, number])[] = [
  [0, 70],
  [4060, 4140],
  [8160, 8240],
  [12_240, 12_340],
  [209 * 16 + 512 * 16 - 20, 209 * 16 + 512 * 16 + 40],
  [209 * 16 + 1024 * 16 - 40, 209 * 16 + 1024 * 16 + 40],
  [65_500, 65_560],
];

test("crc32c() equals its twin when lengths and alignments pass every threshold", () => {
  for (let offset = 0; offset < 17; offset++) {
    const input = bytes.subarray(arenaAt + offset, arenaAt + offset + 66_000);
    fillRandom(input);
    const want = prefixCrcs(input);
    for (const [from, to] of ranges) {
      for (let length = from; length <= to; length++) {
        assert.equal(
          kernel.crc32c(arenaAt + offset, length),
          want[length],
          `length ${length}, offset ${offset}`,
        );
      }
    }
  }
});

test("crc32c() sees every bit when one is flipped in a long input", () => {
  const length = 40_000;
  fillRandom(bytes.subarray(arenaAt, arenaAt + length));
  const clean = kernel.crc32c(arenaAt, length);
  for (let at = 0; at < length; at += 37) {
    const bit = 1 << at % 8;
    bytes[arenaAt + at]! ^= bit;
    assert.notEqual(kernel.crc32c(arenaAt, length), clean, `byte ${at}`);
    bytes[arenaAt + at]! ^= bit;
  }
  assert.equal(kernel.crc32c(arenaAt, length), clean);
});
