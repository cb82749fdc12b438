/**
 * Opens record batches for reading: closed ones in kernel memory (file and stdout sinks, dead letter), and sealed
 * ones as they lie in a spool or came from a broker.
 *
 * Compressed records are unpacked at once and on the loop: the callers are tools, tests, and the rare batch that
 * was refused. Bad bytes are a value (`DecodeFault`), and what they unpack to is bounded.
 *
 * @module
 */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { lz4Decompress } from "../core/lz4.ts";
import { snappyStreamDecompress } from "../core/snappy.ts";
import { batchHeaderBytes } from "../kernel/kernel.ts";
import { crc32c } from "./crc32c.ts";
import type { ClosedBatch } from "./record_batch.ts";
import { type RecordFault, RecordReader } from "./record_reader.ts";

/** Values of attributes bits 0-2 (KIP-98, KIP-110). */
export const codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;

/** The codec's bits of the attributes. */
const codecMask = 7;

/** Records of a batch may unpack to this much, if the caller does not know better; far above `message.max.bytes` of any broker. */
const rawBytesMaxDefault = 64 * 1024 * 1024;

/** Bytes from the CRC's end to the batch's end are under the CRC. */
const crcAt = 17;
const crcFrom = 21;
/** `batchLength` counts from behind itself. */
const lengthFrom = 12;

/** Why a batch cannot be read. */
export type DecodeFault =
  | RecordFault
  | "batch_cut_off"
  | "magic_unknown"
  | "crc_wrong"
  | "codec_unknown"
  | "decompression_failed";

/** A batch that can be read, or why not. */
export type Opened =
  | { readonly ok: true; readonly records: RecordReader }
  | { readonly ok: false; readonly fault: DecodeFault };

/** Fields of a sealed batch's header. */
export interface BatchHeader {
  readonly baseOffset: bigint;
  /** Bytes of the whole batch. */
  readonly bytes: number;
  readonly attributes: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly count: number;
}

/** A sealed batch that can be read, or why not. */
export type Decoded =
  | { readonly ok: true; readonly header: BatchHeader; readonly records: RecordReader }
  | { readonly ok: false; readonly fault: DecodeFault };

/** Opens a closed batch where it lies in kernel memory. Its header may be missing: it is not looked at. */
export function openBatch(memory: Uint8Array, batch: ClosedBatch): Opened {
  const start = batch.at + batchHeaderBytes;
  return openRecords(
    memory,
    start,
    batch.end,
    batch.count,
    batch.attributes,
    batch.baseTimestampMs,
    batch.rawBytes,
  );
}

/**
 * Opens the sealed batch at the beginning of `bytes`, after checking its length, magic and CRC. More bytes may
 * follow; `header.bytes` tells where.
 */
export function decodeBatch(bytes: Uint8Array, rawBytesMax: number = rawBytesMaxDefault): Decoded {
  if (bytes.length < batchHeaderBytes) return { ok: false, fault: "batch_cut_off" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = lengthFrom + view.getInt32(8);
  if (end < batchHeaderBytes || end > bytes.length) return { ok: false, fault: "batch_cut_off" };
  if (view.getInt8(16) !== 2) return { ok: false, fault: "magic_unknown" };
  if (view.getUint32(crcAt) !== crc32c(bytes.subarray(crcFrom, end))) {
    return { ok: false, fault: "crc_wrong" };
  }
  const header: BatchHeader = {
    baseOffset: view.getBigInt64(0),
    bytes: end,
    attributes: view.getInt16(21),
    baseTimestampMs: Number(view.getBigInt64(27)),
    maxTimestampMs: Number(view.getBigInt64(35)),
    producerId: view.getBigInt64(43),
    producerEpoch: view.getInt16(51),
    baseSequence: view.getInt32(53),
    count: view.getInt32(57),
  };
  const { attributes, baseTimestampMs, count } = header;
  const opened = openRecords(bytes, batchHeaderBytes, end, count, attributes, baseTimestampMs, rawBytesMax);
  return opened.ok ? { ok: true, header, records: opened.records } : opened;
}

function openRecords(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  attributes: number,
  baseTimestampMs: number,
  rawBytesMax: number,
): Opened {
  const kind = attributes & codecMask;
  if (count < 0) return { ok: false, fault: "record_count_wrong" };
  if (kind === codec.none) {
    return { ok: true, records: new RecordReader(bytes, start, end, count, baseTimestampMs) };
  }
  if (kind > codec.zstd) return { ok: false, fault: "codec_unknown" };
  const raw = unpack(kind, bytes.subarray(start, end), Math.max(1, rawBytesMax));
  if (raw === undefined) return { ok: false, fault: "decompression_failed" };
  return { ok: true, records: new RecordReader(raw, 0, raw.length, count, baseTimestampMs) };
}

/** Undefined where the bytes are damaged, or would become more than `bytesMax`. */
function unpack(kind: number, packed: Uint8Array, bytesMax: number): Uint8Array | undefined {
  if (kind === codec.snappy || kind === codec.lz4) {
    const unpacked = kind === codec.lz4
      ? lz4Decompress(packed, bytesMax)
      : snappyStreamDecompress(packed, bytesMax);
    return unpacked.ok ? unpacked.bytes : undefined;
  }
  const options = { maxOutputLength: bytesMax };
  try {
    return kind === codec.gzip ? gunzipSync(packed, options) : zstdDecompressSync(packed, options);
  } catch {
    return undefined;
  }
}
