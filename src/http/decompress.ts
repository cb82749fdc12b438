/**
 * Bodies with a `Content-Encoding`. The bytes that come out are bounded while they come: a small body that claims to
 * be gigabytes never gets them. Small bodies are done at once, larger ones on the runtime's own threads, so many at a
 * time.
 *
 * @module
 */
import {
  gunzip,
  gunzipSync,
  inflate,
  inflateRaw,
  inflateRawSync,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import { type Decompressed, snappyDecompress } from "../core/snappy.ts";
import { isWholeZstd } from "./zstd_frames.ts";

/** Codings that are known. */
export type Coding = "identity" | "gzip" | "deflate" | "zstd" | "snappy";

const codings: Readonly<Record<string, Coding>> = {
  "": "identity",
  identity: "identity",
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
  zstd: "zstd",
  snappy: "snappy",
};

/** Compressed bytes that are done at once; the work is some 100 µs. */
const syncBytesMax = 16 * 1024;
/** What comes out of them at most; more is done aside. */
const syncOutputMax = 256 * 1024;
/** Bodies that are done aside at a time; each may hold a whole body of output. */
const inWorkMax = 2;

type Options = { maxOutputLength: number };
type Callback = (error: Error | null, bytes: Uint8Array) => void;

interface Codec {
  readonly sync: (body: Uint8Array, options: Options) => Uint8Array;
  readonly async: (body: Uint8Array, options: Options, callback: Callback) => void;
}

const gzipCodec: Codec = { sync: gunzipSync, async: gunzip };
const zlibCodec: Codec = { sync: inflateSync, async: inflate };
const rawCodec: Codec = { sync: inflateRawSync, async: inflateRaw };
const zstdCodec: Codec = { sync: zstdDecompressSync, async: zstdDecompress };

/** The coding that a `Content-Encoding` names, undefined where it is not known. Several are not taken. */
export function codingOf(field: string | undefined): Coding | undefined {
  return codings[(field ?? "").trim().toLowerCase()];
}

/** Decompresses the bodies of one worker. */
export class Decompressor {
  readonly #bytesMax: number;
  readonly #queue: (() => void)[] = [];
  #inWork = 0;

  /** `bytesMax` bounds what comes out of one body. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bodies that are done aside, or wait for it. */
  get inWork(): number {
    return this.#inWork + this.#queue.length;
  }

  /**
   * Gives the bytes, at once or (undefined) by `done`, until when `body` must stay as it is. What nobody wants any more
   * when its turn comes is not begun, and called malformed.
   */
  run(
    coding: Coding,
    body: Uint8Array,
    done: (result: Decompressed) => void,
    isWanted: () => boolean = () => true,
  ): Decompressed | undefined {
    if (coding === "identity") return { ok: true, bytes: body };
    if (coding === "snappy") return snappyDecompress(body, this.#bytesMax);
    const codec = codecOf(coding, body);
    if (coding === "zstd" && !isWholeZstd(body)) return { ok: false, reason: "malformed" };
    if (body.length <= syncBytesMax) {
      const max = Math.min(syncOutputMax, this.#bytesMax);
      const result = attempt(() => codec.sync(body, { maxOutputLength: max }));
      if (result.ok || result.reason === "malformed" || max === this.#bytesMax) return result;
    }
    this.#enqueue(() => {
      if (!isWanted()) {
        this.#inWork--;
        done({ ok: false, reason: "malformed" });
        this.#queue.shift()?.();
        return;
      }
      codec.async(body, { maxOutputLength: this.#bytesMax }, (error, bytes) => {
        this.#inWork--;
        done(error === null ? { ok: true, bytes } : failed(error));
        this.#queue.shift()?.();
      });
    });
    return undefined;
  }

  #enqueue(begin: () => void): void {
    const run = (): void => {
      this.#inWork++;
      begin();
    };
    if (this.#inWork < inWorkMax) run();
    else this.#queue.push(run);
  }
}

function codecOf(coding: "gzip" | "deflate" | "zstd", body: Uint8Array): Codec {
  switch (coding) {
    case "gzip":
      return gzipCodec;
    case "zstd":
      return zstdCodec;
    case "deflate":
      // The zlib format is meant (RFC 9110 8.4.1.2); some send the bare one. CM 8, and a multiple of 31.
      return body.length >= 2 && (body[0]! & 0x0f) === 8 && (body[0]! * 256 + body[1]!) % 31 === 0
        ? zlibCodec
        : rawCodec;
  }
}

function attempt(run: () => Uint8Array): Decompressed {
  try {
    return { ok: true, bytes: run() };
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): Decompressed {
  const code = (error as { code?: unknown }).code;
  return { ok: false, reason: code === "ERR_BUFFER_TOO_LARGE" ? "too_large" : "malformed" };
}
