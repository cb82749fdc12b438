import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { type Coding, codingOf, Decompressor } from "../../../src/http/decompress.ts";
import { type Decompressed, snappyDecompress } from "../../../src/core/snappy.ts";
import { isWholeZstd } from "../../../src/http/zstd_frames.ts";
import { snappyCompress } from "./snappy_writer.ts";

const mib = 1024 * 1024;

/** The result, whether it comes at once or later. */
function run(coding: Coding, body: Uint8Array, bytesMax = 64 * mib): Promise<Decompressed> {
  return new Promise((resolve) => {
    const result = new Decompressor(bytesMax).run(coding, body, resolve);
    if (result !== undefined) resolve(result);
  });
}

const noise = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2_654_435_761 >>> 13) & 0xff);

const codings: { coding: Coding; name: string; compress: (bytes: Uint8Array) => Uint8Array }[] = [
  { coding: "gzip", name: "gzip", compress: (bytes) => gzipSync(bytes) },
  { coding: "deflate", name: "deflate", compress: (bytes) => deflateSync(bytes) },
  { coding: "deflate", name: "deflate without its frame", compress: (bytes) => deflateRawSync(bytes) },
  { coding: "zstd", name: "zstd", compress: (bytes) => zstdCompressSync(bytes) },
  { coding: "snappy", name: "snappy", compress: snappyCompress },
];

describe("Decompressor", () => {
  for (const { coding, name, compress } of codings) {
    it(`gives what ${name} was made of, small and large`, async () => {
      for (const bytes of [Buffer.from("hello"), noise, new Uint8Array(3 * mib), new Uint8Array(0)]) {
        const result = await run(coding, compress(bytes));
        assert.ok(result.ok, `${bytes.length} bytes`);
        assert.ok(Buffer.from(bytes).equals(result.bytes));
      }
    });

    it(`gives ${name} of exactly the limit, and no more`, async () => {
      for (const size of [1000, 300_000]) {
        const body = compress(noise.subarray(0, size));
        assert.equal((await run(coding, body, size)).ok, true);
        assert.deepEqual(await run(coding, body, size - 1), { ok: false, reason: "too_large" });
      }
    });

    it(`refuses ${name} that is cut off anywhere`, async () => {
      const body = compress(noise.subarray(0, 2000));
      for (let length = 0; length < body.length; length += 7) {
        const result = await run(coding, body.subarray(0, length));
        assert.deepEqual(result, { ok: false, reason: "malformed" }, `cut at ${length}`);
      }
    });
  }

  it("does not make gigabytes of a bomb", async () => {
    const bomb = gzipSync(new Uint8Array(200 * mib));
    assert.deepEqual(await run("gzip", bomb, 8 * mib), { ok: false, reason: "too_large" });
    assert.deepEqual(await run("zstd", zstdCompressSync(new Uint8Array(200 * mib)), 8 * mib), {
      ok: false,
      reason: "too_large",
    });
  });

  it("does a few bodies at a time, and all of them", async () => {
    const decompressor = new Decompressor(64 * mib);
    const body = gzipSync(noise);
    const results = await Promise.all(
      Array.from({ length: 20 }, () =>
        new Promise<Decompressed>((resolve) => {
          assert.equal(decompressor.run("gzip", body, resolve), undefined);
        })),
    );
    assert.ok(results.every((result) => result.ok && result.bytes.length === noise.length));
    assert.equal(decompressor.inWork, 0);
  });

  it("does not begin what nobody wants any more", async () => {
    const decompressor = new Decompressor(64 * mib);
    const body = gzipSync(noise);
    let wanted = true;
    const results = Array.from(
      { length: 5 },
      () =>
        new Promise<Decompressed>((resolve) => void decompressor.run("gzip", body, resolve, () => wanted)),
    );
    wanted = false;
    assert.deepEqual((await Promise.all(results)).map(({ ok }) => ok), [true, true, false, false, false]);
    assert.equal(decompressor.inWork, 0);
  });

  it("codingOf() knows what agents say, and no lists", () => {
    assert.equal(codingOf(undefined), "identity");
    assert.equal(codingOf(" GZIP "), "gzip");
    assert.equal(codingOf("x-gzip"), "gzip");
    assert.equal(codingOf("br"), undefined);
    assert.equal(codingOf("gzip, gzip"), undefined);
  });
});

describe("isWholeZstd()", () => {
  const frame = zstdCompressSync(noise);
  const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const cases: { name: string; bytes: Uint8Array; want: boolean }[] = [
    { name: "one frame", bytes: frame, want: true },
    { name: "two frames", bytes: Buffer.concat([frame, frame]), want: true },
    { name: "a skippable frame behind", bytes: Buffer.concat([frame, skippable]), want: true },
    { name: "something behind", bytes: Buffer.concat([frame, Uint8Array.of(1)]), want: false },
    { name: "nothing", bytes: new Uint8Array(0), want: false },
    { name: "gzip", bytes: gzipSync(noise), want: false },
    { name: "a skippable frame that is cut", bytes: skippable.subarray(0, 9), want: false },
  ];
  for (const { name, bytes, want } of cases) {
    it(`says ${want} of ${name}`, () => assert.equal(isWholeZstd(bytes), want));
  }
});

describe("snappyDecompress()", () => {
  it("reads every kind of element", () => {
    // Literal "abcd", copy of 4 from 4 back (short), of 10 from 8 back (two bytes), of 3 from 1 back (four bytes).
    const block = Uint8Array.of(21, 3 << 2, 97, 98, 99, 100, 1, 4, 9 << 2 | 2, 8, 0, 2 << 2 | 3, 1, 0, 0, 0);
    const result = snappyDecompress(block, 100);
    assert.ok(result.ok);
    assert.equal(Buffer.from(result.bytes).toString(), "abcdabcdabcdabcdabbbb");
  });

  const bad: { name: string; block: number[] }[] = [
    { name: "no length", block: [] },
    { name: "a length without end", block: [128, 128, 128, 128, 128, 1] },
    { name: "an offset of 0", block: [5, 0, 97, 1, 0] },
    { name: "an offset before the beginning", block: [5, 0, 97, 1, 2] },
    { name: "a literal that is cut off", block: [5, 4 << 2, 97] },
    { name: "a literal longer than said", block: [1, 1 << 2, 97, 97] },
    { name: "a copy longer than said", block: [3, 0, 97, 1, 1] },
    { name: "less than said", block: [5, 0, 97] },
    { name: "an element that is cut off", block: [5, 0, 97, 2] },
    { name: "a length that its bytes cannot make", block: [255, 255, 255, 127, 0, 97] },
  ];
  for (const { name, block } of bad) {
    it(`refuses ${name}`, () => {
      assert.deepEqual(snappyDecompress(Uint8Array.from(block), 1 << 30), { ok: false, reason: "malformed" });
    });
  }

  it("gives back whatever was compressed", () => {
    fc.assert(fc.property(fc.array(fc.constantFrom("ab", "abc", "xyz!", "0")), (words) => {
      const bytes = Buffer.from(words.join(""));
      const result = snappyDecompress(snappyCompress(bytes), 1 << 20);
      assert.ok(result.ok && bytes.equals(result.bytes));
    }));
  });
});
