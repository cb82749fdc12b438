/**
 * The bytes of a segment file, version 1. Numbers are little-endian, checksums are CRC-32C.
 *
 *     segment   header  batch*  [index  trailer]          the last two when it takes no more batches
 *
 *     header    0  "cdspool1"          8  version u16      10 header bytes u16   12 id u32 (random)
 *     (64)     16  number u32         20  session u32      24 made at f64 ms     32 id of the segment before u32
 *              36  committed end of the segment before u32, 0 where there is none
 *              40  bytes that the file had of an older segment u32                 44  zeros
 *              60  crc of [0, 60)
 *
 *     batch     0  "BTCH"              4  crc of the head from 8
 *     head      8  head bytes u16     10  place in its commit u8                 11 zero
 *     (60 +    12  segment id u32     16  index in the segment u32
 *     topic)   20  record bytes u32   24  crc of the records  28 records u32     32 bytes before compression u32
 *              36  partition i32      40  first timestamp f64 ms                 48 last timestamp f64 ms
 *              56  attributes u16     58  topic bytes u16     60 topic
 *     records   as they stand behind the 61 bytes of a Kafka record batch header; that header is made at sending
 *
 *     index     per batch 16: offset u32, record bytes u32, records u32, head bytes u16, topic u16; then the topics,
 *               each u16 and its bytes. A batch that is missing or damaged has record bytes 0 and head bytes 0.
 *
 *     trailer   0  "cdindex1"          8  index offset u32    12 batches u32     16 topics u32   20 index bytes u32
 *     (64)     24  records u32        28  crc of the index    32 oldest f64 ms   40 segment id   44 number u32
 *              48  zeros              60  crc of [0, 60)
 *
 * The segment's id stands in each batch, so that what an older file left on the same blocks is not taken for one.
 * The place in the commit tells where a commit began: what is torn in the last one was never acknowledged. What was
 * committed of a segment stands in the header of the next one, for where a segment was left after a failed write.
 *
 * @module
 */
import { crc32c } from "../batch/crc32c.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";

/** Version of the format; a segment of a later one is left alone. */
export const formatVersion = 1;
/** Bytes of a segment's header. */
export const segmentHeaderBytes = 64;
/** Bytes of a segment's trailer. */
export const trailerBytes = 64;
/** Bytes of a batch's head without its topic. */
export const headBytesMin = 60;
/** Kafka's bound of a topic name. */
export const topicBytesMax = 249;
/** Most bytes of a head. It must fit the headroom and the header of a batch. */
export const headBytesMax = headBytesMin + topicBytesMax;
/** "BTCH" as a number. */
export const batchMagic = 0x48435442;
/** Batches of one commit. */
export const groupBatchesMax = 8;

const segmentMagic = "cdspool1";
const trailerMagic = "cdindex1";
const checkedBytes = 60;
/** First byte of a head that its checksum covers. */
const headCheckedFrom = 8;

const utf8 = new TextDecoder();
const toUtf8 = new TextEncoder();

/** What a segment's header says. */
export interface SegmentHeader {
  readonly id: number;
  readonly number: number;
  readonly session: number;
  readonly madeAtMs: number;
  /** The segment that was in writing before this one, and how much of it was committed; 0 where there was none. */
  readonly beforeId: number;
  readonly beforeEnd: number;
  /** The file was an older segment's and had so many bytes: what names another id in them means nothing. 0: a new file. */
  readonly reusedBytes: number;
}

/** A header, or why it is none. */
export type ReadHeader =
  | { readonly ok: true; readonly header: SegmentHeader }
  | { readonly ok: false; readonly fault: "not_a_segment" | "crc_mismatch" | "newer_version" };

/** Encodes a segment's header. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const { bytes, view } = block(segmentMagic);
  view.setUint16(8, formatVersion, true);
  view.setUint16(10, segmentHeaderBytes, true);
  view.setUint32(12, header.id, true);
  view.setUint32(16, header.number, true);
  view.setUint32(20, header.session, true);
  view.setFloat64(24, header.madeAtMs, true);
  view.setUint32(32, header.beforeId, true);
  view.setUint32(36, header.beforeEnd, true);
  view.setUint32(40, header.reusedBytes, true);
  return seal(bytes, view);
}

/** Reads a segment's header from its first 64 bytes. */
export function readSegmentHeader(bytes: Uint8Array): ReadHeader {
  const view = checked(bytes, segmentMagic);
  if (view === undefined) return { ok: false, fault: "not_a_segment" };
  if (view.getUint32(checkedBytes, true) !== crc32c(bytes.subarray(0, checkedBytes))) {
    return { ok: false, fault: "crc_mismatch" };
  }
  if (view.getUint16(8, true) > formatVersion) return { ok: false, fault: "newer_version" };
  return {
    ok: true,
    header: {
      id: view.getUint32(12, true),
      number: view.getUint32(16, true),
      session: view.getUint32(20, true),
      madeAtMs: view.getFloat64(24, true),
      beforeId: view.getUint32(32, true),
      beforeEnd: view.getUint32(36, true),
      reusedBytes: view.getUint32(40, true),
    },
  };
}

/** What a trailer says. */
export interface Trailer {
  readonly indexAt: number;
  readonly batches: number;
  readonly topics: number;
  readonly indexBytes: number;
  readonly records: number;
  readonly indexCrc: number;
  /** Receive time of the oldest batch, epoch ms. */
  readonly oldestMs: number;
  readonly id: number;
  readonly number: number;
}

/** Encodes a trailer. */
export function encodeTrailer(trailer: Trailer): Uint8Array {
  const { bytes, view } = block(trailerMagic);
  const words = [trailer.indexAt, trailer.batches, trailer.topics, trailer.indexBytes, trailer.records];
  words.forEach((word, index) => view.setUint32(8 + 4 * index, word, true));
  view.setUint32(28, trailer.indexCrc, true);
  view.setFloat64(32, trailer.oldestMs, true);
  view.setUint32(40, trailer.id, true);
  view.setUint32(44, trailer.number, true);
  return seal(bytes, view);
}

/** Reads the last 64 bytes of a segment; undefined where they are no trailer. */
export function readTrailer(bytes: Uint8Array): Trailer | undefined {
  const view = checked(bytes, trailerMagic);
  if (view?.getUint32(checkedBytes, true) !== crc32c(bytes.subarray(0, checkedBytes))) return undefined;
  return {
    indexAt: view.getUint32(8, true),
    batches: view.getUint32(12, true),
    topics: view.getUint32(16, true),
    indexBytes: view.getUint32(20, true),
    records: view.getUint32(24, true),
    indexCrc: view.getUint32(28, true),
    oldestMs: view.getFloat64(32, true),
    id: view.getUint32(40, true),
    number: view.getUint32(44, true),
  };
}

/** What a batch's head says, without its place in the file. */
export interface BatchHead {
  readonly headBytes: number;
  readonly groupPlace: number;
  readonly segmentId: number;
  readonly index: number;
  readonly recordBytes: number;
  readonly recordCrc: number;
  readonly count: number;
  readonly rawBytes: number;
  readonly partition: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly attributes: number;
  readonly topic: string;
}

/** Checksum of a stretch of memory; the kernel's where there is one. */
export type Checksum = (at: number, length: number) => number;

/** Topic names as bytes, remembered: a forwarder has few topics and many batches. */
export class TopicNames {
  readonly #bytes = new Map<string, Uint8Array>();

  /** UTF-8 of a topic. */
  bytesOf(topic: string): Uint8Array {
    let bytes = this.#bytes.get(topic);
    if (bytes === undefined) {
      if (this.#bytes.size >= namesMax) this.#bytes.clear();
      bytes = toUtf8.encode(topic);
      this.#bytes.set(topic, bytes);
    }
    return bytes;
  }
}

/** More topics than this are encoded again and again. */
const namesMax = 10_000;

/** Writes a head at `at` of `view`; `topic` are the topic's bytes. `checksum` reads the same memory. */
export function writeHead(
  view: DataView,
  at: number,
  head: Omit<BatchHead, "topic" | "headBytes">,
  topic: Uint8Array,
  checksum: Checksum,
): void {
  const headBytes = headBytesMin + topic.length;
  view.setUint32(at, batchMagic, true);
  view.setUint16(at + 8, headBytes, true);
  view.setUint8(at + 10, head.groupPlace);
  view.setUint8(at + 11, 0);
  view.setUint32(at + 12, head.segmentId, true);
  view.setUint32(at + 16, head.index, true);
  view.setUint32(at + 20, head.recordBytes, true);
  view.setUint32(at + 24, head.recordCrc, true);
  view.setUint32(at + 28, head.count, true);
  view.setUint32(at + 32, head.rawBytes, true);
  view.setInt32(at + 36, head.partition, true);
  view.setFloat64(at + 40, head.baseTimestampMs, true);
  view.setFloat64(at + 48, head.maxTimestampMs, true);
  view.setUint16(at + 56, head.attributes, true);
  view.setUint16(at + 58, topic.length, true);
  new Uint8Array(view.buffer, view.byteOffset + at + headBytesMin, topic.length).set(topic);
  view.setUint32(at + 4, checksum(at + headCheckedFrom, headBytes - headCheckedFrom), true);
}

/** Reads the head at `at`, of which [at, end) is there; undefined where there is none that is whole. */
export function readHead(view: DataView, at: number, end: number, checksum: Checksum): BatchHead | undefined {
  if (at + headBytesMin > end || view.getUint32(at, true) !== batchMagic) return undefined;
  const headBytes = view.getUint16(at + 8, true);
  const topicBytes = view.getUint16(at + 58, true);
  if (headBytes !== headBytesMin + topicBytes || headBytes > headBytesMax || at + headBytes > end) {
    return undefined;
  }
  if (view.getUint32(at + 4, true) !== checksum(at + headCheckedFrom, headBytes - headCheckedFrom)) {
    return undefined;
  }
  return {
    headBytes,
    groupPlace: view.getUint8(at + 10),
    segmentId: view.getUint32(at + 12, true),
    index: view.getUint32(at + 16, true),
    recordBytes: view.getUint32(at + 20, true),
    recordCrc: view.getUint32(at + 24, true),
    count: view.getUint32(at + 28, true),
    rawBytes: view.getUint32(at + 32, true),
    partition: view.getInt32(at + 36, true),
    baseTimestampMs: view.getFloat64(at + 40, true),
    maxTimestampMs: view.getFloat64(at + 48, true),
    attributes: view.getUint16(at + 56, true),
    topic: utf8.decode(new Uint8Array(view.buffer, view.byteOffset + at + headBytesMin, topicBytes)),
  };
}

/** Where the head of a batch whose header begins at `batchAt` begins in memory: it ends where the records begin. */
export function headAt(batchAt: number, headBytes: number): number {
  return batchAt + batchHeaderBytes - headBytes;
}

/** `0000000012.seg` */
export function segmentName(number: number): string {
  return `${String(number).padStart(10, "0")}.seg`;
}

/** The number in a segment's name; undefined where it is none. */
export function segmentNumber(name: string): number | undefined {
  return /^\d{10}\.seg$/.test(name) ? Number(name.slice(0, 10)) : undefined;
}

function block(magic: string): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(segmentHeaderBytes);
  bytes.set(toUtf8.encode(magic));
  return { bytes, view: new DataView(bytes.buffer) };
}

function seal(bytes: Uint8Array, view: DataView): Uint8Array {
  view.setUint32(checkedBytes, crc32c(bytes.subarray(0, checkedBytes)), true);
  return bytes;
}

function checked(bytes: Uint8Array, magic: string): DataView | undefined {
  if (bytes.length < segmentHeaderBytes || utf8.decode(bytes.subarray(0, 8)) !== magic) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
