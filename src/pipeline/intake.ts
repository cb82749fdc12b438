/**
 * The streams of one worker: bytes of connections in, rows to the placer, and who goes on when.
 *
 *     chunk -> framer (rows in the kernel's table) -> placer (rules; lane of the topic | dead letter | drop)
 *
 * Constraints it keeps:
 *  - Nothing is dropped for want of memory: when a lane or the dead letter finds no room, the stream is suspended
 *    at that very row, its connection paused, and it goes on from there when room came back. Datagrams cannot
 *    wait: they are dropped and counted.
 *  - Who waits for the dead letter holds up nobody who waits for memory, and the other way round.
 *  - A turn of the event loop has a time budget, over all streams: expensive rules under full load must not hold
 *    timers, sockets and messages. What is over it goes on in the next turn, first come first served.
 *  - Every line is counted as received in the moment in which its state is known, so that the ledger balances.
 *  - A new version of the rules begins between two lines: before a chunk, or where a stream goes on after a wait.
 *  - Half lines are bounded: over the bound the connection whose half line is oldest is ended.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Batcher } from "../batch/batcher.ts";
import { frameDatagram } from "../framing/datagram.ts";
import { Framer, type FramingMode } from "../framing/framer.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { Program } from "../rules/program.ts";
import type { Connection } from "../runtime/runtime.ts";
import type { Letters } from "./letters.ts";
import { LinePlacer, type PendingLine, type Wait } from "./line_placer.ts";
import type { WorkerLog } from "./protocol.ts";
import type { FrameSource } from "./request_frames.ts";
import type { Submission } from "./submission.ts";
import type { RecordLanes } from "./record_lanes.ts";
import type { TopicGate } from "./topic_gate.ts";

/** Chunks that paused connections may pin before all others are paused too; a chunk of Bun's is at most 512 KiB. */
const heldBytesMax = 4 * 1024 * 1024;
/** What one connection may take of a turn. */
const streamMs = 2;
/** What all connections together may take of a turn of the event loop. */
const turnMs = 5;

/** What the intake does with a connection. */
export type StreamPeer = Pick<Connection, "peer" | "pause" | "resume" | "destroy">;

/** One connection's way through the intake, or one request's: a stream of one chunk that has ended. */
export interface Stream {
  readonly connection: StreamPeer;
  readonly framer: FrameSource;
  /** The request, if it is one. */
  readonly submission: Submission | undefined;
  /** Bytes of the chunk that waits with it. */
  heldBytes: number;
  /** Bytes of its half line, and since when there is one (`performance.now()`). */
  halfBytes: number;
  halfSinceMs: number;
  /** Empty frames that are in the ledger; the framer counts from the connection's beginning. */
  emptyFrames: number;
  state: "reading" | "waiting" | "ended";
  /** What is left of the row at which it was suspended. */
  pending: PendingLine | undefined;
}

/** What the intake joins; all of one worker. */
export interface IntakeParts {
  readonly kernel: Kernel;
  readonly batcher: Batcher;
  readonly letters: Letters;
  readonly gate: TopicGate;
  readonly counters: CounterRow;
  readonly program: Program;
  /** @see PlacerParts */
  readonly lanes?: RecordLanes;
  /** @see PlacerParts */
  readonly eventTime?: boolean;
  readonly rulesVersion: number;
  /** Bound of all half lines together. */
  readonly halfBytesMax: number;
  readonly log: WorkerLog;
  /** All lines of a request are placed (undefined), or those behind `submission.placed` never will be. */
  submissionEnded?(submission: Submission, refusal: "stopping" | undefined): void;
  /** The next program, if a newer version is in force. */
  adopt(version: number): { readonly program: Program; readonly version: number } | undefined;
}

/** The intake of one worker. */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #counters: CounterRow;
  readonly #placer: LinePlacer;
  readonly #streams = new Set<Stream>();
  readonly #waiting: Readonly<Record<Wait, Set<Stream>>> = {
    room: new Set(),
    letters: new Set(),
    turn: new Set(),
  };
  #rulesVersion: number;
  #heldBytes = 0;
  #halfBytes = 0;
  #allPaused = false;
  /** End of this turn's budget on the monotonic clock; 0 where the turn has not begun. */
  #turnEndsMs = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#counters = parts.counters;
    this.#placer = new LinePlacer(parts);
    this.#rulesVersion = parts.rulesVersion;
  }

  /** The rules in force and their hits. */
  get program(): Program {
    return this.#placer.program;
  }

  get rulesVersion(): number {
    return this.#rulesVersion;
  }

  /** Streams that wait, and the bytes that wait with them. */
  get waiting(): { readonly connections: number; readonly heldBytes: number; readonly halfBytes: number } {
    const { room, letters, turn } = this.#waiting;
    return {
      connections: room.size + letters.size + turn.size,
      heldBytes: this.#heldBytes,
      halfBytes: this.#halfBytes,
    };
  }

  open(connection: Connection, mode: FramingMode): Stream {
    const stream: Stream = {
      connection,
      framer: new Framer(this.#parts.kernel, mode),
      submission: undefined,
      heldBytes: 0,
      halfBytes: 0,
      halfSinceMs: 0,
      emptyFrames: 0,
      state: "reading",
      pending: undefined,
    };
    this.#streams.add(stream);
    if (this.#allPaused) connection.pause();
    return stream;
  }

  /** Takes the next bytes of a connection, all of them or up to where it has to wait; then it pauses the connection. */
  received(stream: Stream, chunk: Uint8Array): void {
    this.checkRules();
    this.#counters.add(counter.bytes_received, chunk.byteLength);
    // A chunk that is begun and not scanned lies outside of the input region: it may wait as it is.
    stream.framer.begin(chunk);
    stream.heldBytes = chunk.byteLength;
    this.#goOn(stream);
    this.#counters.publish();
  }

  /** The connection ended: its last line may lack its delimiter. */
  closed(stream: Stream): void {
    const waits = stream.state === "waiting";
    stream.state = "ended";
    if (waits) return;
    this.checkRules();
    this.#goOn(stream);
    this.#counters.publish();
  }

  /**
   * Takes the lines of a request: all of them, or up to where it has to wait. `submissionEnded` tells when all are
   * placed, which may be before this returns.
   */
  submit(submission: Submission, framer: FrameSource): Stream {
    const { bytes } = submission.request.lines;
    const stream: Stream = {
      connection: connectionOf(submission),
      framer,
      submission,
      // Requests have their own bound; what they hold does not pause connections.
      heldBytes: 0,
      halfBytes: 0,
      halfSinceMs: 0,
      emptyFrames: 0,
      state: "ended",
      pending: undefined,
    };
    this.#streams.add(stream);
    this.checkRules();
    this.#counters.add(counter.bytes_received, bytes.byteLength);
    framer.begin(bytes);
    this.#goOn(stream);
    this.#counters.publish();
    return stream;
  }

  /** Takes no more lines of a request that waits. What was placed stays; the rest was never received. */
  withdraw(stream: Stream): void {
    for (const waiting of Object.values(this.#waiting)) waiting.delete(stream);
    this.#halfBytes -= stream.halfBytes;
    this.#streams.delete(stream);
  }

  /** What a request waits for, if it does. */
  waitOf(stream: Stream): Wait | undefined {
    const { room, letters, turn } = this.#waiting;
    return room.has(stream)
      ? "room"
      : letters.has(stream)
      ? "letters"
      : turn.has(stream)
      ? "turn"
      : undefined;
  }

  /** Takes one datagram, which is one frame. */
  datagram(packet: Uint8Array, peer: string): void {
    this.checkRules();
    this.#counters.add(counter.datagrams, 1);
    this.#counters.add(counter.bytes_received, packet.byteLength);
    if (frameDatagram(this.#parts.kernel, packet) === 0) this.#emptyFrames(1);
    else if (this.#placer.place(1, peer, undefined, Infinity) === 0) {
      this.#placer.drop(1, this.#placer.left, counter.dropped_no_memory_udp);
    }
    this.#counters.publish();
  }

  /** Counts a datagram that is not taken, for `reason` (a place of a `dropped_` counter). */
  datagramDropped(packet: Uint8Array, reason: number): void {
    this.#counters.add(counter.datagrams, 1);
    this.#counters.add(counter.bytes_received, packet.byteLength);
    this.#placer.dropped(reason, 1);
    this.#counters.publish();
  }

  /** Room may have come back: streams that wait for it go on, first come first served, until it is used up again. */
  wake(): void {
    const { room, letters } = this.#waiting;
    if (room.size > 0 && this.#parts.batcher.roomy) this.#serve(room, () => this.#parts.batcher.roomy);
    if (letters.size > 0 && !this.#parts.letters.full) this.#serve(letters, () => !this.#parts.letters.full);
    this.#counters.publish();
  }

  /**
   * Gives up what waiting streams hold, at the end of a drain: their lines are counted as received and dropped.
   *
   * @returns lines that were given up
   */
  abandon(): number {
    let lines = 0;
    for (const waiting of Object.values(this.#waiting)) {
      for (const stream of waiting) {
        const { framer, submission } = stream;
        if (submission !== undefined) {
          this.withdraw(stream);
          this.#parts.submissionEnded?.(submission, "stopping");
          continue;
        }
        for (let rows = framer.next(); rows > 0; rows = framer.next()) lines += this.#giveUp(stream, rows);
        for (let rows = framer.finish(); rows > 0; rows = framer.finish()) {
          lines += this.#giveUp(stream, rows);
        }
        this.#countEmptyFrames(stream);
        this.#streams.delete(stream);
      }
      waiting.clear();
    }
    this.#counters.publish();
    return lines;
  }

  /** Adopts a newer version of the rules if one is in force. Called between chunks. */
  checkRules(): void {
    const next = this.#parts.adopt(this.#rulesVersion);
    if (next === undefined) return;
    this.#placer.program = next.program;
    this.#rulesVersion = next.version;
  }

  /** Takes what the stream has; it is done with it, or waits. */
  #goOn(stream: Stream): void {
    const wait = this.#pump(stream);
    this.#countEmptyFrames(stream);
    this.#countHalf(stream);
    if (wait !== undefined) this.#park(stream, wait);
    else {
      stream.heldBytes = 0;
      if (stream.state === "ended") this.#streams.delete(stream);
      if (stream.submission !== undefined) this.#parts.submissionEnded?.(stream.submission, undefined);
    }
  }

  /**
   * Places rows until the chunk is used up, and after the connection's end what was never terminated (undefined), or
   * until it must wait; then the framer is suspended.
   */
  #pump(stream: Stream): Wait | undefined {
    const { framer } = stream;
    const nowMs = performance.now();
    const untilMs = Math.min(this.#turnEnd(nowMs), nowMs + streamMs);
    if (nowMs >= untilMs) return "turn";
    for (;;) {
      const rows = framer.next();
      if (rows === 0) break;
      stream.halfSinceMs = nowMs;
      if (!this.#place(stream, rows, untilMs)) return this.#placer.stopped;
      if (performance.now() > untilMs && framer.pending) {
        framer.suspend(rows);
        return "turn";
      }
    }
    if (stream.state !== "ended") return undefined;
    for (let rows = framer.finish(); rows > 0; rows = framer.finish()) {
      if (!this.#place(stream, rows, Infinity)) return this.#placer.stopped;
    }
    return undefined;
  }

  /** True if all rows were placed, else the stream is suspended at the first that was not. */
  #place(stream: Stream, rows: number, untilMs: number): boolean {
    const { connection, pending, submission } = stream;
    const placed = this.#placer.place(rows, connection.peer, pending, untilMs, submission);
    stream.pending = this.#placer.left;
    if (placed < rows) stream.framer.suspend(placed);
    return placed === rows;
  }

  #giveUp(stream: Stream, rows: number): number {
    const lines = this.#placer.drop(rows, stream.pending, counter.dropped_shutdown);
    stream.pending = undefined;
    return lines;
  }

  #park(stream: Stream, wait: Wait): void {
    if (stream.state === "reading") {
      stream.state = "waiting";
      stream.connection.pause();
    }
    this.#heldBytes += stream.heldBytes;
    this.#waiting[wait].add(stream);
    if (wait !== "turn" && stream.submission === undefined) this.#counters.add(counter.pauses, 1);
    if (this.#heldBytes > heldBytesMax && !this.#allPaused) this.#pauseAll();
  }

  /** Lets streams of a queue go on, each at most once, while there is room. */
  #serve(queue: Set<Stream>, hasRoom: () => boolean): void {
    for (const stream of [...queue]) {
      if (!hasRoom()) return;
      queue.delete(stream);
      this.#heldBytes -= stream.heldBytes;
      this.checkRules();
      const before = stream.state;
      if (before === "waiting") stream.state = "reading";
      this.#goOn(stream);
      // Parked again: its connection is paused still.
      if (before === "waiting" && stream.state === "reading") stream.connection.resume();
    }
    if (this.#allPaused && this.#heldBytes <= heldBytesMax / 2) this.#resumeAll();
  }

  /** End of this turn's time; the first who asks in a turn begins it. */
  #turnEnd(nowMs: number): number {
    if (this.#turnEndsMs === 0) {
      this.#turnEndsMs = nowMs + turnMs;
      setImmediate(this.#nextTurn);
    }
    return this.#turnEndsMs;
  }

  readonly #nextTurn = (): void => {
    this.#turnEndsMs = 0;
    const { turn } = this.#waiting;
    if (turn.size === 0) return;
    this.#serve(turn, () => this.#turnEndsMs === 0 || performance.now() < this.#turnEndsMs);
    this.#counters.publish();
  };

  #pauseAll(): void {
    this.#allPaused = true;
    for (const stream of this.#streams) if (stream.state === "reading") stream.connection.pause();
  }

  #resumeAll(): void {
    this.#allPaused = false;
    for (const stream of this.#streams) if (stream.state === "reading") stream.connection.resume();
  }

  #countEmptyFrames(stream: Stream): void {
    this.#emptyFrames(stream.framer.emptyFrames - stream.emptyFrames);
    stream.emptyFrames = stream.framer.emptyFrames;
  }

  #emptyFrames(frames: number): void {
    if (frames === 0) return;
    this.#counters.add(counter.frames_empty, frames);
    this.#placer.dropped(counter.dropped_empty_frame, frames);
  }

  /** Keeps the sum of half lines, and their bound. */
  #countHalf(stream: Stream): void {
    const bytes = stream.framer.heldBytes;
    if (bytes === stream.halfBytes) return;
    if (stream.halfBytes === 0) stream.halfSinceMs = performance.now();
    this.#halfBytes += bytes - stream.halfBytes;
    stream.halfBytes = bytes;
    if (this.#halfBytes > this.#parts.halfBytesMax) this.#endOldestHalf();
  }

  /**
   * Ends connections that finish no line for `ageMs` while they have begun one; what they have of it is forwarded as
   * a line. Gives their peers.
   */
  endOldHalves(ageMs: number): string[] {
    const peers: string[] = [];
    const sinceMs = performance.now() - ageMs;
    for (const stream of this.#streams) {
      if (stream.halfBytes === 0 || stream.state !== "reading" || stream.halfSinceMs > sinceMs) continue;
      stream.halfSinceMs = Infinity;
      peers.push(stream.connection.peer);
      stream.connection.destroy();
    }
    return peers;
  }

  /** Ends the connection whose half line waits for longest; what it has of it is forwarded as a line. */
  #endOldestHalf(): void {
    let oldest: Stream | undefined;
    for (const stream of this.#streams) {
      if (stream.halfBytes === 0 || stream.state !== "reading") continue;
      if (oldest === undefined || stream.halfSinceMs < oldest.halfSinceMs) oldest = stream;
    }
    if (oldest === undefined) return;
    const { peer } = oldest.connection;
    const problem =
      `${this.#halfBytes} bytes of unfinished lines are held, ${this.#parts.halfBytesMax} are allowed`;
    this.#parts.log("half_lines_full", { peer, bytes: oldest.halfBytes, problem });
    // Its end is told in a moment; until then another one is the oldest.
    oldest.halfSinceMs = Infinity;
    oldest.connection.destroy();
  }
}

/** A request has no connection of its own here: who took it knows how to stop reading. */
function connectionOf({ request }: Submission): StreamPeer {
  return { peer: request.peer, pause: nothing, resume: nothing, destroy: nothing };
}

function nothing(): void {}
