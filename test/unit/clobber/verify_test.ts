/**
 * Reading lines back: what is counted, batches in all compressions, Kafka's answers, growing files.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import zlib from "node:zlib";
import { openFileSource } from "../../../src/clobber/verify/file_source.ts";
import {
  fetchRequest,
  metadataRequest,
  readFetch,
  readMetadata,
  RequestWriter,
  ResponseReader,
} from "../../../src/clobber/verify/kafka_wire.ts";
import { BatchError, batchesOf, lz4, snappy } from "../../../src/clobber/verify/record_batches.ts";
import { Tally } from "../../../src/clobber/verify/tally.ts";
import { blankMark, uncountedSender, writeMark } from "../../../src/clobber/payload/mark.ts";
import { until } from "../../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "corndog-verify-"));
after(() => rmSync(folder, { recursive: true }));

describe("Tally", () => {
  it("result() tells losses, duplicates, order and latency apart", () => {
    const tally = new Tally();
    const take = (source: number, sender: number, sequence: number): void =>
      tally.take(source, sender, sequence, 1_000_000, 1_250_000);
    for (const sequence of [0, 1, 3, 2, 3, 5]) take(0, 1, sequence);
    take(0, 2, 0);
    take(1, 2, 9); // another partition: 1 afterwards is not out of order there
    take(0, 2, 1);
    const result = tally.result(new Map([[1, 6], [2, 2], [3, 4]]), "here", null);
    assert.equal(result.sent, 12);
    assert.equal(result.arrived, 7);
    assert.equal(result.lost, 5);
    assert.equal(result.duplicates, 1);
    assert.equal(result.reordered, 1);
    assert.equal(result.strange, 1);
    assert.deepEqual(result.worst, [{ sender: 3, sent: 4, lost: 4 }, { sender: 1, sent: 6, lost: 1 }]);
    assert.ok(Math.abs(result.latency!.p50 - 250) < 1);
  });

  it("openWindow() counts what was due since, and nothing of what came late from before", () => {
    const tally = new Tally();
    tally.take(0, 1, 0, 1_000_000, 1_100_000);
    const window = tally.openWindow(2_000_000);
    tally.take(0, 1, 1, 1_999_999, 2_500_000); // late
    tally.take(0, 1, 2, 2_000_000, 2_010_000);
    tally.take(0, 1, 2, 2_000_000, 2_020_000);
    tally.take(0, 1, 1, 1_999_999, 2_600_000);
    assert.deepEqual([window.arrived, window.duplicates, tally.arrived, tally.duplicates], [1, 1, 3, 2]);
    assert.ok(Math.abs(window.latency().maxMs - 10) < 0.1);
    const next = tally.openWindow(3_000_000);
    tally.take(0, 1, 3, 2_500_000, 3_000_000);
    assert.deepEqual([window.arrived, next.arrived], [1, 0]);
  });

  it("take() leaves out lines of slow readers, which do not count", () => {
    const tally = new Tally();
    tally.take(0, uncountedSender, 0, 0, 0);
    tally.take(0, uncountedSender, 0, 0, 0);
    assert.deepEqual([tally.arrived, tally.duplicates], [0, 0]);
  });

  it("take() does not ask for memory because of a damaged sequence", () => {
    const tally = new Tally();
    tally.take(0, 0, 2 ** 32 - 1, 0, 0);
    assert.equal(tally.arrived, 0);
  });
});

/** A batch with `records` as its (compressed) records. */
function batch(records: Buffer, attributes: number, baseOffset = 7, count = 3): Buffer {
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(BigInt(baseOffset), 0);
  head.writeInt32BE(49 + records.length, 8);
  head[16] = 2;
  head.writeInt16BE(attributes, 21);
  head.writeInt32BE(count - 1, 23);
  return Buffer.concat([head, records]);
}

const text = Buffer.from("abcabcabcabcabcabc and the rest");
/** "abc", then a copy of 15 bytes from 3 back, then 13 literals. */
const snappyText = Buffer.concat([
  Buffer.from([text.length, 2 << 2]),
  Buffer.from("abc"),
  Buffer.from([(15 - 1) << 2 | 2, 3, 0, 12 << 2]),
  Buffer.from(" and the rest"),
]);
const lz4Block = Buffer.concat([
  Buffer.from([3 << 4 | 11]),
  Buffer.from("abc"),
  Buffer.from([3, 0, 13 << 4]),
  Buffer.from(" and the rest"),
]);
const lz4Frame = Buffer.concat([
  Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, lz4Block.length, 0, 0, 0]),
  lz4Block,
  Buffer.alloc(4),
]);
const xerial = Buffer.concat([
  Buffer.from([0x82]),
  Buffer.from("SNAPPY\0"),
  Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, snappyText.length]),
  snappyText,
]);

describe("batchesOf()", () => {
  const forms: readonly { name: string; attributes: number; records: Buffer }[] = [
    { name: "no compression", attributes: 0, records: text },
    { name: "gzip", attributes: 1, records: zlib.gzipSync(text) },
    { name: "snappy", attributes: 2, records: snappyText },
    { name: "snappy in the Java client's blocks", attributes: 2, records: xerial },
    { name: "lz4", attributes: 3, records: lz4Frame },
    { name: "zstd", attributes: 4, records: zlib.zstdCompressSync(text) },
  ];
  for (const { name, attributes, records } of forms) {
    it(`gives the records when there is ${name}`, () => {
      const [only, ...others] = [...batchesOf(batch(records, attributes))];
      assert.equal(only!.records.toString(), text.toString());
      assert.equal(only!.next, 10);
      assert.equal(others.length, 0);
    });
  }

  it("leaves out a batch that is cut, and the records of a control batch", () => {
    const whole = batch(text, 0);
    const all = [...batchesOf(Buffer.concat([whole, batch(text, 0x20, 10, 1), whole.subarray(0, 70)]))];
    assert.deepEqual(all.map(({ records, next }) => [records.length, next]), [[text.length, 10], [0, 11]]);
  });

  it("refuses formats that it does not know, and damaged compressions", () => {
    const old = batch(text, 0);
    old[16] = 1;
    assert.throws(() => [...batchesOf(old)], BatchError);
    assert.throws(() => [...batchesOf(batch(text, 5))], BatchError);
    assert.throws(() => snappy(Buffer.from([10, 5 << 2 | 2, 99, 0])), BatchError);
    assert.throws(() => lz4(Buffer.from("no frame at all")), BatchError);
  });
});

describe("Kafka's protocol", () => {
  it("requests stand in their frames", () => {
    const bytes = metadataRequest(5);
    assert.equal(bytes.readInt32BE(0), bytes.length - 4);
    assert.deepEqual([bytes.readInt16BE(4), bytes.readInt16BE(6), bytes.readInt32BE(8)], [3, 1, 5]);
    const from = { topic: "t", partition: 2, leader: 1, offset: 42 };
    const fetch = fetchRequest(6, [from, { ...from, partition: 3 }], 100, 1000);
    assert.equal(fetch.readInt32BE(0), fetch.length - 4);
    assert.deepEqual([fetch.readInt16BE(4), fetch.readInt16BE(6)], [1, 4]);
  });

  it("answers are read as they were written", () => {
    const metadata = new RequestWriter()
      .int32(1).int32(4).string("h").int32(9092).int16(-1) // one broker without a rack
      .int32(4)
      .int32(1).int16(0).string("logs").int8(0)
      .int32(1).int16(0).int32(2).int32(4).int32(1).int32(4).int32(1).int32(4);
    const body = metadata.frame(3, 1).subarray(4 + 2 + 2 + 4 + 2 + "corndog-clobber".length);
    const view = readMetadata(new ResponseReader(body));
    assert.deepEqual([...view.brokers], [[4, { host: "h", port: 9092 }]]);
    assert.deepEqual(view.partitions, [{ topic: "logs", partition: 2, leader: 4 }]);
  });

  it("an answer that is cut throws a RangeError instead of giving half of it", () => {
    const bytes = new RequestWriter().int32(0).int32(1).string("logs").int32(1).frame(1, 1);
    const body = bytes.subarray(4 + 2 + 2 + 4 + 2 + "corndog-clobber".length);
    assert.throws(() => readFetch(new ResponseReader(body)), RangeError);
  });
});

describe("openFileSource()", () => {
  const line = (sequence: number): string => {
    const bytes = Buffer.from(`{"value":"${blankMark("abcd")}"}\n`);
    writeMark(bytes, 10, 1, sequence, 1000);
    return bytes.toString();
  };

  it("counts what is written from then on, also cut, nested and in new files", async () => {
    const dir = join(folder, "data");
    mkdirSync(join(dir, "topic"), { recursive: true });
    writeFileSync(join(dir, "topic", "old"), line(900));
    const tally = new Tally();
    const source = openFileSource(dir, "abcd", tally);
    appendFileSync(join(dir, "topic", "old"), line(0) + line(1).slice(0, 25));
    await until("the first line", () => tally.arrived === 1 || undefined);
    appendFileSync(join(dir, "topic", "old"), line(1).slice(25));
    mkdirSync(join(dir, "other"));
    writeFileSync(join(dir, "other", "new"), line(2));
    await until("all lines", () => tally.arrived === 3 || undefined);
    await source.close();
    assert.equal(tally.duplicates, 0);
    assert.equal(tally.result(new Map([[1, 3]]), "", null).lost, 0);
  });

  it("waits for a folder that does not exist yet", async () => {
    const tally = new Tally();
    const dir = join(folder, "later");
    const source = openFileSource(dir, "abcd", tally);
    mkdirSync(dir);
    writeFileSync(join(dir, "f"), line(0));
    await until("the line", () => tally.arrived === 1 || undefined);
    await source.close();
  });
});
