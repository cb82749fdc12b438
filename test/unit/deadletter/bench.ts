/**
 * Dead-letter files and a listener that takes lines, for tests of the replay.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory with a dead-letter file. */
export class LetterFile implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "corndog-replay-"));
  readonly path = join(this.dir, "dead.ndjson");

  /** Appends letters; what is not given is that of a line. */
  add(...letters: readonly Record<string, unknown>[]): void {
    const lines = letters.map((letter) =>
      JSON.stringify({ time: "2026-01-02T03:04:05.678Z", reason: "r", message: "m", kind: "line", ...letter })
    );
    appendFileSync(this.path, lines.map((line) => `${line}\n`).join(""));
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

/** A listener that keeps what each connection sent. */
export class ListenerBench implements AsyncDisposable {
  readonly received: Buffer[] = [];
  /** What it does with a connection; by default it reads to the end. */
  behave: (socket: Socket, index: number) => void = () => {};
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ListenerBench> {
    const server = createServer({ allowHalfOpen: true });
    const bench = new ListenerBench(server);
    server.on("connection", (socket) => {
      const index = bench.received.push(Buffer.alloc(0)) - 1;
      socket.on("error", () => {});
      socket.on(
        "data",
        (data: Buffer) => bench.received[index] = Buffer.concat([bench.received[index]!, data]),
      );
      socket.on("end", () => socket.end());
      bench.behave(socket, index);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return bench;
  }

  get address() {
    const { port } = this.#server.address() as AddressInfo;
    return { host: "127.0.0.1", port, path: "", framing: "auto" as const };
  }

  /** Values of all connections that sent newline-framed or octet-counted lines. */
  get lines(): string[] {
    return this.received.flatMap((bytes) => {
      const lines: string[] = [];
      for (let rest = bytes; rest.length > 0;) {
        const counted = /^(\d{1,9}) </.exec(rest.subarray(0, 16).toString("latin1"));
        const start = counted === null ? 0 : counted[1]!.length + 1;
        const end = counted === null ? rest.indexOf(10) : start + Number(counted[1]);
        lines.push(rest.toString("utf8", start, end));
        rest = rest.subarray(counted === null ? end + 1 : end);
      }
      return lines;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
