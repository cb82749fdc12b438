/**
 * TCP listeners and their connections in one io_uring per thread: multishot accept, multishot receive into memory that
 * the caller provides. The same interface, and the same promises, as the runtimes' own listeners.
 *
 * Beyond them: chunks are views of the provided memory, and a handler that paused in `received` calls `resume` when it
 * is done with the chunk even if the connection was closed meanwhile, or its buffer is never used again.
 *
 * @module
 */
import { ForwarderError } from "../../core/errors.ts";
import { bindError, errnoError, formatAddress } from "../address.ts";
import { formatSockaddr, sockaddrOf } from "../descriptor_datagrams.ts";
import { reportFault } from "../fault.ts";
import { backlogMax } from "../globals.ts";
import { openLibc } from "../libc.ts";
import { Readiness } from "../readiness.ts";
import { resolveHost } from "../resolve_host.ts";
import type { ConnectionHandler, ListenAddress, Listener } from "../runtime.ts";
import { openUringCalls } from "./calls.ts";
import { UringConnection } from "./connection.ts";
import { type RingUser, UringLoop } from "./loop.ts";
import type { ReceiveMemory } from "./receive_buffers.ts";
import { completionFlag, operation, requestFlag } from "./ring.ts";

const kindAccept = 1;
const SOCK_CLOEXEC = 0o2000000;
const ECONNABORTED = 103;
const ECANCELED = 125;
/** Wait after a failed accept: out of descriptors or memory is not cured by asking again at once. */
const acceptBackoffMs = 100;

/** TCP through io_uring, for one thread. */
export interface UringTcp {
  /** @throws ForwarderError as `Runtime.listenTcp` */
  listenTcp<State>(address: ListenAddress, handler: ConnectionHandler<State>): Promise<Listener>;
  /** Ends what is still open, and the ring. */
  close(): Promise<void>;
  /** Whether every receive buffer is free or with the kernel: nothing was leaked. */
  readonly buffersWhole: boolean;
  readonly counts: UringLoop["counts"];
}

/** Makes it. @throws ForwarderError `not_supported`; ask `probeUring` first */
export async function openUringTcp(memory: ReceiveMemory): Promise<UringTcp> {
  const [calls, libc, readiness] = await Promise.all([openUringCalls(), openLibc(), Readiness.ofThread()]);
  if (calls === undefined || libc === undefined || readiness === undefined) {
    throw new ForwarderError("not_supported", "Cannot use io_uring: no FFI");
  }
  const loop = new UringLoop({ calls, libc, readiness, memory });
  const listeners = new Set<UringListener<unknown>>();
  const connections = new Set<{ destroy(): void }>();
  return {
    async listenTcp(address, handler) {
      const { hostname, port, reusePort, fd: given } = address;
      let fd = given;
      if (fd === undefined) {
        const sockaddr = sockaddrOf({ bytes: await resolveHost(hostname, port), port });
        fd = calls.listen(sockaddr, reusePort, backlogMax);
        if (fd < 0) throw bindError(hostname, port, errnoError(-fd));
      }
      const listener = new UringListener(loop, fd, handler, connections);
      listeners.add(listener as UringListener<unknown>);
      return listener;
    },
    async close() {
      const closing = [...listeners].map((listener) => listener.close());
      for (const connection of connections) connection.destroy();
      await Promise.all(closing);
      await loop.close();
    },
    get buffersWhole() {
      return loop.buffers.whole;
    },
    counts: loop.counts,
  };
}

class UringListener<State> implements Listener, RingUser {
  readonly address: string;
  readonly port: number;
  readonly #loop: UringLoop;
  readonly #fd: number;
  readonly #slot: number;
  readonly #handler: ConnectionHandler<State>;
  readonly #connections: Set<{ destroy(): void }>;
  #accepting = false;
  /** Requests without their last completion. */
  #requests = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed: Promise<void> | undefined;
  #isClosed: () => void = () => {};

  constructor(
    loop: UringLoop,
    fd: number,
    handler: ConnectionHandler<State>,
    connections: Set<{ destroy(): void }>,
  ) {
    this.#loop = loop;
    this.#fd = fd;
    this.#connections = connections;
    this.#handler = handler;
    const bound = formatSockaddr(loop.calls.ownAddress(fd));
    const colon = bound.lastIndexOf(":");
    this.port = Number(bound.slice(colon + 1));
    this.address = formatAddress(bound.slice(0, colon).replace(/^\[|\]$/g, ""), this.port);
    this.#slot = loop.enter(this);
    this.#accept();
  }

  /** @see RingUser */
  completed(kind: number, result: number, flags: number): number {
    const more = (flags & completionFlag.more) !== 0;
    if (!more) this.#requests -= 1;
    if (kind === kindAccept) {
      if (!more) this.#accepting = false;
      if (result >= 0) this.#opened(result);
      else if (result !== -ECONNABORTED && result !== -ECANCELED) this.#failed(result);
      if (!this.#accepting && this.#closed === undefined && this.#retry === undefined) this.#accept();
    }
    if (this.#closed !== undefined) this.#closeIfDone();
    return 0;
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#isClosed = resolve;
      clearTimeout(this.#retry);
      if (this.#accepting) {
        this.#requests += 1;
        this.#loop.cancel(this.#slot, kindAccept);
      }
      queueMicrotask(() => this.#closeIfDone());
    });
    return this.#closed;
  }

  #accept(): void {
    this.#accepting = true;
    this.#requests += 1;
    this.#loop.request({
      op: operation.accept,
      fd: this.#fd,
      slot: this.#slot,
      kind: kindAccept,
      ioprio: requestFlag.acceptMultishot,
      opFlags: SOCK_CLOEXEC,
    });
  }

  #opened(fd: number): void {
    const connection = new UringConnection(this.#loop, fd, this.#handler, this.#left);
    if (!connection.isClosed) this.#connections.add(connection);
  }

  readonly #left = (connection: UringConnection<State>): void => {
    this.#connections.delete(connection);
  };

  #failed(result: number): void {
    reportFault("listener.accept", errnoError(-result));
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (!this.#accepting && this.#closed === undefined) this.#accept();
    }, acceptBackoffMs);
  }

  #closeIfDone(): void {
    if (this.#requests > 0) return;
    this.#requests = Infinity; // Once.
    this.#loop.calls.close(this.#fd);
    this.#loop.leave(this.#slot);
    this.#isClosed();
  }
}
