/**
 * Packing the records of a batch with one of Kafka's codecs, at once or on the runtime's own threads.
 *
 * The results are a gzip member (RFC 1952), a zstd frame (RFC 8878), a frame of LZ4, or a stream of Snappy in the
 * Java library's framing, as Kafka's clients expect them behind attributes 1, 4, 3 and 2.
 *
 * @module
 */
import { constants, gzip, gzipSync, zstdCompress, zstdCompressSync } from "node:zlib";
import { ForwarderError } from "../core/errors.ts";
import { packBytes } from "../kernel/pack.ts";

/** What records may be packed with. */
export type Codec = "gzip" | "snappy" | "lz4" | "zstd";

/** A codec and its own scale; undefined is its default. */
export interface Packing {
  readonly codec: Codec;
  readonly level?: number | undefined;
}

/**
 * Packs bytes, which must stay as they are until `done`. `done` is never called before this returns; what it is
 * given may be used until it returns, and undefined where packing makes nothing smaller of it.
 */
export type Pack = (
  bytes: Uint8Array,
  done: (error: Error | null, packed: Uint8Array | undefined) => void,
) => void;

/** One output chunk for most batches, so that nothing is joined. */
const chunkBytes = 256 * 1024;

/** zstd's own default; not every runtime has it among its constants. */
const zstdLevelDefault = 3;

/** Packs on this thread. */
export function packNow({ codec, level }: Packing, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case "gzip":
      return gzipSync(bytes, gzipOptions(level));
    case "zstd":
      return zstdCompressSync(bytes, zstdOptions(level));
    case "snappy":
    case "lz4":
      return packBytes(codec, bytes);
  }
}

/** By node:zlib's asynchronous functions, where the runtime has threads for them (Bun has; Deno works on the loop). */
export function packWithZlib({ codec, level }: { codec: "gzip" | "zstd"; level?: number | undefined }): Pack {
  if (codec === "gzip") {
    const options = gzipOptions(level);
    return (bytes, done) => gzip(bytes, options, done);
  }
  const options = zstdOptions(level);
  return (bytes, done) => zstdCompress(bytes, options, done);
}

/**
 * A level that the codec does not know shows at the start, not with the first batch.
 *
 * @throws ForwarderError `config_invalid`
 */
export function checkPacking(packing: Packing): void {
  try {
    packNow(packing, new Uint8Array(0));
  } catch (cause) {
    const { codec, level } = packing;
    throw new ForwarderError("config_invalid", `Cannot compress with ${codec} at level ${level}`, { cause });
  }
}

function gzipOptions(level: number | undefined) {
  return { level: level ?? constants.Z_DEFAULT_COMPRESSION, chunkSize: chunkBytes };
}

function zstdOptions(level: number | undefined) {
  return {
    params: { [constants.ZSTD_c_compressionLevel]: level ?? zstdLevelDefault },
    chunkSize: chunkBytes,
  };
}
