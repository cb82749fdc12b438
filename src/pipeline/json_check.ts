/**
 * Tells frames that are JSON from those that are not: objects are read by the kernel, a few hundred nanoseconds each,
 * the rest by the runtime.
 *
 * The kernel reads in its input region, which must not be in use: call it where no rows are being placed.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { jsonScan, type Kernel } from "../kernel/kernel.ts";

const openObject = 0x7b;

/** Checks frames with the kernel of a worker. */
export class JsonCheck {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Those of `count` frames at [ranges[2 i], ranges[2 i + 1]) of `bytes` that are not one JSON value, ascending. */
  notJson(bytes: Uint8Array, ranges: Uint32Array, count: number): readonly number[] {
    const { inputAt, inputBytes } = this.#kernel;
    const memory = this.#kernel.bytes;
    let bad: number[] | undefined;
    for (let first = 0; first < count;) {
      // As many frames as the region holds, copied in one piece.
      const base = ranges[2 * first]!;
      let last = first;
      while (last < count && ranges[2 * last + 1]! - base <= inputBytes) last++;
      const fits = last > first;
      if (fits) memory.set(bytes.subarray(base, ranges[2 * last - 1]), inputAt);
      else last = first + 1;
      for (let frame = first; frame < last; frame++) {
        const start = ranges[2 * frame]!;
        const end = ranges[2 * frame + 1]!;
        if (fits && bytes[start] === openObject) {
          const scan = this.#kernel.scanJson(inputAt + start - base, inputAt + end - base);
          if (scan > jsonScan.tooLarge) continue;
        }
        if (!isJson(bytes.subarray(start, end))) (bad ??= []).push(frame);
      }
      first = last;
    }
    return bad ?? none;
  }
}

const none: readonly number[] = [];

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
    return true;
  } catch {
    return false;
  }
}
