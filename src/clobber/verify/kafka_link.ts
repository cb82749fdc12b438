/**
 * A connection to one broker: TLS and login where they are wanted, then requests one after the other, each with a
 * deadline.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ForwarderError, messageOf } from "../../core/errors.ts";
import type { KafkaAccess } from "./access.ts";
import { logIn } from "./kafka_login.ts";
import { ResponseReader } from "./kafka_wire.ts";

/** An answer is larger only if it is none. */
const answerBytesMax = 512 * 1024 * 1024;

/** What a connection that ended before it had said anything may have missed. */
const plainHint =
  "if this port wants TLS or a login, write --verify-config FILE with its kafka.tls and kafka.sasl";

/** The connection. */
export class KafkaLink {
  readonly name: string;
  readonly #socket: Socket;
  /** Said of an end before the first answer. */
  readonly #hint: string;
  #correlation = 0;
  #answers = 0;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #waiting: { readonly resolve: (body: Buffer) => void; readonly reject: (error: Error) => void } | undefined;
  #ended: Error | undefined;

  private constructor(name: string, socket: Socket, hint: string) {
    this.name = name;
    this.#socket = socket;
    this.#hint = hint;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the connection was closed")));
  }

  /** Connects and logs in, each within the time. @throws ForwarderError */
  static async open(host: string, port: number, access: KafkaAccess, timeoutMs: number): Promise<KafkaLink> {
    // First, so that the time for connecting is not spent on waiting for a token.
    const [tls, credentials] = await Promise.all([access.tls(), access.credentials()]);
    const socket = await open(host, port, tls, timeoutMs);
    const isPlain = tls === undefined && credentials === undefined;
    const link = new KafkaLink(`${host}:${port}`, socket, isPlain ? plainHint : "");
    if (credentials === undefined) return link;
    try {
      await logIn(host, port, credentials, (request) => link.ask(request, timeoutMs));
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** One request and its answer. @throws ForwarderError */
  async ask(request: (correlation: number) => Buffer, timeoutMs: number): Promise<ResponseReader> {
    const correlation = ++this.#correlation;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      if (this.#ended !== undefined) throw this.#ended;
      const body = await new Promise<Buffer>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        timer = setTimeout(() => this.#end(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
        this.#socket.write(request(correlation));
      });
      this.#answers++;
      const reader = new ResponseReader(body);
      if (reader.int32() !== correlation) throw new Error("it answered another request");
      return reader;
    } catch (error) {
      this.close();
      const hint = this.#answers === 0 && this.#hint !== "" ? `; ${this.#hint}` : "";
      throw new ForwarderError("kafka_unreachable", `Broker "${this.name}": ${messageOf(error)}${hint}`, {
        cause: error,
        retryable: true,
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.#end(new Error("the connection was closed"));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#socket.destroy();
    this.#waiting?.reject(this.#ended);
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    // A TLS alert has seven bytes: one that plain text was sent to.
    if (this.#answers === 0 && chunk[0] === 0x15 && chunk[1] === 3) {
      return this.#end(new Error("it speaks TLS"));
    }
    if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks)];
    if (this.#buffered < 4) return;
    const length = this.#chunks[0]!.readInt32BE(0);
    if (length < 4 || length > answerBytesMax) {
      return this.#end(new Error("it does not speak Kafka's protocol"));
    }
    if (this.#buffered < 4 + length) return;
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const rest = bytes.subarray(4 + length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#buffered = rest.length;
    this.#waiting?.resolve(bytes.subarray(4, 4 + length));
  }
}

function open(
  host: string,
  port: number,
  tls: Readonly<Record<string, unknown>> | undefined,
  timeoutMs: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket: Socket = tls === undefined
      ? connect({ host, port })
      : connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...tls });
    const leave = (): void => {
      clearTimeout(timer);
      socket.off("error", failed);
      socket.off("close", closed);
    };
    const fail = (why: string): void => {
      leave();
      socket.on("error", () => {}); // what comes after is an echo
      socket.destroy();
      const isAway = /REFUSED|UNREACH|NOTFOUND|EAI_AGAIN|TIMEDOUT/.test(why);
      const hint = tls === undefined || isAway
        ? ""
        : "; does this port speak TLS, and is its certificate one that kafka.tls trusts?";
      const message = `Cannot reach broker "${host}:${port}": ${why}${hint}`;
      reject(new ForwarderError("kafka_unreachable", message, { retryable: true }));
    };
    const failed = (error: Error): void => fail(messageOf(error));
    const closed = (): void => fail("it closed the connection");
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.on("error", failed);
    socket.on("close", closed);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      leave();
      resolve(socket);
    });
  });
}
