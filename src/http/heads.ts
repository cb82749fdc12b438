/**
 * Heads that were read before. A client on a kept connection says the same head again and again: it is compared by
 * its bytes and not read again, and what was found out from it (its plan) is kept beside it.
 *
 * Hot path: one comparison of bytes per request.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { TextBuffer } from "../core/text_buffer.ts";
import { type HeadFault, readHead, type RequestHead } from "./head.ts";

/** Heads that are kept; beyond that all are forgotten and read anew. */
const headsMax = 256;
/** Longer heads are not kept. */
const keptBytesMax = 2048;

/** A head, its bytes (with the empty line), and its plan. */
export interface KnownHead<Plan> {
  readonly bytes: Uint8Array;
  readonly head: RequestHead;
  readonly plan: Plan;
}

/** A known head, or why it is none. */
export type HeadLookup<Plan> = { readonly ok: true; readonly known: KnownHead<Plan> } | {
  readonly ok: false;
  readonly fault: HeadFault;
};

/** The heads that one service has seen. */
export class Heads<Plan> {
  readonly #plan: (head: RequestHead) => Plan;
  readonly #known = new Map<string, KnownHead<Plan>>();

  constructor(plan: (head: RequestHead) => Plan) {
    this.#plan = plan;
  }

  /** True if `chunk` continues at `at` with the bytes of `known`. */
  static repeats<Plan>(known: KnownHead<Plan>, chunk: Uint8Array, at: number): boolean {
    const { bytes } = known;
    const { length } = bytes;
    if (chunk.length - at < length) return false;
    for (let i = 0; i < length; i++) if (bytes[i] !== chunk[at + i]) return false;
    return true;
  }

  /** Reads the head in [from, to), which ends with its empty line. */
  read(chunk: Uint8Array, from: number, to: number): HeadLookup<Plan> {
    const text = latin1(chunk, from, to);
    const before = this.#known.get(text);
    if (before !== undefined) return { ok: true, known: before };
    const read = readHead(text.slice(0, -4));
    if (!read.ok) return read;
    // Not slice(): of a Buffer that is a view, and the chunk is the runtime's again.
    const known = {
      bytes: new Uint8Array(chunk.subarray(from, to)),
      head: read.head,
      plan: this.#plan(read.head),
    };
    // One whose key is its own does not come again.
    if (to - from <= keptBytesMax && !read.head.fields.has("idempotency-key")) {
      if (this.#known.size >= headsMax) this.#known.clear();
      this.#known.set(text, known);
    }
    return { ok: true, known };
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return (buffer as TextBuffer).latin1Slice(from, to);
}
