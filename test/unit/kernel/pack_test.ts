/**
 * LZ4 and Snappy: what the kernel packs, the readers of src/core and those of the load generator (written apart from
 * them) read back; and the readers against bytes that others wrote or nobody should.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import fc from "fast-check";
import { lz4, snappy } from "../../../src/clobber/verify/record_batches.ts";
import { lz4Decompress } from "../../../src/core/lz4.ts";
import { snappyStreamDecompress } from "../../../src/core/snappy.ts";
import { packBytes } from "../../../src/kernel/pack.ts";
import { snappyCompress } from "../http/snappy_writer.ts";
import { xxh32 } from "./oracle_xxh32.ts";

const unpack = { lz4: lz4Decompress, snappy: snappyStreamDecompress };
const unpackApart = { lz4, snappy };
const codecs = ["lz4", "snappy"] as const;

/** Reads `packed` with both readers. */
function same(codec: typeof codecs[number], input: Uint8Array, packed: Uint8Array): void {
  const result = unpack[codec](packed, input.length);
  assert.ok(result.ok, `${codec} of ${input.length} bytes is read`);
  assert.ok(Buffer.from(result.bytes).equals(input), `${codec} of ${input.length} bytes reads back the same`);
  assert.ok(unpackApart[codec](Buffer.from(packed)).equals(input), "the other reader agrees");
}

/** xorshift32: the same bytes in every run. */
function noise(length: number): Uint8Array {
  let state = 0x9e3779b9;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 255;
  });
}

function logLines(bytes: number): Uint8Array {
  let text = "";
  for (let i = 0; text.length < bytes; i++) {
    text += `<134>1 2026-01-02T03:04:${i % 60}Z web-${i % 20} nginx ${i * 7919 % 30_000} - - GET /orders/${
      (i * 48271).toString(36)
    } 200 ${i * 37 % 9000}\n`;
  }
  return Buffer.from(text.slice(0, bytes));
}

/** Pieces with repeats near and far: what a match finder may get wrong. */
const repetitive = fc.array(
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 24 }), fc.integer({ min: 1, max: 40 })),
  { maxLength: 30 },
).map((pieces) =>
  Buffer.concat(pieces.flatMap(([piece, times]) => Array.from({ length: times }, () => piece)))
);

for (const codec of codecs) {
  describe(`packBytes() with ${codec}`, () => {
    test("reads back the same when the bytes are any", () => {
      fc.assert(fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 300 })), (input) => {
        same(codec, input, packBytes(codec, input));
      }));
    });

    test("reads back the same when lengths are those around the formats' limits", () => {
      for (const fill of [() => 7, (i: number) => i & 3, (i: number) => i * i >> 3 & 255]) {
        for (const near of [0, 8, 12, 13, 15, 60, 64, 68, 128, 256, 270, 525, 65_536, 131_072]) {
          for (let length = Math.max(0, near - 3); length <= near + 3; length++) {
            const input = Uint8Array.from({ length }, (_, i) => fill(i));
            same(codec, input, packBytes(codec, input));
          }
        }
      }
    });

    test("reads back the same when nothing in it repeats, and grows by less than a block's head", () => {
      const input = noise(300_000);
      const packed = packBytes(codec, input);
      same(codec, input, packed);
      assert.ok(packed.length < input.length + 100, `${packed.length} bytes`);
    });

    test("makes less than a third when the input is log lines", () => {
      const input = logLines(700_000);
      const packed = packBytes(codec, input);
      same(codec, input, packed);
      assert.ok(packed.length * 3 < input.length, `${packed.length} bytes of ${input.length}`);
    });

    test("gives a fault and never more than the bound when the packed bytes are damaged", () => {
      const packed = packBytes(codec, logLines(5000));
      fc.assert(fc.property(
        fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(packed.length),
        (changes, cut) => {
          const damaged = packed.slice(0, packed.length - (cut % 3 === 0 ? cut : 0));
          for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte;
          const result = unpack[codec](damaged, 6000);
          assert.ok(!result.ok || result.bytes.length <= 6000);
        },
      ));
    });

    test("is refused by the reader when it says to be larger than the bound", () => {
      const packed = packBytes(codec, new Uint8Array(100_000));
      assert.deepEqual(unpack[codec](packed, 99_999), { ok: false, reason: "too_large" });
    });
  });
}

test("packBytes() writes the checksum of LZ4's descriptor that the frame format asks for", () => {
  const packed = packBytes("lz4", noise(10));
  assert.equal(packed[6], xxh32(packed.subarray(4, 6)) >>> 8 & 255);
});

test("snappyStreamDecompress() reads one block when there is no stream around it", () => {
  const input = logLines(3000);
  const result = snappyStreamDecompress(snappyCompress(input), 3000);
  assert.ok(result.ok && Buffer.from(result.bytes).equals(input));
});

test("lz4Decompress() reads linked blocks, content size and checksums when others wrote them", () => {
  // `lz4 -BD -BX --content-size -c FILE | xxd -p` (lz4 1.9).
  const frame = Buffer.from(
    "04224d187c4027000000000000001b120000008f636f726e646f672008000750726e646f67c8391add00000000592edf77",
    "hex",
  );
  const result = lz4Decompress(frame, 1000);
  assert.ok(result.ok);
  assert.equal(Buffer.from(result.bytes).toString(), "corndog corndog corndog corndog corndog");
});
