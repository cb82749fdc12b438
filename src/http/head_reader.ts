/**
 * The heads of the requests of one connection, from bytes that are cut anywhere. What a client repeats to the byte is
 * not read again; half a head is kept, within the budget of all unfinished requests.
 *
 * Hot path: a head that repeats the one before costs one comparison.
 *
 * @module
 */
import type { Answer } from "./answer.ts";
import type { HttpShared } from "./connection_shared.ts";
import { headBytesMax } from "./head.ts";
import { Heads, type KnownHead } from "./heads.ts";
import { headTooLong, malformedHead, memoryFull, tlsSpoken } from "./connection_answers.ts";

/** CRLF before a request line, which old clients send behind a body (RFC 9112 2.2). */
const emptyLinesMax = 4;

const cr = 0x0d;
const lf = 0x0a;
/** First byte of a TLS handshake record (RFC 8446 5.1). */
const tlsHandshake = 0x16;

/** What `read` found: a head, a part of one, nothing but blanks, or what is to be refused. */
export type HeadFound = "head" | "part" | "nothing" | "refused";

/** Reads the heads of one connection. */
export class HeadReader<Plan> {
  /** The last head; the next one probably repeats it. */
  known: KnownHead<Plan> | undefined;
  /** Behind the head that was found. */
  nextAt = 0;
  /** What a refused client is told. */
  refusal: Answer | undefined;
  readonly #shared: HttpShared<Plan>;
  #half: Uint8Array | undefined;
  /** Empty lines before the request that comes. */
  #emptyLines = 0;

  constructor(shared: HttpShared<Plan>) {
    this.#shared = shared;
  }

  /** True while a part of a head is kept. */
  get holds(): boolean {
    return this.#half !== undefined;
  }

  /** Reads what begins at `at`. A part is kept, and the chunk used up. */
  read(chunk: Uint8Array, at: number, peer: string): HeadFound {
    if (this.#half !== undefined) return this.#readOn(this.#half, chunk, at, peer);
    const { known } = this;
    if (known !== undefined && Heads.repeats(known, chunk, at)) {
      this.#emptyLines = 0;
      this.nextAt = at + known.bytes.length;
      return "head";
    }
    const start = this.#skipEmptyLines(chunk, at);
    const end = endOfHead(chunk, start, start);
    if (end >= 0) return this.#lookUp(chunk, start, end, end, peer);
    return this.#keep(chunk.subarray(start), peer);
  }

  /** Gives up what is kept. */
  forget(): void {
    if (this.#half === undefined) return;
    this.#shared.budget.give(this.#half.length);
    this.#half = undefined;
  }

  #readOn(half: Uint8Array, chunk: Uint8Array, at: number, peer: string): HeadFound {
    const room = headBytesMax + 4 + 2 * emptyLinesMax - half.length;
    const whole = new Uint8Array(half.length + Math.min(chunk.length - at, room));
    whole.set(half);
    whole.set(chunk.subarray(at, at + whole.length - half.length), half.length);
    const start = this.#skipEmptyLines(whole, 0);
    const end = endOfHead(whole, start, Math.max(start, half.length - 3));
    this.forget();
    if (end >= 0) return this.#lookUp(whole, start, end, at + end - half.length, peer);
    return this.#keep(whole.subarray(start), peer);
  }

  /** They count from one request to the next, however they are cut. */
  #skipEmptyLines(bytes: Uint8Array, from: number): number {
    let at = from;
    while (this.#emptyLines < emptyLinesMax && bytes[at] === cr && bytes[at + 1] === lf) {
      this.#emptyLines++;
      at += 2;
    }
    return at;
  }

  #keep(bytes: Uint8Array, peer: string): HeadFound {
    if (bytes.length === 0) return "nothing";
    if (bytes[0] === tlsHandshake) {
      this.#shared.refused(peer, tlsSpoken);
      return this.#refuse(malformedHead(400, "tls_on_plain_port", `${tlsSpoken}; use http://`));
    }
    if (bytes.length > headBytesMax) return this.#refuse(headTooLong());
    if (!this.#shared.budget.take(bytes.length)) return this.#refuse(memoryFull());
    // Not slice(): of a Buffer that is a view, and the chunk is the runtime's again.
    this.#half = new Uint8Array(bytes);
    return "part";
  }

  #lookUp(bytes: Uint8Array, from: number, to: number, nextAt: number, peer: string): HeadFound {
    this.#emptyLines = 0;
    const found = this.#shared.heads.read(bytes, from, to);
    if (found.ok) {
      this.known = found.known;
      this.nextAt = nextAt;
      return "head";
    }
    const { status, detail } = found.fault;
    this.#shared.refused(peer, detail);
    return this.#refuse(malformedHead(status, "request_malformed", detail));
  }

  #refuse(refusal: Answer): HeadFound {
    this.refusal = refusal;
    return "refused";
  }
}

/** Behind the empty line of the head that begins at `start`, looked for from `from`; -1 where it has not come. */
function endOfHead(bytes: Uint8Array, start: number, from: number): number {
  const end = Math.min(bytes.length, start + headBytesMax + 4);
  for (let at = from; at + 3 < end; at++) {
    if (bytes[at] !== cr) continue;
    if (bytes[at + 1] === lf && bytes[at + 2] === cr && bytes[at + 3] === lf) return at + 4;
  }
  return -1;
}
