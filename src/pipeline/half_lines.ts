/**
 * Half lines of connections: how many bytes of them are held in all, since when, and their bound. Over it the connection
 * whose half line is oldest is ended: a sender that begins lines and never ends them must not cost others their memory.
 *
 * @module
 */
import { stage, type StageTable } from "../observe/stage_table.ts";
import type { Stream } from "./stream.ts";
import type { WorkerLog } from "./protocol.ts";

/** What the books of half lines join. */
export interface HalfLinesParts {
  readonly streams: ReadonlySet<Stream>;
  readonly waits: StageTable;
  /** Bound of all half lines together. */
  readonly bytesMax: number;
  readonly log: WorkerLog;
}

/** The half lines of one worker. */
export class HalfLines {
  readonly #parts: HalfLinesParts;
  #bytes = 0;

  constructor(parts: HalfLinesParts) {
    this.#parts = parts;
  }

  /** Bytes of all half lines. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes note of what a stream holds of its line now. */
  count(stream: Stream): void {
    const bytes = stream.framer.heldBytes;
    if (bytes === stream.halfBytes) return;
    this.#end(stream);
    if (stream.halfBytes === 0) stream.halfSinceMs = performance.now();
    if (bytes > 0) this.#begin(stream);
    this.#bytes += bytes - stream.halfBytes;
    stream.halfBytes = bytes;
    if (this.#bytes > this.#parts.bytesMax) this.#endOldest();
  }

  /** The stream is gone, and what it holds with it. */
  forget(stream: Stream): void {
    this.#bytes -= stream.halfBytes;
    stream.halfBytes = 0;
    this.#end(stream);
  }

  /**
   * Ends connections that finish no line for `ageMs` while they have begun one; what they have of it is forwarded as
   * a line. Gives their peers.
   */
  endOld(ageMs: number): string[] {
    const peers: string[] = [];
    const sinceMs = performance.now() - ageMs;
    for (const stream of this.#parts.streams) {
      if (stream.halfBytes === 0 || stream.state !== "reading" || stream.halfSinceMs > sinceMs) continue;
      stream.halfSinceMs = Infinity;
      peers.push(stream.connection.peer);
      stream.connection.destroy();
    }
    return peers;
  }

  #begin(stream: Stream): void {
    // Only the sender can end this wait, and limits of the listener.
    stream.halfSlot = this.#parts.waits.enter(stage.frame, stream.waiting, stream.halfSinceMs, Infinity);
  }

  #end(stream: Stream): void {
    this.#parts.waits.leave(stream.halfSlot);
    stream.halfSlot = -1;
  }

  /** Ends the connection whose half line waits for longest; what it has of it is forwarded as a line. */
  #endOldest(): void {
    const { streams, bytesMax, log } = this.#parts;
    let oldest: Stream | undefined;
    for (const stream of streams) {
      if (stream.halfBytes === 0 || stream.state !== "reading") continue;
      if (oldest === undefined || stream.halfSinceMs < oldest.halfSinceMs) oldest = stream;
    }
    if (oldest === undefined) return;
    const { peer } = oldest.connection;
    const problem = `${this.#bytes} bytes of unfinished lines are held, ${bytesMax} are allowed`;
    log("half_lines_full", { peer, bytes: oldest.halfBytes, problem });
    // Its end is told in a moment; until then another one is the oldest.
    oldest.halfSinceMs = Infinity;
    oldest.connection.destroy();
  }
}
