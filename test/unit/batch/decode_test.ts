import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { codec, decodeBatch, openBatch } from "../../../src/batch/decode.ts";
import { type Codec, packNow } from "../../../src/batch/pack.ts";
import { crc32c } from "../../../src/batch/crc32c.ts";
import { RecordReader } from "../../../src/batch/record_reader.ts";
import type { ClosedBatch } from "../../../src/batch/record_batch.ts";
import { batchHeaderBytes, type Kernel } from "../../../src/kernel/kernel.ts";
import { Rig, smallKernel } from "./bench.ts";

const epoch = 1_700_000_000_000;

/** A sealed batch with `values`, packed with `kind`. */
function sealed(values: readonly string[], kind: number): Uint8Array {
  const rig = new Rig(16 * 16 * 1024, { batchBytesMax: 128 * 1024 });
  values.forEach((value, i) => rig.append("t", i % 2 === 0 ? `k${i}` : null, value, epoch + i));
  rig.batcher.closeAll();
  const { at, end, count, baseTimestampMs, maxTimestampMs } = rig.emitted[0]!;
  const { kernel } = rig;
  const records = kernel.bytes.slice(at + batchHeaderBytes, end);
  const name = (["gzip", "snappy", "lz4", "zstd"] as const).find((name: Codec) => codec[name] === kind);
  const packed = name === undefined ? records : packNow({ codec: name }, records);
  kernel.bytes.set(packed, at + batchHeaderBytes);
  const packedEnd = at + batchHeaderBytes + packed.length;
  kernel.sealBatch(at, packedEnd, count, baseTimestampMs, maxTimestampMs, 77n, 3, 9, kind, -1);
  return kernel.bytes.slice(at, packedEnd);
}

/** Reads to the end; the number of records, or the fault. */
function drain(reader: RecordReader): number | string {
  let count = 0;
  while (reader.next()) {
    count++;
    reader.key();
    reader.value();
    reader.headers();
  }
  return reader.fault ?? count;
}

for (const [name, kind] of Object.entries(codec)) {
  test(`decodeBatch() reads what the kernel sealed when the codec is ${name}`, () => {
    const values = ["", "one", "\u0000ÿ", "x".repeat(5000)];
    const decoded = decodeBatch(sealed(values, kind));
    if (!decoded.ok) return assert.fail(decoded.fault);
    assert.deepEqual(decoded.header, {
      baseOffset: 0n,
      bytes: decoded.header.bytes,
      attributes: kind,
      baseTimestampMs: epoch,
      maxTimestampMs: epoch + 3,
      producerId: 77n,
      producerEpoch: 3,
      baseSequence: 9,
      count: 4,
    });
    const found: unknown[] = [];
    for (const reader = decoded.records; reader.next();) {
      const key = reader.key();
      found.push([
        key === null ? null : Buffer.from(key).toString(),
        Buffer.from(reader.value()!).toString(),
        reader.timestampMs,
        reader.offsetDelta,
      ]);
    }
    assert.deepEqual(found, values.map((value, i) => [i % 2 === 0 ? `k${i}` : null, value, epoch + i, i]));
    assert.equal(decoded.records.fault, undefined);
  });
}

test("RecordReader reads headers and null values when a record has them", () => {
  const record = [
    0,
    0,
    0,
    1,
    1,
    6, // attributes, deltas, null key, null value, three headers
    2,
    97,
    4,
    1,
    2, // a: 01 02
    4,
    98,
    99,
    1, // bc: null
    0,
    0, // "": empty
  ];
  const bytes = Uint8Array.from([record.length * 2, ...record]);
  const reader = new RecordReader(bytes, 0, bytes.length, 1, epoch);
  assert.ok(reader.next());
  assert.equal(reader.value(), null);
  assert.equal(reader.key(), null);
  assert.deepEqual(reader.headers().map(({ name, value }) => [name, value === null ? null : [...value]]), [
    ["a", [1, 2]],
    ["bc", null],
    ["", []],
  ]);
  assert.equal(reader.next(), false);
  assert.equal(reader.fault, undefined);
});

const badRecords: { name: string; bytes: number[]; count: number; want: string }[] = [
  { name: "the length is cut off", bytes: [0x80], count: 1, want: "record_malformed" },
  {
    name: "the length has six bytes",
    bytes: [0x80, 0x80, 0x80, 0x80, 0x80, 1],
    count: 1,
    want: "record_malformed",
  },
  { name: "the length is negative", bytes: [1, 0], count: 1, want: "record_overruns" },
  {
    name: "the record is longer than the section",
    bytes: [14, 0, 0, 0, 1, 1, 0],
    count: 1,
    want: "record_overruns",
  },
  {
    name: "the key is longer than the record",
    bytes: [12, 0, 0, 0, 8, 1, 0],
    count: 1,
    want: "record_parts_disagree",
  },
  {
    name: "the value's length is -2",
    bytes: [12, 0, 0, 0, 1, 3, 0],
    count: 1,
    want: "record_parts_disagree",
  },
  {
    name: "there are more headers than bytes",
    bytes: [12, 0, 0, 0, 1, 1, 20],
    count: 1,
    want: "record_parts_disagree",
  },
  {
    name: "bytes are left in the record",
    bytes: [14, 0, 0, 0, 1, 1, 0, 0],
    count: 1,
    want: "record_parts_disagree",
  },
  { name: "there are fewer records", bytes: [12, 0, 0, 0, 1, 1, 0], count: 2, want: "record_count_wrong" },
  {
    name: "there are more records",
    bytes: [12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0],
    count: 1,
    want: "record_count_wrong",
  },
  {
    name: "the time is no time",
    bytes: [30, 0, 254, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 1, 1, 0],
    count: 1,
    want: "timestamp_out_of_range",
  },
];

for (const { name, bytes, count, want } of badRecords) {
  test(`RecordReader.next() says ${want} when ${name}`, () => {
    assert.equal(drain(new RecordReader(Uint8Array.from(bytes), 0, bytes.length, count, epoch)), want);
  });
}

const badBatches: { name: string; damage: (bytes: Uint8Array) => Uint8Array; want: string }[] = [
  { name: "the header is cut off", damage: (b) => b.subarray(0, 60), want: "batch_cut_off" },
  { name: "the records are cut off", damage: (b) => b.subarray(0, b.length - 1), want: "batch_cut_off" },
  { name: "the magic is 1", damage: (b) => (b[16] = 1, b), want: "magic_unknown" },
  { name: "a bit of a record is wrong", damage: (b) => (b[b.length - 2]! ^= 4, b), want: "crc_wrong" },
  { name: "the codec is none that there is", damage: (b) => recrc((b[22] = 5, b)), want: "codec_unknown" },
  {
    name: "raw bytes claim to be snappy",
    damage: (b) => recrc((b[22] = 2, b)),
    want: "decompression_failed",
  },
  { name: "raw bytes claim to be lz4", damage: (b) => recrc((b[22] = 3, b)), want: "decompression_failed" },
  { name: "raw bytes claim to be gzip", damage: (b) => recrc((b[22] = 1, b)), want: "decompression_failed" },
  { name: "raw bytes claim to be zstd", damage: (b) => recrc((b[22] = 4, b)), want: "decompression_failed" },
];

function recrc(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(17, crc32c(bytes.subarray(21)));
  return bytes;
}

for (const { name, damage, want } of badBatches) {
  test(`decodeBatch() says ${want} when ${name}`, () => {
    const decoded = decodeBatch(damage(sealed(["one", "two"], codec.none)));
    assert.equal(decoded.ok ? "ok" : decoded.fault, want);
  });
}

test("decodeBatch() unpacks no more than allowed when a batch is a bomb", () => {
  for (const kind of [codec.gzip, codec.zstd]) {
    const bytes = sealed(["a".repeat(50_000), "b".repeat(50_000)], kind);
    assert.ok(bytes.length < 2000);
    assert.equal(decodeBatch(bytes).ok, true);
    const decoded = decodeBatch(bytes, 90_000);
    assert.equal(decoded.ok ? "ok" : decoded.fault, "decompression_failed");
  }
});

test("decodeBatch() ends with records or a fault, and in time, when any bytes are changed", () => {
  const values = Array.from({ length: 20 }, (_, i) => `${i} `.repeat(i + 1));
  const originals = Object.values(codec).map((kind) => sealed(values, kind));
  fc.assert(
    fc.property(
      fc.constantFrom(...originals),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.option(fc.nat()),
      fc.boolean(),
      (original, changes, cut, fixCrc) => {
        let bytes: Uint8Array = original.slice();
        // Behind the CRC, or every change would end there.
        for (const [at, value] of changes) bytes[21 + at % (bytes.length - 21)] = value;
        if (cut !== null) bytes = bytes.slice(0, cut % bytes.length);
        if (bytes.length >= batchHeaderBytes) {
          new DataView(bytes.buffer).setInt32(8, bytes.length - 12);
          if (fixCrc) recrc(bytes);
        }
        const decoded = decodeBatch(bytes, 1024 * 1024);
        if (decoded.ok) drain(decoded.records);
        else assert.ok(typeof decoded.fault === "string");
      },
    ),
    { numRuns: 3000 },
  );
});

test("RecordReader never leaves its section when the bytes are random", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: -5, max: 2 ** 31 - 1 }),
      (bytes, count) => {
        const around = new Uint8Array(bytes.length + 64).fill(0x7f);
        around.set(bytes, 32);
        const reader = new RecordReader(around, 32, 32 + bytes.length, count, 0);
        for (let i = 0; reader.next(); i++) {
          assert.ok(i < bytes.length);
          for (
            const part of [
              reader.key(),
              reader.value(),
              ...reader.headers().map((header) => header.value),
            ]
          ) {
            if (part === null) continue;
            assert.ok(part.byteOffset >= 32 && part.byteOffset + part.length <= 32 + bytes.length);
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("RecordReader goes back to its mark when what was read came to nothing", () => {
  const bytes = sealed(["a", "b", "c", "d"], codec.none);
  const decoded = decodeBatch(bytes);
  if (!decoded.ok) return assert.fail(decoded.fault);
  const reader = decoded.records;
  reader.next();
  reader.mark();
  reader.next();
  reader.next();
  reader.unread();
  const delta = () => reader.next() ? reader.offsetDelta : -1;
  assert.equal(delta(), 2);
  reader.reset();
  assert.equal(delta(), 1);
  assert.equal(drain(reader), 2);
});

test("openBatch() reads a closed batch in place when its header was never written", () => {
  const rig = new Rig(16 * 16 * 1024);
  rig.append("t", null, "in place");
  rig.batcher.closeAll();
  const opened = openBatch(rig.kernel.bytes, rig.emitted[0]!);
  if (!opened.ok) return assert.fail(opened.fault);
  assert.ok(opened.records.next());
  assert.equal(opened.records.value()!.buffer, rig.kernel.bytes.buffer);
});

test("openBatch() says what is wrong when a closed batch is no batch", () => {
  const kernel: Kernel = smallKernel(64 * 1024);
  const batch = {
    at: kernel.arenaAt,
    end: kernel.arenaAt + 100,
    count: 3,
    attributes: 4,
    rawBytes: 10,
  } as ClosedBatch;
  const opened = openBatch(kernel.bytes, batch);
  assert.equal(opened.ok ? "ok" : opened.fault, "decompression_failed");
});

test("crc32c() gives the check value of the catalogue when it sums 123456789", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe306_9283);
});
