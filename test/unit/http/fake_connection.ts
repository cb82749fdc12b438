/**
 * A connection without a socket, and a service that answers as a test wants it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type Answer, textAnswer } from "../../../src/http/answer.ts";
import type { HttpConnection } from "../../../src/http/connection.ts";
import type { RequestHead } from "../../../src/http/head.ts";
import { HttpServer } from "../../../src/http/server.ts";
import type { Exchange, HttpService } from "../../../src/http/service.ts";
import type { Connection } from "../../../src/runtime/runtime.ts";

/** Writes down what is sent, and checks the promises of `Connection`. */
export class FakeConnection implements Connection {
  readonly peer = "192.0.2.7:4711";
  sent = "";
  writes = 0;
  unsentBytes = 0;
  paused = false;
  ended = false;
  destroyed = false;
  #lent: Uint8Array | undefined;

  /**
   * Gives `bytes` as a runtime does: in a Buffer, whose memory is used again when `take` returned or, where it paused,
   * at `resume`.
   */
  lend(bytes: Uint8Array, take: (chunk: Uint8Array) => void): void {
    const chunk = Buffer.alloc(bytes.length);
    chunk.set(bytes);
    this.#lent = chunk;
    take(chunk);
    if (!this.paused) this.#spoil();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#spoil();
  }

  #spoil(): void {
    this.#lent?.fill(0x21);
    this.#lent = undefined;
  }

  write(bytes: Uint8Array): void {
    if (this.ended) return;
    this.writes += 1;
    this.sent += new TextDecoder("latin1").decode(bytes);
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

/** Answers with the method, the path and the body; holds the answer back where the path is `/wait`. */
export class EchoService implements HttpService<string> {
  readonly bodyBytesMax: number;
  readonly served: string[] = [];
  readonly waiting: Exchange[] = [];
  readonly goneExchanges: Exchange[] = [];
  plans = 0;
  refusal: Answer | undefined;
  keeps = false;

  constructor(bodyBytesMax = 1000) {
    this.bodyBytesMax = bodyBytesMax;
  }

  plan(head: RequestHead): string {
    this.plans += 1;
    return `${head.method} ${head.path}`;
  }

  admit(): Answer | undefined {
    return this.refusal;
  }

  serve(plan: string, exchange: Exchange, body: Uint8Array): Answer | undefined {
    const text = `${plan} ${new TextDecoder("latin1").decode(body)}`;
    this.served.push(text);
    if (!exchange.head.path.startsWith("/wait")) return textAnswer(200, text);
    if (this.keeps) exchange.keepBody();
    this.waiting.push(exchange);
    return undefined;
  }

  gone(exchange: Exchange): void {
    this.goneExchanges.push(exchange);
  }
}

/** A server with one connection to it. */
export class Rig {
  readonly connection = new FakeConnection();
  readonly server: HttpServer<string>;
  readonly state: HttpConnection<string>;
  readonly refused: string[] = [];
  /** Requests that were refused, and how the connection ended. */
  readonly told: Record<string, unknown>[] = [];
  collections = 0;
  now = 1;

  constructor(readonly service: EchoService = new EchoService(), heldBytesMax = 100_000) {
    this.server = new HttpServer({
      service,
      heldBytesMax,
      nowMs: () => this.now,
      dateMs: () => 0,
      refused: (_peer, detail) => void this.refused.push(detail),
      requestRefused: ({ status, code, method, path }) => void this.told.push({ status, code, method, path }),
      ended: ({ requests, reason }) => void this.told.push({ requests, reason }),
      collect: () => void this.collections++,
    });
    this.state = this.server.opened(this.connection);
  }

  /** Gives latin1 text as one chunk; not to be called while paused. */
  send(text: string): void {
    if (this.connection.paused) throw new Error("bytes come while the connection is paused");
    this.connection.lend(bytesOf(text), (chunk) => this.server.received(this.state, chunk));
  }

  /** The answers so far: status and body. */
  answers(): { status: number; body: string; head: string }[] {
    const answers: { status: number; body: string; head: string }[] = [];
    let rest = this.connection.sent;
    while (rest.length > 0) {
      const end = rest.indexOf("\r\n\r\n");
      const head = rest.slice(0, end);
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
      const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
      answers.push({ status, body: rest.slice(end + 4, end + 4 + length), head });
      rest = rest.slice(end + 4 + length);
    }
    return answers;
  }
}

/** Latin1 text as bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (unit) => unit.charCodeAt(0));
}

/** A POST with a length. */
export function post(path: string, body: string, fields = ""): string {
  return `POST ${path} HTTP/1.1\r\nHost: here\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** A POST in chunks of `size` bytes. */
export function postChunked(path: string, body: string, size: number, fields = ""): string {
  let text = `POST ${path} HTTP/1.1\r\nHost: here\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`;
  for (let at = 0; at < body.length; at += size) {
    const part = body.slice(at, at + size);
    text += `${part.length.toString(16)}\r\n${part}\r\n`;
  }
  return `${text}0\r\n\r\n`;
}
