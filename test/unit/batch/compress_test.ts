import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { Compressor, type PackingNeed } from "../../../src/batch/compress.ts";
import { codec as codecBits } from "../../../src/batch/decode.ts";
import { checkPacking, type Codec, type Pack, packNow, packWithZlib } from "../../../src/batch/pack.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import { FakeSink, readBatch, Rig } from "./bench.ts";

/** A compressor behind a rig, and what it sends. */
function compressorOf(
  rig: Rig,
  codec: Codec,
  need?: PackingNeed,
  mustPack: (batch: ClosedBatch) => boolean = () => false,
) {
  const sent: ClosedBatch[] = [];
  const sink = Object.assign(new FakeSink(), { send: (batch: ClosedBatch) => void sent.push(batch) });
  let wants = 0;
  const compressor = new Compressor({
    kernel: rig.kernel,
    codec,
    pack: packOf(codec),
    ...(need === undefined ? {} : { need }),
    mustPack,
    nowMs: () => performance.now(),
    inWorkMax: 2,
    sink,
    wants: () => wants++,
    trim: (batch) => rig.batcher.trim(batch),
  });
  return { compressor, sent, sink, wants: () => wants };
}

/** As a worker packs: node:zlib's own threads, or a thread that answers later, here without the thread. */
function packOf(codec: Codec): Pack {
  if (codec === "gzip" || codec === "zstd") return packWithZlib({ codec });
  return (bytes, done) => {
    const packed = packNow({ codec }, bytes);
    setTimeout(() => done(null, packed.length < bytes.length ? packed : undefined), 1);
  };
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

const magics: Readonly<Record<Codec, readonly number[]>> = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  lz4: [0x04, 0x22, 0x4d, 0x18],
  snappy: [0x82, 0x53, 0x4e, 0x41],
};

for (const codec of ["gzip", "zstd", "lz4", "snappy"] as const) {
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
    const magic = magics[codec];
    assert.deepEqual([...packed.subarray(0, magic.length)], magic);
    if (codec === "gzip") assert.equal(gunzipSync(packed).length, large.rawBytes);
    if (codec === "zstd") assert.equal(zstdDecompressSync(packed).length, large.rawBytes);
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

test("Compressor packs only what its need wants, and keeps the order, when it is asked for each batch", async () => {
  const rig = new Rig(64 * 16 * 1024, { batchBytesMax: 40_000 });
  const asked: boolean[] = [];
  const costs: number[] = [];
  const { compressor, sent, sink } = compressorOf(rig, "lz4", {
    wants: (rawBytes, sinkHungry) => {
      asked.push(sinkHungry);
      return rawBytes > 30_000;
    },
    packed: (rawBytes) => void costs.push(rawBytes),
  });
  for (let i = 0; i < 6; i++) {
    rig.append("t", null, prose(i, i % 2 === 0 ? 39_000 : 1000));
    rig.batcher.closeAll();
  }
  sink.hungry = false;
  const batches = rig.emitted.splice(0);
  for (const batch of batches) compressor.send(batch);
  await until(() => compressor.empty);
  assert.deepEqual(sent, batches);
  assert.deepEqual(sent.map((batch) => batch.attributes), [3, 0, 3, 0, 3, 0]);
  assert.deepEqual(asked, [false, false, false, false, false, false]);
  assert.equal(costs.length, 3);
  assert.deepEqual([compressor.stats().batchesPacked, compressor.stats().batchesPassed], [3, 3]);
});

test("Compressor packs a batch that could not be sent otherwise when there is no need", async () => {
  const rig = new Rig(64 * 16 * 1024, { batchBytesMax: 40_000 });
  const never: PackingNeed = { wants: () => false, packed: () => {} };
  const { compressor, sent } = compressorOf(rig, "zstd", never, ({ at, end }) => end - at > 20_000);
  for (const bytes of [39_000, 1000]) {
    rig.append("t", null, prose(1, bytes));
    rig.batcher.closeAll();
  }
  for (const batch of rig.emitted.splice(0)) compressor.send(batch);
  await until(() => compressor.empty);
  assert.deepEqual(sent.map((batch) => batch.attributes), [4, 0]);
});

test("checkPacking() refuses a level when the codec does not know it", () => {
  assert.throws(() => checkPacking({ codec: "gzip", level: 77 }), { name: "ForwarderError" });
  for (const codec of ["gzip", "zstd", "lz4", "snappy"] as const) checkPacking({ codec });
});
