/**
 * A connection to one broker: requests one after the other, each with a deadline.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { ForwarderError, messageOf } from "../../core/errors.ts";
import { ResponseReader } from "./kafka_wire.ts";

/** An answer is larger only if it is none. */
const answerBytesMax = 512 * 1024 * 1024;

/** The connection. */
export class KafkaLink {
  readonly name: string;
  readonly #socket: Socket;
  #correlation = 0;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #waiting: { readonly resolve: (body: Buffer) => void; readonly reject: (error: Error) => void } | undefined;
  #ended: Error | undefined;

  private constructor(name: string, socket: Socket) {
    this.name = name;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the connection was closed")));
  }

  /** Connects. @throws ForwarderError */
  static open(host: string, port: number, timeoutMs: number): Promise<KafkaLink> {
    const name = `${host}:${port}`;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      const fail = (why: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(
          new ForwarderError("kafka_unreachable", `Cannot reach broker "${name}": ${why}`, {
            retryable: true,
          }),
        );
      };
      const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
      socket.once("error", (error) => fail(messageOf(error)));
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.removeAllListeners("error");
        resolve(new KafkaLink(name, socket));
      });
    });
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
      const reader = new ResponseReader(body);
      if (reader.int32() !== correlation) throw new Error("it answered another request");
      return reader;
    } catch (error) {
      this.close();
      throw new ForwarderError("kafka_unreachable", `Broker "${this.name}": ${messageOf(error)}`, {
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
