/**
 * Senders that remember what was acknowledged to them, and survive the end of who acknowledged it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { setTimeout } from "node:timers";
import { dial } from "../support/corndog.ts";

const padding = "x".repeat(120);

/** What all senders of a test have seen. */
export class Acknowledged {
  /** Ids that were answered as durable, in order. */
  readonly ids: string[] = [];
  /** Ids that were sent and not answered so: they may or may not arrive. */
  sent = 0;
  /** Answers by status. */
  readonly statuses = new Map<number, number>();
  #next = 0;

  /** The next id, unique in the test. */
  id(): string {
    this.sent++;
    return `id-${this.#next++}-`;
  }

  count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }
}

/** One event per request over one connection that is kept, the next when the last was answered; until the other end is gone. */
export class HttpSender {
  /** Resolves when the connection is gone or `stop` was called and the last answer came. */
  readonly ended: Promise<void>;
  readonly #all: Acknowledged;
  readonly #socket: Socket;
  readonly #ack: string;
  readonly #pauseMs: number;
  #id = "";
  #heard = "";
  #stopping = false;

  private constructor(socket: Socket, all: Acknowledged, ack: string, pauseMs: number) {
    this.#pauseMs = pauseMs;
    this.#socket = socket;
    this.#all = all;
    this.#ack = ack;
    this.ended = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.on("data", (data) => this.#hear(data.toString("latin1")));
    this.#send();
  }

  /** Connects to an HTTP listener and begins. `ack` is what it waits for, `pauseMs` lies between answer and request. */
  static async start(
    port: number,
    all: Acknowledged,
    ack: "disk" | "kafka",
    pauseMs = 0,
  ): Promise<HttpSender> {
    return new HttpSender(await dial(port), all, ack, pauseMs);
  }

  /** Sends nothing more. */
  stop(): Promise<void> {
    this.#stopping = true;
    return this.ended;
  }

  #send(): void {
    this.#id = this.#all.id();
    const body = `<13>1 - edge http - - - ${this.#id} ${padding}`;
    this.#socket.write(
      `POST /v1/ingest?ack=${this.#ack} HTTP/1.1\r\nhost: corndog\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  }

  #hear(text: string): void {
    this.#heard += text;
    for (;;) {
      const headEnd = this.#heard.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      const head = this.#heard.slice(0, headEnd);
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      const end = headEnd + 4 + length;
      if (this.#heard.length < end) return;
      const body = this.#heard.slice(headEnd + 4, end);
      this.#heard = this.#heard.slice(end);
      this.#answered(Number(head.split(" ", 2)[1]), body);
    }
  }

  #answered(status: number, body: string): void {
    this.#all.count(status);
    // 202 is durable too where Kafka did not answer in time and the spool has the line.
    if (status < 300 && /"durable": ?true/.test(body)) this.#all.ids.push(this.#id);
    if (this.#stopping) this.#socket.end();
    else if (status < 300 && this.#pauseMs === 0) this.#send();
    else setTimeout(() => this.#send(), status < 300 ? this.#pauseMs : 20);
  }
}

/** Lines of RELP unanswered at a time. */
const relpWindow = 32;

/** RELP frames (`TXNR COMMAND LENGTH DATA LF`), a window of them unanswered; until the other end is gone. */
export class RelpSender {
  readonly ended: Promise<void>;
  readonly #all: Acknowledged;
  readonly #socket: Socket;
  /** Ids of the lines without an answer, by transaction. */
  readonly #unanswered = new Map<number, string>();
  #transaction = 1;
  #heard = "";

  private constructor(socket: Socket, all: Acknowledged) {
    this.#socket = socket;
    this.#all = all;
    this.ended = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.on("data", (data) => this.#hear(data.toString("latin1")));
    const offer = "relp_version=0\nrelp_software=crash test\ncommands=syslog";
    socket.write(`1 open ${offer.length} ${offer}\n`);
  }

  /** Connects to a RELP listener and begins. */
  static async start(port: number, all: Acknowledged): Promise<RelpSender> {
    return new RelpSender(await dial(port), all);
  }

  #hear(text: string): void {
    this.#heard += text;
    for (;;) {
      const head = /^(\d+) rsp (\d+) /.exec(this.#heard);
      if (head === null) break;
      const end = head[0].length + Number(head[2]) + 1;
      if (this.#heard.length < end) break;
      const status = Number(this.#heard.slice(head[0].length, head[0].length + 3));
      this.#heard = this.#heard.slice(end);
      this.#all.count(status);
      const id = this.#unanswered.get(Number(head[1]));
      this.#unanswered.delete(Number(head[1]));
      if (id !== undefined && status === 200) this.#all.ids.push(id);
    }
    this.#fill();
  }

  #fill(): void {
    let frames = "";
    while (this.#unanswered.size < relpWindow) {
      const id = this.#all.id();
      const line = `<13>1 - edge relp - - - ${id} ${padding}`;
      this.#unanswered.set(++this.#transaction, id);
      frames += `${this.#transaction} syslog ${line.length} ${line}\n`;
    }
    if (frames !== "") this.#socket.write(frames);
  }
}

/** Lines without an answer, as fast as the other end reads; until it is gone. */
export class TcpSender {
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #name: string;
  lines = 0;
  #stopping = false;

  private constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
    this.ended = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.on("drain", () => this.#send());
    socket.resume();
    this.#send();
  }

  /** Connects to a syslog listener and begins. Lines are `NAME SEQUENCE padding.`, so that a cut one shows. */
  static async start(port: number, name: string): Promise<TcpSender> {
    return new TcpSender(await dial(port), name);
  }

  stop(): Promise<void> {
    this.#stopping = true;
    this.#socket.end();
    return this.ended;
  }

  #send(): void {
    if (this.#stopping) return;
    for (let turns = 0; turns < 20; turns++) {
      let text = "";
      for (let n = 0; n < 50; n++) {
        text += `<13>1 - edge tcp - - - ${this.#name} ${this.lines++} ${padding}.\n`;
      }
      if (!this.#socket.write(Buffer.from(text))) return;
    }
    // It took all of it at once: not to fill the memory.
    setTimeout(() => this.#send(), 1);
  }
}
