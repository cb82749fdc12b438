/**
 * One HTTP/1.1 connection: bytes become requests, answers become bytes, in order and one request at a time.
 *
 *     head ──admitted──> body ──whole──> serving ──answered──> head
 *       │                  │                                     │
 *       └──── refused ─────┴──> (rest of the body is skipped) ───┘   or, where it is too long or the stream is
 *                                                                    damaged: answer, FIN, discard, close
 *
 * What came behind a request that waits for its answer stays in the chunk it came in, and the connection is paused.
 * All answers of one chunk go out in one write. Of very many requests in one chunk, or pieces of a body, some are served
 * in each turn of the event loop.
 *
 * It promises: an answer for every whole request, none for half of one; a body only after it was admitted; nothing is
 * read while the client does not read its answers.
 *
 * Hot path: a request whose head is known and whose body is in the same chunk costs no promise and no timer.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import type { Connection } from "../runtime/runtime.ts";
import type { Answer } from "./answer.ts";
import { Body } from "./body.ts";
import { bodyTooLarge, malformedChunks, memoryFull, slowBody, slowHead } from "./connection_answers.ts";
import type { EndReason, HttpShared } from "./connection_shared.ts";
import type { RequestHead } from "./head.ts";
import { HeadReader } from "./head_reader.ts";
import type { KnownHead } from "./heads.ts";
import { type Answering, Request } from "./request.ts";

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

/** Requests of one chunk that are served in one go: about 1 ms. */
const requestsATurn = 64;

const continueBytes = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");

/** What the connection is at. */
type Phase = "head" | "body" | "skip" | "serving" | "closing";

/** The state of one connection. */
export class HttpConnection<Plan> implements Answering {
  readonly #connection: Connection;
  readonly #shared: HttpShared<Plan>;
  #phase: Phase = "head";
  readonly #heads: HeadReader<Plan>;
  #body: Body | undefined;
  /** Bytes of a refused body that are read over. */
  #skipBytes = 0;
  #request: Request | undefined;
  /** What is left of a chunk while a request is served. */
  #held: Uint8Array | undefined;
  #heldAt = 0;
  #paused = false;
  /** True while a chunk is read: answers wait for its end. */
  #reading = false;
  /** Requests that were begun since others had their turn, and whether it is awaited. */
  #begun = 0;
  #yields = false;
  readonly #out: Uint8Array[] = [];
  /** The peer sent FIN. */
  #peerDone = false;
  #closed = false;
  #sinceMs = 0;
  #discarded = 0;
  #requests = 0;
  #endReason: EndReason = "client";

  constructor(connection: Connection, shared: HttpShared<Plan>) {
    this.#connection = connection;
    this.#shared = shared;
    this.#heads = new HeadReader(shared);
  }

  get peer(): string {
    return this.#connection.peer;
  }

  get tlsPeer(): string | undefined {
    return this.#connection.tlsPeer;
  }

  /** True while no request is begun and no answer is owed. */
  get idle(): boolean {
    return this.#phase === "head" && !this.#heads.holds && this.#held === undefined;
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
    this.#shared.ended({ peer: this.peer, requests: this.#requests, reason: this.#endReason });
    this.#shared.timed.delete(this);
    this.#heads.forget();
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
        return this.#end(slowHead(headMs));
      case "body": {
        const body = this.#body!;
        if (nowMs - body.sinceMs < bodyMs + body.length / bodyBytesPerSecondMin * 1000) return;
        counts.timeouts++;
        return this.#end(slowBody(body.length, service.bodyBytesMax));
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

  /** @see Answering */
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
      if (this.#begun >= requestsATurn && this.#phase === "head") break;
      // It was not read to the end of the chunk: its pieces are too many for one turn.
      if (this.#phase === "body") break;
    }
    this.#reading = false;
    this.#flush();
    const left = this.#phase !== "closing" && at < chunk.length;
    if (left && (this.#begun >= requestsATurn || this.#phase === "body")) this.#yield();
    else this.#begun = 0;
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

  /** What is left of a chunk goes on when others had their turn. */
  #yield(): void {
    this.#yields = true;
    setImmediate(() => {
      if (!this.#yields || this.#phase === "serving") return;
      this.#begun = 0;
      this.#goOn();
    });
  }

  #pause(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  #goOn(): void {
    const { unsentBytes } = this.#connection;
    if (this.#closed || unsentBytes > unsentBytesMax) return;
    this.#yields = false;
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
    const heads = this.#heads;
    switch (heads.read(chunk, at, this.peer)) {
      case "head":
        return this.#begin(heads.known!, chunk, heads.nextAt);
      case "part":
        this.#time();
        return chunk.length;
      case "nothing":
        // The end of an empty line whose beginning came alone: no head has begun.
        if (this.#sinceMs !== 0) this.#untime();
        return chunk.length;
      case "refused":
        this.#end(heads.refusal);
        return chunk.length;
    }
  }

  #forgetBody(): void {
    this.#body?.release();
    this.#body = undefined;
  }

  /** The head is read; `at` is the first byte of the body. */
  #begin({ head, plan }: KnownHead<Plan>, chunk: Uint8Array, at: number): number {
    const { service, budget, counts, timed } = this.#shared;
    if (this.#sinceMs !== 0) this.#untime();
    counts.requests++;
    this.#requests++;
    this.#begun++;
    const { contentLength } = head;
    const refusal = contentLength > service.bodyBytesMax
      ? bodyTooLarge(service.bodyBytesMax)
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
    const { pieces } = this.#shared;
    const end = body.read(chunk, at, pieces.share);
    pieces.spend(body.pieces);
    if (body.fault !== undefined) {
      this.#refuseFault(body);
      return chunk.length;
    }
    if (body.done) {
      this.#shared.timed.delete(this);
      const { head, plan } = this.#heads.known!;
      this.#serve(head, plan, body.bytes, false);
      if (this.#request?.keepsBody !== true) this.#forgetBody();
    }
    return end;
  }

  #refuseFault({ fault }: Body): void {
    switch (fault!) {
      case "broken":
        return this.#end(malformedChunks());
      case "too_large":
        return this.#end(bodyTooLarge(this.#shared.service.bodyBytesMax));
      case "no_memory":
        return this.#end(memoryFull());
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

  #say(answer: Answer, head: RequestHead | undefined): void {
    const keepAlive = head !== undefined && head.keepAlive && !answer.close && !this.#shared.stopping;
    this.#note(answer, head);
    this.#out.push(answer.bytes(this.#shared.dateMs(), keepAlive, head?.method !== "HEAD"));
    if (keepAlive) return;
    this.#beginClosing(answer.close ? "refused" : head?.keepAlive === false ? "asked" : "draining");
  }

  /** A failure is counted and told. */
  #note({ status, code }: Answer, head: RequestHead | undefined): void {
    if (status < 400) return;
    const { counts, requestRefused } = this.#shared;
    counts.failures++;
    requestRefused({ peer: this.peer, status, code, method: head?.method, path: head?.path });
  }

  /** Says a last word, and FIN. */
  #end(answer?: Answer, head?: RequestHead): void {
    if (this.#phase === "closing" || this.#closed) return;
    this.#heads.forget();
    this.#forgetBody();
    if (answer === undefined) {
      this.#beginClosing(this.#peerDone ? "client" : this.#shared.stopping ? "draining" : "refused");
    } else {
      this.#note(answer, head);
      this.#out.push(answer.bytes(this.#shared.dateMs(), false, head?.method !== "HEAD"));
      this.#beginClosing(answer.status === 408 ? "slow" : "refused");
    }
    if (!this.#reading) this.#flush();
  }

  #beginClosing(reason: EndReason): void {
    this.#phase = "closing";
    this.#endReason = reason;
    this.#time();
  }

  #flush(): void {
    const out = this.#out;
    if (out.length === 1) this.#connection.write(out[0]!);
    else if (out.length > 1) this.#connection.write(Buffer.concat(out));
    out.length = 0;
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

function copyOf(chunk: Buffer, from: number, to: number): Uint8Array {
  const body = new Uint8Array(to - from);
  chunk.copy(body, 0, from, to);
  return body;
}
