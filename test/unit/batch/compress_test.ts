import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { Compressor } from "../../../src/batch/compress.ts";
import { codec as codecBits } from "../../../src/batch/decode.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import { FakeSink, readBatch, Rig } from "./bench.ts";

/** A compressor behind a rig, and what it sends. */
function compressorOf(rig: Rig, codec: "gzip" | "zstd", level?: number) {
  const sent: ClosedBatch[] = [];
  const sink = Object.assign(new FakeSink(), { send: (batch: ClosedBatch) => void sent.push(batch) });
  let wants = 0;
  const compressor = new Compressor({
    kernel: rig.kernel,
    codec,
    level,
    inWorkMax: 2,
    sink,
    wants: () => wants++,
    trim: (batch) => rig.batcher.trim(batch),
  });
  return { compressor, sent, sink, wants: () => wants };
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !condition();) {
    assert.ok(Date.now() < deadline, "in time");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Text that shrinks, and the same for the same seed. */
function prose(seed: number, bytes: number): string {
  let text = "";
  for (let x = seed + 1; text.length < bytes; x = x * 48271 % 2147483647) {
    text += `user ${x % 1000} logged in; `;
  }
  return text.slice(0, bytes);
}

for (const codec of ["gzip", "zstd"] as const) {
  test(`Compressor sends ${codec} batches that read back the same, in order, when sizes differ`, async () => {
    const rig = new Rig(64 * 16 * 1024, { batchBytesMax: 40_000 });
    const { compressor, sent, wants } = compressorOf(rig, codec);
    const values: string[] = [];
    for (let i = 0; i < 24; i++) {
      values.push(prose(i, i % 3 === 0 ? 39_000 : 200 + i));
      assert.ok(rig.append(`t${i % 2}`, null, values[i]!));
      rig.batcher.closeAll();
    }
    const batches = rig.emitted.splice(0);
    const rawUsed = rig.batcher.stats().arenaBytesUsed;
    for (const batch of batches) compressor.send(batch);
    assert.equal(compressor.hungry, false);
    await until(() => compressor.empty);
    assert.equal(compressor.hungry, true);
    assert.ok(wants() >= 1);
    assert.deepEqual(sent, batches);
    assert.deepEqual(
      sent.flatMap((batch) => readBatch(rig.kernel, batch)).map((record) => record.value),
      values,
    );
    assert.ok(rig.batcher.stats().arenaBytesUsed < rawUsed, "memory behind smaller batches came back");
    const large = sent[0]!;
    assert.equal(large.attributes, codecBits[codec]);
    assert.ok(large.end - large.at < large.rawBytes);
    const packed = rig.kernel.bytes.subarray(large.at + batchHeaderBytes, large.end);
    const magic = codec === "gzip" ? [0x1f, 0x8b] : [0x28, 0xb5, 0x2f, 0xfd];
    assert.deepEqual([...packed.subarray(0, magic.length)], magic);
    const raw = codec === "gzip" ? gunzipSync(packed) : zstdDecompressSync(packed);
    assert.equal(raw.length, large.rawBytes);
    const { batchesPacked, bytesIn, bytesOut } = compressor.stats();
    assert.ok(batchesPacked >= 8 && bytesOut < bytesIn);
  });
}

test("Compressor leaves a batch raw when packing does not make it smaller", async () => {
  const rig = new Rig(16 * 16 * 1024);
  const { compressor, sent } = compressorOf(rig, "zstd");
  const noise = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(70)).map((byte) => byte & 127));
  for (const value of ["tiny", noise]) {
    rig.append("t", null, value);
    rig.batcher.closeAll();
  }
  for (const batch of rig.emitted) compressor.send(batch);
  await until(() => compressor.empty);
  assert.deepEqual(sent.map((batch) => batch.attributes), [0, 0]);
  assert.deepEqual(sent.flatMap((batch) => readBatch(rig.kernel, batch)).map((record) => record.value), [
    "tiny",
    noise,
  ]);
  assert.equal(compressor.stats().batchesLeftRaw, 2);
});

test("Compressor is not hungry when its sink is not, and passes on whether it is ready", () => {
  const rig = new Rig(16 * 16 * 1024);
  const { compressor, sink } = compressorOf(rig, "gzip");
  sink.hungry = false;
  sink.ready = false;
  assert.equal(compressor.hungry, false);
  assert.equal(compressor.status().ready, false);
  sink.hungry = true;
  assert.equal(compressor.hungry, true);
});

test("new Compressor() refuses a level when the codec does not know it", () => {
  assert.throws(() => compressorOf(new Rig(16 * 16 * 1024), "gzip", 77), { name: "ForwarderError" });
});
