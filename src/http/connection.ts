/**
 * One HTTP/1.1 connection: bytes become requests, answers become bytes, in order and one request at a time.
 *
 *     head ──admitted──> body ──whole──> serving ──answered──> head
 *       │                  │                                     │
 *       └──── refused ─────┴──> (rest of the body is skipped) ───┘   or, where it is too long or the stream is
 *                                                                    damaged: answer, FIN, discard, close
 *
 * What came behind a request that waits for its answer stays in the chunk it came in, and the connection is paused.
 * All answers of one chunk go out in one write.
 *
 * It promises: an answer for every whole request, none for half of one; a body only after it was admitted; nothing is
 * read while the client does not read its answers.
 *
 * Hot path: a request whose head is known and whose body is in the same chunk costs no promise and no timer.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Connection } from "../runtime/runtime.ts";
import { type Answer, problemAnswer, type Status } from "./answer.ts";
import { Body } from "./body.ts";
import type { Budget } from "./budget.ts";
import { headBytesMax, type RequestHead } from "./head.ts";
import { Heads, type KnownHead } from "./heads.ts";
import type { Exchange, HttpService } from "./service.ts";

/** A refused request whose body is not longer is read over, so that the connection stays. */
const skipBytesMax = 64 * 1024;
/** Answers that the client does not read; beyond that nothing is read from it. */
const unsentBytesMax = 64 * 1024;
/** What is read over after the last answer, so that the answer is not lost in a reset. */
const discardBytesMax = 1024 * 1024;
/** A client gets so long to read the last answer. */
const discardMs = 2_000;
/** A head must be whole by then. */
const headMs = 10_000;
/** A body may take so long, and longer by its bytes at `bodyBytesPerSecondMin`. */
const bodyMs = 10_000;
/** A slower sender holds memory for nothing. */
const bodyBytesPerSecondMin = 1024;
/**
 * Shorter bodies are copied where that costs less than to keep the chunk, and the connection unread, until they are
 * placed: 70 ns on Bun, whose sockets give Buffers, against two system calls.
 */
const copiedBytesMax = 4 * 1024;
/** CRLF before a request line, which old clients send behind a body (RFC 9112 2.2). */
const emptyLinesMax = 4;

const cr = 0x0d;
const lf = 0x0a;
/** First byte of a TLS handshake record (RFC 8446 5.1). */
const tlsHandshake = 0x16;

const continueBytes = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");

/** What the connections of one listener share. */
export interface HttpShared<Plan> {
  readonly service: HttpService<Plan>;
  readonly heads: Heads<Plan>;
  readonly budget: Budget;
  /** Connections with a request, or an end, that must not take too long. */
  readonly timed: Set<HttpConnection<Plan>>;
  readonly counts: HttpCounts;
  /** Every answer is the last one of its connection. */
  stopping: boolean;
  nowMs(): number;
  dateMs(): number;
  /** A client that spoke no HTTP. */
  refused(peer: string, detail: string): void;
}

/** What happened on a listener since the start. */
export interface HttpCounts {
  requests: number;
  /** Answers with a status of 400 and more. */
  failures: number;
  /** Requests that were too slow. */
  timeouts: number;
}

/** What the connection is at. */
type Phase = "head" | "body" | "skip" | "serving" | "closing";

class Request<Plan> implements Exchange {
  readonly head: RequestHead;
  readonly #connection: HttpConnection<Plan>;
  /** The body lies in the chunk that is read. */
  isLent = false;
  keepsBody = false;
  answered = false;
  /** The body of a client that went away while it was in use: it is given back when the service is done with it. */
  orphan: Body | undefined;

  constructor(connection: HttpConnection<Plan>, head: RequestHead) {
    this.#connection = connection;
    this.head = head;
  }

  get peer(): string {
    return this.#connection.peer;
  }

  get tlsPeer(): string | undefined {
    return this.#connection.tlsPeer;
  }

  keepBody(): void {
    this.keepsBody = true;
  }

  answer(answer: Answer): void {
    this.orphan?.release();
    this.orphan = undefined;
    if (this.answered) return;
    this.answered = true;
    this.#connection.answered(answer);
  }
}

/** The state of one connection. */
export class HttpConnection<Plan> {
  readonly #connection: Connection;
  readonly #shared: HttpShared<Plan>;
  #phase: Phase = "head";
  /** The head before, which the next one probably repeats. */
  #known: KnownHead<Plan> | undefined;
  /** A head that is not whole. */
  #half: Uint8Array | undefined;
  #body: Body | undefined;
  /** Bytes of a refused body that are read over. */
  #skipBytes = 0;
  #request: Request<Plan> | undefined;
  /** What is left of a chunk while a request is served. */
  #held: Uint8Array | undefined;
  #heldAt = 0;
  #paused = false;
  /** True while a chunk is read: answers wait for its end. */
  #reading = false;
  #out: Uint8Array[] = [];
  /** The peer sent FIN. */
  #peerDone = false;
  #closed = false;
  #sinceMs = 0;
  #discarded = 0;

  constructor(connection: Connection, shared: HttpShared<Plan>) {
    this.#connection = connection;
    this.#shared = shared;
  }

  get peer(): string {
    return this.#connection.peer;
  }

  get tlsPeer(): string | undefined {
    return this.#connection.tlsPeer;
  }

  /** True while no request is begun and no answer is owed. */
  get idle(): boolean {
    return this.#phase === "head" && this.#half === undefined && this.#held === undefined;
  }

  received(chunk: Uint8Array): void {
    if (this.#phase === "serving") return this.#hold(chunk, 0);
    this.#read(chunk, 0);
  }

  /** The peer sends no more: what is whole is answered. */
  halfClosed(): void {
    this.#peerDone = true;
    if (this.#phase !== "serving" && this.#held === undefined) this.#end();
  }

  drained(): void {
    if (this.#paused && this.#phase !== "serving") this.#goOn();
  }

  closed(): void {
    this.#closed = true;
    this.#shared.timed.delete(this);
    this.#forgetHalf();
    this.#held = undefined;
    const request = this.#request;
    if (request?.keepsBody === true) {
      // Its memory may be read by another thread at this moment.
      request.orphan = this.#body;
      this.#body = undefined;
    }
    this.#forgetBody();
    if (request === undefined) return;
    request.answered = true;
    this.#shared.service.gone(request);
  }

  /** Ends what takes too long. */
  tick(nowMs: number): void {
    const { service, counts } = this.#shared;
    switch (this.#phase) {
      case "head":
        if (nowMs - this.#sinceMs < headMs) return;
        counts.timeouts++;
        return this.#refuse(408, "request_slow", `The head of the request took over ${headMs / 1000} s`);
      case "body": {
        const body = this.#body!;
        if (nowMs - body.sinceMs < bodyMs + body.length / bodyBytesPerSecondMin * 1000) return;
        counts.timeouts++;
        return this.#refuse(408, "request_slow", "The body comes too slowly", {
          extensions: { received: body.length, bytes_max: service.bodyBytesMax },
        });
      }
      case "skip":
      case "closing":
        if (nowMs - this.#sinceMs >= discardMs) this.#connection.destroy();
        return;
      case "serving":
        return;
    }
  }

  /** corndog ends: the connection goes when its request is answered. */
  stop(): void {
    if (this.idle) this.#end();
  }

  /** Internal: the answer to the request that is served. */
  answered(answer: Answer): void {
    const { head } = this.#request!;
    this.#request = undefined;
    this.#forgetBody();
    this.#phase = "head";
    this.#say(answer, head);
    if (this.#reading) return;
    this.#flush();
    if (this.#paused) this.#goOn();
    else if (this.#peerDone) this.#end();
  }

  #read(chunk: Uint8Array, at: number): void {
    this.#reading = true;
    while (at < chunk.length && !this.#closed) {
      if (this.#phase === "head") at = this.#readHead(chunk, at);
      else if (this.#phase === "body") at = this.#readBody(chunk, at);
      else if (this.#phase === "skip") at = this.#skip(chunk, at);
      else if (this.#phase === "closing") {
        this.#discard(chunk.length - at);
        break;
      } else break; // serving
      if (this.#connection.unsentBytes > unsentBytesMax) break;
    }
    this.#reading = false;
    this.#flush();
    const left = this.#phase !== "closing" && at < chunk.length;
    const isLent = this.#request?.keepsBody === true && this.#request.isLent;
    if (left || isLent || this.#connection.unsentBytes > unsentBytesMax) {
      this.#hold(chunk, at);
    } else if (this.#peerDone && this.#phase !== "serving") this.#end();
  }

  /** The request before is not answered, or its answer is not read: what is left waits. */
  #hold(chunk: Uint8Array, at: number): void {
    if (this.#closed) return;
    this.#held = chunk;
    this.#heldAt = at;
    this.#pause();
  }

  #pause(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  #goOn(): void {
    const { unsentBytes } = this.#connection;
    if (this.#closed || unsentBytes > unsentBytesMax) return;
    const held = this.#held;
    this.#held = undefined;
    // The chunk is ours until the connection is resumed.
    if (held !== undefined && this.#heldAt < held.length && this.#phase !== "closing") {
      this.#paused = false;
      this.#read(held, this.#heldAt);
      if (this.#paused || this.#closed) return;
    }
    this.#paused = false;
    this.#connection.resume();
    if (this.#peerDone && this.idle) this.#end();
  }

  #readHead(chunk: Uint8Array, at: number): number {
    const known = this.#known;
    if (this.#half === undefined) {
      if (known !== undefined && Heads.repeats(known, chunk, at)) {
        return this.#begin(known, chunk, at + known.bytes.length);
      }
      const start = skipEmptyLines(chunk, at);
      const end = endOfHead(chunk, start, start);
      if (end >= 0) return this.#lookUp(chunk, start, end, chunk, end);
      if (chunk.length - start > headBytesMax) return this.#headTooLong(chunk);
      return this.#keepHalf(chunk.subarray(start), chunk.length);
    }
    const half = this.#half;
    const whole = new Uint8Array(half.length + Math.min(chunk.length - at, headBytesMax + 4 - half.length));
    whole.set(half);
    whole.set(chunk.subarray(at, at + whole.length - half.length), half.length);
    const start = skipEmptyLines(whole, 0);
    const end = endOfHead(whole, start, Math.max(start, half.length - 3));
    this.#forgetHalf();
    if (end >= 0) return this.#lookUp(whole, start, end, chunk, at + end - half.length);
    if (whole.length > headBytesMax) return this.#headTooLong(chunk);
    return this.#keepHalf(whole, chunk.length);
  }

  #keepHalf(bytes: Uint8Array, at: number): number {
    if (bytes.length === 0) return at;
    if (bytes[0] === tlsHandshake) {
      const detail = "TLS was spoken to a plain HTTP listener";
      this.#shared.refused(this.peer, detail);
      this.#refuse(400, "tls_on_plain_port", `${detail}; use http://`);
      return at;
    }
    if (!this.#shared.budget.take(bytes.length)) {
      this.#refuse(503, "memory_full", "Too many unfinished requests are held", retrySoon);
      return at;
    }
    // Not slice(): of a Buffer that is a view, and the chunk is the runtime's again.
    this.#half = new Uint8Array(bytes);
    this.#time();
    return at;
  }

  #forgetHalf(): void {
    if (this.#half === undefined) return;
    this.#shared.budget.give(this.#half.length);
    this.#half = undefined;
  }

  #forgetBody(): void {
    this.#body?.release();
    this.#body = undefined;
  }

  #headTooLong(chunk: Uint8Array): number {
    this.#refuse(431, "head_too_long", `The head of a request may have ${headBytesMax} bytes`);
    return chunk.length;
  }

  #lookUp(bytes: Uint8Array, from: number, to: number, chunk: Uint8Array, at: number): number {
    const found = this.#shared.heads.read(bytes, from, to);
    if (found.ok) {
      this.#known = found.known;
      return this.#begin(found.known, chunk, at);
    }
    const { status, detail } = found.fault;
    this.#shared.refused(this.peer, detail);
    this.#refuse(status, "request_malformed", detail);
    return chunk.length;
  }

  /** The head is read; `at` is the first byte of the body. */
  #begin({ head, plan }: KnownHead<Plan>, chunk: Uint8Array, at: number): number {
    const { service, budget, counts, timed } = this.#shared;
    if (this.#sinceMs !== 0) this.#untime();
    counts.requests++;
    const { contentLength } = head;
    const refusal = contentLength > service.bodyBytesMax
      ? tooLarge(service.bodyBytesMax)
      : service.admit(plan, head, this.peer, this.tlsPeer);
    if (refusal !== undefined) return this.#refuseBody(refusal, head, at);
    if (contentLength >= 0 && chunk.length - at >= contentLength) {
      const end = at + contentLength;
      const copies = contentLength <= copiedBytesMax && chunk instanceof Buffer;
      this.#serve(head, plan, copies ? copyOf(chunk, at, end) : chunk.subarray(at, end), !copies);
      return end;
    }
    const body = this.#body = new Body(contentLength, service.bodyBytesMax, budget, this.#shared.nowMs());
    this.#phase = "body";
    timed.add(this);
    if (head.expectsContinue && at === chunk.length) this.#out.push(continueBytes);
    return at < chunk.length ? this.#readInto(body, chunk, at) : at;
  }

  #readBody(chunk: Uint8Array, at: number): number {
    return this.#readInto(this.#body!, chunk, at);
  }

  #readInto(body: Body, chunk: Uint8Array, at: number): number {
    const end = body.read(chunk, at);
    if (body.fault !== undefined) {
      this.#refuseFault(body);
      return chunk.length;
    }
    if (body.done) {
      this.#shared.timed.delete(this);
      const { head, plan } = this.#known!;
      this.#serve(head, plan, body.bytes, false);
      if (this.#request?.keepsBody !== true) this.#forgetBody();
    }
    return end;
  }

  #refuseFault({ fault }: Body): void {
    switch (fault!) {
      case "broken":
        return this.#refuse(400, "chunks_malformed", "The body is not chunked as RFC 9112 has it");
      case "too_large":
        return this.#end(tooLarge(this.#shared.service.bodyBytesMax));
      case "no_memory":
        return this.#refuse(503, "memory_full", "Too many unfinished requests are held", retrySoon);
    }
  }

  #serve(head: RequestHead, plan: Plan, body: Uint8Array, isLent: boolean): void {
    const request = new Request(this, head);
    request.isLent = isLent;
    this.#request = request;
    this.#phase = "serving";
    const answer = this.#shared.service.serve(plan, request, body);
    if (answer !== undefined) request.answer(answer);
  }

  /** Answers a request whose body is not wanted. */
  #refuseBody(answer: Answer, head: RequestHead, at: number): number {
    const { contentLength } = head;
    // A client that waits for a word may send the body or not: nobody knows where the next request begins.
    if (answer.close || contentLength < 0 || contentLength > skipBytesMax || head.expectsContinue) {
      this.#end(answer, head);
      return at;
    }
    this.#say(answer, head);
    if (contentLength > 0 && this.#phase === "head") {
      this.#skipBytes = contentLength;
      this.#phase = "skip";
      this.#time();
    }
    return at;
  }

  #skip(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#skipBytes);
    this.#skipBytes -= end - at;
    if (this.#skipBytes === 0) {
      this.#phase = "head";
      this.#untime();
    }
    return end;
  }

  #refuse(
    status: Status,
    code: string,
    detail: string,
    options: Parameters<typeof problemAnswer>[3] = {},
  ): void {
    this.#end(problemAnswer(status, code, detail, options));
  }

  #say(answer: Answer, head: RequestHead | undefined): void {
    const keepAlive = head !== undefined && head.keepAlive && !answer.close && !this.#shared.stopping;
    if (answer.status >= 400) this.#shared.counts.failures++;
    this.#out.push(answer.bytes(this.#shared.dateMs(), keepAlive, head?.method !== "HEAD"));
    if (!keepAlive) this.#beginClosing();
  }

  /** Says a last word, and FIN. */
  #end(answer?: Answer, head?: RequestHead): void {
    if (this.#phase === "closing" || this.#closed) return;
    this.#forgetHalf();
    this.#forgetBody();
    if (answer === undefined) this.#beginClosing();
    else {
      if (answer.status >= 400) this.#shared.counts.failures++;
      this.#out.push(answer.bytes(this.#shared.dateMs(), false, head?.method !== "HEAD"));
      this.#beginClosing();
    }
    if (!this.#reading) this.#flush();
  }

  #beginClosing(): void {
    this.#phase = "closing";
    this.#time();
  }

  #flush(): void {
    const out = this.#out;
    if (out.length === 1) this.#connection.write(out[0]!);
    else if (out.length > 1) this.#connection.write(Buffer.concat(out));
    if (out.length > 0) this.#out = [];
    if (this.#phase === "closing") this.#connection.end();
  }

  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded > discardBytesMax) this.#connection.destroy();
  }

  /** From here on it must not take too long. */
  #time(): void {
    if (this.#sinceMs !== 0 && this.#phase === "head") return;
    this.#sinceMs = this.#shared.nowMs();
    this.#shared.timed.add(this);
  }

  #untime(): void {
    this.#sinceMs = 0;
    this.#shared.timed.delete(this);
  }
}

const retrySoon = { fields: { "retry-after": "1" } };

function tooLarge(bytesMax: number): Answer {
  return problemAnswer(413, "body_too_large", `The body may have ${bytesMax} bytes`, {
    extensions: { bytes_max: bytesMax },
  });
}

function copyOf(chunk: Buffer, from: number, to: number): Uint8Array {
  const body = new Uint8Array(to - from);
  chunk.copy(body, 0, from, to);
  return body;
}

function skipEmptyLines(bytes: Uint8Array, at: number): number {
  for (let lines = 0; lines < emptyLinesMax; lines++) {
    if (bytes[at] !== cr || bytes[at + 1] !== lf || at + 1 >= bytes.length) break;
    at += 2;
  }
  return at;
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
