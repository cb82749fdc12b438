/**
 * The books of one worker about its connections: how many at most, which are idle, who they are. It wraps the handler
 * of a listener, and the handler sees a `Tracked` connection with an id instead of the bare one.
 *
 * Idleness is found by a sweep that compares byte counts, so a received chunk costs one addition and no clock. A
 * connection that is paused is not idle: it waits for us.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import type { Connection, ConnectionHandler } from "../runtime/runtime.ts";

/** Descriptors that are not for connections: listeners, Kafka, spool segments, the runtime's own. */
export const descriptorsReserved = 256;

/**
 * How many connections `wanted` may be, given the open-files limit: at the limit Bun's accept spins at full CPU and
 * Deno's own start of a child aborts the process, so it must not be reached. `share` is the number of workers.
 */
export function connectionsMaxFor(wanted: number, share: number, openFiles: number | undefined): number {
  const perWorker = Math.ceil(wanted / share);
  if (openFiles === undefined) return perWorker;
  const available = Math.floor((openFiles - descriptorsReserved) / share);
  return Math.max(1, Math.min(perWorker, available));
}

/** The open-files limit of this process (both runtimes raise the soft one at start); undefined if unknown. */
export function openFilesMax(): number | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const match = /^Max open files\s+(\d+)/m.exec(limits);
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}

/** One connection as the admin API shows it. */
export interface ConnectionInfo {
  /** Unique within the worker. */
  readonly id: number;
  readonly listener: string;
  readonly peer: string;
  readonly tlsPeer: string | undefined;
  readonly openedAtMs: number;
  /** To the precision of the sweep. */
  readonly receivedAtMs: number;
  readonly bytes: number;
  readonly paused: boolean;
}

/** A connection with its books. */
export class Tracked<State> implements Connection {
  readonly id: number;
  readonly listener: string;
  readonly peer: string;
  readonly openedAtMs: number;
  receivedAtMs: number;
  bytes = 0;
  /** Byte count at the last sweep. */
  sweptBytes = 0;
  paused = false;
  /** The sweep has destroyed it. */
  idled = false;
  /** The wrapped handler's own object. */
  state: State | undefined;
  readonly #connection: Connection;

  constructor(id: number, listener: string, connection: Connection, nowMs: number) {
    this.id = id;
    this.listener = listener;
    this.peer = connection.peer;
    this.openedAtMs = nowMs;
    this.receivedAtMs = nowMs;
    this.#connection = connection;
  }

  get tlsPeer(): string | undefined {
    return this.#connection.tlsPeer;
  }

  pause(): void {
    this.paused = true;
    this.#connection.pause();
  }

  resume(): void {
    this.paused = false;
    this.#connection.resume();
  }

  write(bytes: Uint8Array): void {
    this.#connection.write(bytes);
  }

  get unsentBytes(): number {
    return this.#connection.unsentBytes;
  }

  end(): void {
    this.#connection.end();
  }

  destroy(): void {
    this.#connection.destroy();
  }
}

/** A `ConnectionHandler` that may use the books of its connections. Any `ConnectionHandler` is one. */
export interface TrackedHandler<State> {
  /** `undefined` refuses the connection. */
  opened(connection: Tracked<State>): State | undefined;
  received(state: State, chunk: Uint8Array): void;
  halfClosed?(state: State): void;
  drained?(state: State): void;
  closed(state: State, error?: Error): void;
}

/** Counters of a worker's connections; all but `open` only grow. */
export interface ConnectionCounts {
  readonly open: number;
  readonly accepted: number;
  /** Destroyed at once because `max` were open. */
  readonly refused: number;
  /** Destroyed by the sweep. */
  readonly idled: number;
}

/** The connections of one worker, over all its listeners. */
export class Connections {
  readonly #max: number;
  readonly #idleMs: number;
  readonly #nowMs: () => number;
  readonly #open = new Map<number, Tracked<unknown>>();
  #nextId = 1;
  #accepted = 0;
  #refused = 0;
  #idled = 0;

  /** `max` at once; `idleMs` without a byte ends one at the next sweep, 0 never does. */
  constructor(options: { readonly max: number; readonly idleMs: number; readonly nowMs: () => number }) {
    this.#max = options.max;
    this.#idleMs = options.idleMs;
    this.#nowMs = options.nowMs;
  }

  /** `handler` behind the books. `listener` names the listener in `list`. `opened` gets a `Tracked`. */
  wrap<State>(listener: string, handler: TrackedHandler<State>): ConnectionHandler<Tracked<State>> {
    return {
      opened: (connection) => {
        if (this.#open.size >= this.#max) {
          this.#refused += 1;
          return undefined;
        }
        const tracked = new Tracked<State>(this.#nextId++, listener, connection, this.#nowMs());
        const state = handler.opened(tracked);
        if (state === undefined) return undefined;
        tracked.state = state;
        this.#accepted += 1;
        this.#open.set(tracked.id, tracked);
        return tracked;
      },
      received(tracked, chunk) {
        tracked.bytes += chunk.length;
        handler.received(tracked.state!, chunk);
      },
      // Without the method a connection ends with its peer's FIN.
      ...(handler.halfClosed === undefined
        ? {}
        : { halfClosed: (tracked: Tracked<State>) => handler.halfClosed!(tracked.state!) }),
      ...(handler.drained === undefined
        ? {}
        : { drained: (tracked: Tracked<State>) => handler.drained!(tracked.state!) }),
      closed: (tracked, error) => {
        this.#open.delete(tracked.id);
        handler.closed(tracked.state!, error);
      },
    };
  }

  /** Destroys what was silent for `idleMs`. Call it about every `idleMs / 4`. */
  sweep(): void {
    const nowMs = this.#nowMs();
    for (const tracked of this.#open.values()) {
      if (tracked.bytes !== tracked.sweptBytes || tracked.paused) {
        tracked.sweptBytes = tracked.bytes;
        tracked.receivedAtMs = nowMs;
      } else if (this.#idleMs > 0 && nowMs - tracked.receivedAtMs >= this.#idleMs && !tracked.idled) {
        tracked.idled = true;
        this.#idled += 1;
        tracked.destroy();
      }
    }
  }

  /** The counters now. */
  counts(): ConnectionCounts {
    return { open: this.#open.size, accepted: this.#accepted, refused: this.#refused, idled: this.#idled };
  }

  /** All open connections. */
  list(): ConnectionInfo[] {
    return Array.from(this.#open.values(), (tracked) => ({
      id: tracked.id,
      listener: tracked.listener,
      peer: tracked.peer,
      tlsPeer: tracked.tlsPeer,
      openedAtMs: tracked.openedAtMs,
      receivedAtMs: tracked.receivedAtMs,
      bytes: tracked.bytes,
      paused: tracked.paused,
    }));
  }

  /** Ends one; false when there is none with this id. */
  destroy(id: number): boolean {
    const tracked = this.#open.get(id);
    tracked?.destroy();
    return tracked !== undefined;
  }

  /** Ends all, at the end of a drain. */
  destroyAll(): void {
    for (const tracked of [...this.#open.values()]) tracked.destroy();
  }
}
