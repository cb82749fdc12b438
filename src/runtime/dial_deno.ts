/**
 * Outgoing connections on `Deno.connect`: a loop of reads, and writes that are awaited one by one. Deno has no write
 * that returns at once, so each is copied and `drained` always follows.
 *
 * @module
 */
import type { Dial, DialAddress, DialHandler, Dialled, DialTls } from "./dial.ts";
import { dialNode } from "./dial_node.ts";
import type { DenoClientConn, DenoGlobal } from "./globals.ts";

/** Answers of a server are short. */
const readBytes = 16 * 1024;

class DenoDial<State> implements Dialled {
  readonly #handler: DialHandler<State>;
  readonly #state: State;
  #conn: DenoClientConn | undefined;
  #out: Uint8Array = new Uint8Array(0);
  #writing = false;
  #ending = false;
  #closed = false;
  #paused = false;
  #wake: (() => void) | undefined;

  constructor(handler: DialHandler<State>, state: State) {
    this.#handler = handler;
    this.#state = state;
  }

  async run(connecting: Promise<DenoClientConn>): Promise<void> {
    try {
      this.#conn = await connecting;
    } catch (error) {
      this.#finish(error as Error);
      return;
    }
    if (this.#closed) {
      this.#conn.close();
      return;
    }
    this.#handler.opened(this.#state);
    const into = new Uint8Array(readBytes);
    try {
      while (!this.#closed) {
        if (this.#paused) await new Promise<void>((resolve) => this.#wake = resolve);
        const bytes = await this.#conn.read(into);
        if (bytes === null) break;
        if (!this.#closed) this.#handler.received(this.#state, into.subarray(0, bytes));
      }
      this.#finish(undefined);
    } catch (error) {
      this.#finish(error as Error);
    }
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#closed || this.#conn === undefined) return true;
    const length = end - start;
    if (this.#out.length < length) this.#out = new Uint8Array(length);
    this.#out.set(bytes.subarray(start, end));
    this.#writing = true;
    this.#flush(length);
    return false;
  }

  async #flush(length: number): Promise<void> {
    try {
      let from = 0;
      while (from < length && !this.#closed) {
        from += await this.#conn!.write(this.#out.subarray(from, length));
      }
    } catch (error) {
      this.#finish(error as Error);
      return;
    }
    this.#writing = false;
    if (this.#closed) return;
    if (this.#ending) this.#conn!.closeWrite().catch(() => {});
    this.#handler.drained(this.#state);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  end(): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    if (!this.#writing) this.#conn?.closeWrite().catch(() => {});
  }

  destroy(): void {
    this.#finish(undefined);
  }

  #finish(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn?.close();
    } catch {
      // It was closed by the runtime already.
    }
    this.resume();
    queueMicrotask(() => this.#handler.closed(this.#state, error));
  }
}

/** `dial` on `deno`. TLS goes through node:tls: Deno's own cannot leave a certificate unverified. */
export function denoDial(deno: DenoGlobal): Dial {
  return <State>(
    address: DialAddress,
    tls: DialTls | undefined,
    handler: DialHandler<State>,
    state: State,
  ): Dialled => {
    if (tls !== undefined) return dialNode(address, tls, handler, state);
    const dialled = new DenoDial(handler, state);
    const connecting = "path" in address
      ? deno.connect({ transport: "unix", path: address.path })
      : deno.connect({ transport: "tcp", hostname: address.hostname, port: address.port });
    dialled.run(connecting);
    return dialled;
  };
}
