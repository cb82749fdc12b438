import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createKernel } from "../../../src/kernel/instance.ts";
import { batchHeaderBytes, frameFlag, framePart, recordBytesMax } from "../../../src/kernel/kernel.ts";
import { markHeaderBytesMax, markText } from "../../../src/kernel/marks.ts";
import { crc32cOracle } from "./oracle_crc32c.ts";
import { decodeBatchHeader, decodeRecords } from "./oracle_records.ts";
import { latin1, putInput } from "./rows.ts";

const kernel = createKernel({ scratchBytes: 512 * 1024, arenaBytes: 1024 * 1024 });
const { arenaAt, scratchAt, inputAt } = kernel;

const lengths = fc.oneof(fc.integer({ min: 0, max: 80 }), fc.constantFrom(127, 128, 255, 8191, 8192, 20_000));
const deltas = fc.oneof(fc.integer(), fc.constantFrom(0, 63, 64, 8191, 8192, 2 ** 31 - 1));
const timestampDeltas = fc.oneof(
  fc.integer(),
  fc.constantFrom(0, -1, 2 ** 40, -(2 ** 40), Number.MAX_SAFE_INTEGER),
);

function filled(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff);
}

/** A Kafka record header block as the callers encode it: only lengths below 64 here, so every varint is one byte. */
function headerBlock(pairs: readonly (readonly [string, string])[]): Uint8Array {
  const text = pairs.map(([key, value]) =>
    String.fromCharCode(key.length * 2) + key + String.fromCharCode(value.length * 2) + value
  );
  return latin1(String.fromCharCode(pairs.length * 2) + text.join(""));
}

test("encodeRecord() is decoded to its parts when they have any size", () => {
  fc.assert(
    fc.property(
      fc.option(lengths, { nil: undefined }),
      lengths,
      deltas,
      timestampDeltas,
      fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,20}$/), fc.stringMatching(/^[a-z]{0,20}$/)), {
        maxLength: 3,
      }),
      (keyLength, valueLength, offsetDelta, timestampDelta, headers) => {
        const key = keyLength === undefined ? null : filled(keyLength, 7);
        const value = filled(valueLength, 3);
        const headerBytes = headers.length === 0 ? new Uint8Array(0) : headerBlock(headers);
        kernel.bytes.set(key ?? [], scratchAt);
        kernel.bytes.set(value, scratchAt + 100_000);
        kernel.bytes.set(headerBytes, scratchAt + 200_000);
        const bytesMax = recordBytesMax(keyLength ?? -1, valueLength, headerBytes.length);
        kernel.bytes.fill(0xee, arenaAt, arenaAt + bytesMax + 16);
        const end = kernel.encodeRecord(
          arenaAt,
          offsetDelta,
          timestampDelta,
          scratchAt,
          keyLength ?? -1,
          scratchAt + 100_000,
          valueLength,
          scratchAt + 200_000,
          headerBytes.length,
        );
        assert.ok(end - arenaAt <= bytesMax, "recordBytesMax is a bound");
        assert.ok(kernel.bytes.subarray(end, arenaAt + bytesMax + 16).every((byte) => byte === 0xee));
        assert.deepEqual(decodeRecords(kernel.bytes.slice(arenaAt, end)), [{
          attributes: 0,
          timestampDelta: BigInt(timestampDelta),
          offsetDelta: BigInt(offsetDelta),
          key,
          value,
          headers: headers.map(([name, text]) => ({ key: name, value: latin1(text) })),
        }]);
      },
    ),
    { numRuns: 1000 },
  );
});

test("encodeRows() encodes a run of rows when there is room", () => {
  const lines = ["<13>1 - h a - - - first", "no header", "<14>Dec  2 16:31:03 h app: third"];
  const input = latin1(lines.join("\n") + "\n");
  putInput(kernel, input);
  assert.equal(kernel.scanNewline(inputAt, inputAt + input.length), 3);
  kernel.parseHeaders(0, 3);
  const parts = [
    { part: framePart.raw, want: lines },
    { part: framePart.message, want: ["first", "no header", "third"] },
  ];
  for (const { part, want } of parts) {
    assert.equal(kernel.encodeRows(0, 3, part, arenaAt, arenaAt + 10_000, 62, -5), 3);
    const records = decodeRecords(kernel.bytes.slice(arenaAt, kernel.encodedEnd));
    assert.deepEqual(records.map((record) => new TextDecoder().decode(record.value!)), want);
    assert.deepEqual(records.map((record) => record.offsetDelta), [62n, 63n, 64n]);
    for (const [index, record] of records.entries()) {
      assert.equal(record.timestampDelta, -5n);
      assert.equal(record.key, null);
      assert.deepEqual(
        record.headers,
        index === 1 ? [{ key: "corndog.flags", value: latin1("unparsed") }] : [],
      );
    }
  }
});

test("encodeRows() says in a header what is the matter with a row when it has any of the flags", () => {
  const { truncated, split, continued, unparsed } = frameFlag;
  const marks = [truncated, split, continued, unparsed];
  const value = latin1("x".repeat(300));
  const room = recordBytesMax(-1, value.length, markHeaderBytesMax);
  for (let mark = 0; mark < 16; mark++) {
    const flags: number = marks.reduce<number>(
      (sum, flag, bit) => ((mark >> bit) & 1) === 1 ? sum | flag : sum,
      frameFlag.parsed,
    );
    putInput(kernel, value);
    kernel.rowOf(inputAt, inputAt + value.length);
    kernel.words[kernel.rowsAt / 4 + 2] = flags | frameFlag.ascii;
    const text = ["truncated", "split", "continued", "unparsed"].filter((_, bit) => (mark >> bit) & 1).join(
      " ",
    );
    assert.equal(markText(flags), text);
    if (mark > 0) assert.equal(kernel.encodeRows(0, 1, framePart.raw, arenaAt, arenaAt + room - 1, 7, 3), 0);
    assert.equal(kernel.encodeRows(0, 1, framePart.raw, arenaAt, arenaAt + room, 7, 3), 1);
    const [record] = decodeRecords(kernel.bytes.slice(arenaAt, kernel.encodedEnd));
    assert.deepEqual(record!.headers, mark === 0 ? [] : [{ key: "corndog.flags", value: latin1(text) }]);
    assert.deepEqual([record!.value, record!.offsetDelta, record!.timestampDelta], [value, 7n, 3n]);
  }
});

test("encodeRows() stops at the first row without room when the limit is below, at and above a row", () => {
  const input = latin1(`${"a".repeat(100)}\n${"b".repeat(200)}\n`);
  putInput(kernel, input);
  kernel.scanNewline(inputAt, inputAt + input.length);
  const one = recordBytesMax(-1, 100, 0);
  for (const [room, rows] of [[one - 1, 0], [one, 1], [one + 1, 1], [10_000, 2]] as const) {
    assert.equal(kernel.encodeRows(0, 2, framePart.raw, arenaAt, arenaAt + room, 0, 0), rows);
    assert.equal(decodeRecords(kernel.bytes.slice(arenaAt, kernel.encodedEnd)).length, rows);
  }
});

test("encodeRows() goes on where it stopped when called again", () => {
  const input = latin1(Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join(""));
  putInput(kernel, input);
  assert.equal(kernel.scanNewline(inputAt, inputAt + input.length), 50);
  const values: string[] = [];
  for (let row = 0; row < 50;) {
    const next = kernel.encodeRows(row, 50, framePart.raw, arenaAt, arenaAt + 200, row, 0);
    assert.ok(next > row, "progress");
    for (const record of decodeRecords(kernel.bytes.slice(arenaAt, kernel.encodedEnd))) {
      assert.equal(record.offsetDelta, BigInt(values.length));
      values.push(new TextDecoder().decode(record.value!));
    }
    row = next;
  }
  assert.deepEqual(values, Array.from({ length: 50 }, (_, i) => `line ${i}`));
});

test("encodeRows() copies every length exactly when lengths run over all copy loops", () => {
  for (let length = 1; length <= 200; length++) {
    const line = filled(length, length).map((byte) => (byte === 10 || byte === 13 ? 65 : byte));
    putInput(kernel, Uint8Array.from([...line, 10]));
    assert.equal(kernel.scanNewline(inputAt, inputAt + length + 1), 1);
    kernel.encodeRows(0, 1, framePart.raw, arenaAt, arenaAt + 1000, 0, 0);
    assert.deepEqual(decodeRecords(kernel.bytes.slice(arenaAt, kernel.encodedEnd))[0]!.value, line);
  }
});

test("sealBatch() writes the header of KIP-98 when the batch is small or large, its records' CRC known or not", () => {
  const batches = [false, true].flatMap((known) => [
    { count: 1, valueLength: 0, ids: [-1n, -1, -1] as const, attributes: 0, known },
    { count: 3, valueLength: 5000, ids: [123_456_789_012n, 7, 2 ** 31 - 1] as const, attributes: 4, known },
    { count: 12, valueLength: 50_000, ids: [2n ** 62n, 32_767, 0] as const, attributes: 0, known },
  ]);
  for (const { count, valueLength, ids, attributes, known } of batches) {
    kernel.bytes.set(filled(valueLength, count), scratchAt);
    let at = arenaAt + batchHeaderBytes;
    for (let i = 0; i < count; i++) at = kernel.encodeRecord(at, i, i, 0, -1, scratchAt, valueLength, 0, 0);
    kernel.sealBatch(
      arenaAt,
      at,
      count,
      1_780_000_000_000,
      1_780_000_000_123,
      ids[0],
      ids[1],
      ids[2],
      attributes,
      known ? crc32cOracle(kernel.bytes.subarray(arenaAt + batchHeaderBytes, at)) : -1,
    );
    const batch = kernel.bytes.slice(arenaAt, at);
    assert.deepEqual(decodeBatchHeader(batch), {
      baseOffset: 0n,
      batchLength: batch.length - 12,
      partitionLeaderEpoch: -1,
      magic: 2,
      crc: crc32cOracle(batch.subarray(21)),
      attributes,
      lastOffsetDelta: count - 1,
      baseTimestamp: 1_780_000_000_000n,
      maxTimestamp: 1_780_000_000_123n,
      producerId: ids[0],
      producerEpoch: ids[1],
      baseSequence: ids[2],
      count,
    });
    assert.equal(decodeRecords(batch.subarray(batchHeaderBytes)).length, count);
  }
});
