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
 *    timers, sockets and messages. What is over it goes on in the next turn, first come first served. Of that budget a
 *    stream has a share, which is small while others send little: they wait for a part of a turn, not for all of it.
 *  - Every line is counted as received in the moment in which its state is known, so that the ledger balances.
 *  - A new version of the rules begins between two lines: before a chunk, or where a stream goes on after a wait.
 *  - What streams hold while they wait is bounded: chunks (held_chunks.ts) and half lines (half_lines.ts).
 *
 * Hot path: `received`, once per chunk, and what it calls; `datagram`, once per packet.
 *
 * @module
 */
import type { Batcher } from "../batch/batcher.ts";
import { frameDatagram } from "../framing/datagram.ts";
import { Framer, type FramingMode } from "../framing/framer.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { activityWord, type Pulse } from "../observe/activity.ts";
import { flightKind, type FlightRecorder } from "../observe/flight.ts";
import type { Latencies } from "../observe/stage_latency.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import type { StageTable } from "../observe/stage_table.ts";
import type { Program } from "../rules/program.ts";
import type { Connection } from "../runtime/runtime.ts";
import { FrameCounts } from "./frame_counts.ts";
import { HalfLines } from "./half_lines.ts";
import { HeldChunks } from "./held_chunks.ts";
import type { Letters } from "./letters.ts";
import { LineJoins } from "./line_joins.ts";
import { type LineOptions, plainLines } from "./line_options.ts";
import { LinePlacer, type Wait } from "./line_placer.ts";
import { PeerTroubles } from "./peer_troubles.ts";
import type { WorkerLog } from "./protocol.ts";
import type { RecordLanes } from "./record_lanes.ts";
import type { FrameSource } from "./request_frames.ts";
import { bytesOf, connectionOf, newStream, type Stream, type StreamHolders } from "./stream.ts";
import type { Submission } from "./submission.ts";
import type { Taps } from "./tap.ts";
import { TurnShares } from "./turn_shares.ts";
import type { TopicGate } from "./topic_gate.ts";
import { WaitingStreams } from "./waiting_streams.ts";

/** A wait in the flight recorder. */
const waitNumber: Readonly<Record<Wait, number>> = { room: 0, letters: 1, turn: 2 };

/** What the intake joins; all of one worker. */
export interface IntakeParts {
  readonly kernel: Kernel;
  readonly batcher: Batcher;
  readonly letters: Letters;
  readonly gate: TopicGate;
  readonly counters: CounterRow;
  readonly waits: StageTable;
  readonly worker: number;
  readonly activity: Int32Array;
  readonly pulse?: Pulse;
  readonly taps?: Taps;
  readonly flight?: FlightRecorder;
  /** What a chunk takes from its coming until its lines are in batches. */
  readonly work?: Latencies;
  readonly program: Program;
  /** @see PlacerParts */
  readonly lanes?: RecordLanes;
  /** @see PlacerParts */
  readonly eventTime?: boolean;
  readonly rulesVersion: number;
  /** Bound of all half lines together. */
  readonly halfBytesMax: number;
  readonly log: WorkerLog;
  /** True where connections that send little were here lately. @see Connections */
  readonly besideThin?: (nowMs: number) => boolean;
  /** True while the spool takes nothing: what datagrams that find no room are dropped for. */
  spoolFull?(): boolean;
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
  readonly #waiting: WaitingStreams;
  readonly #holders: StreamHolders;
  readonly #halfLines: HalfLines;
  readonly #held: HeldChunks;
  readonly #joins: LineJoins;
  readonly #frames: FrameCounts;
  #rulesVersion: number;
  readonly #troubles = new PeerTroubles();
  readonly #plain: LineOptions;
  readonly #turns: TurnShares;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#counters = parts.counters;
    this.#placer = new LinePlacer({ ...parts, troubles: this.#troubles });
    this.#plain = plainLines("newline", parts.kernel.sizes.frameBytesMax);
    this.#rulesVersion = parts.rulesVersion;
    const { waits, log, halfBytesMax, worker, counters, besideThin } = parts;
    const streams = this.#streams;
    this.#turns = new TurnShares(() => this.#nextTurn(), besideThin ?? (() => false));
    this.#waiting = new WaitingStreams(waits);
    this.#holders = { worker, streams, waiting: this.#waiting };
    this.#halfLines = new HalfLines({ streams, waits, bytesMax: halfBytesMax, log });
    this.#held = new HeldChunks(streams);
    this.#joins = new LineJoins({ counters, goOn: (stream) => this.#endJoin(stream) });
    this.#frames = new FrameCounts(counters, this.#placer, this.#troubles);
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
    return {
      connections: this.#waiting.size,
      heldBytes: this.#held.bytes,
      halfBytes: this.#halfLines.bytes,
    };
  }

  /** Streams of connections and requests. */
  get streams(): ReadonlySet<Stream> {
    return this.#streams;
  }

  /** Senders whose lines are not as they should be. */
  get troubles(): PeerTroubles {
    return this.#troubles;
  }

  /** A connection; a framing alone stands for lines that are cut where they are too long, and forwarded. */
  open(connection: Connection, framing: LineOptions | FramingMode): Stream {
    const { sizes } = this.#parts.kernel;
    const options = typeof framing === "string" ? plainLines(framing, sizes.frameBytesMax) : framing;
    const framer = new Framer(this.#parts.kernel, options.framing);
    const stream = newStream(connection, framer, undefined, options, this.#holders);
    this.#streams.add(stream);
    this.#record(flightKind["connection opened"], stream);
    if (this.#held.allPaused) connection.pause();
    return stream;
  }

  /** Takes the next bytes of a connection, all of them or up to where it has to wait; then it pauses the connection. */
  received(stream: Stream, chunk: Uint8Array): void {
    this.checkRules();
    this.#counters.add(counter.bytes_received, chunk.byteLength);
    // A chunk that is begun and not scanned lies outside of the input region: it may wait as it is.
    stream.framer.begin(chunk);
    const nowMs = performance.now();
    stream.receivedMs = nowMs;
    stream.heldBytes = chunk.byteLength;
    this.#goOn(stream, nowMs);
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
    const { lines: { bytes }, options = this.#plain } = submission.request;
    const stream = newStream(connectionOf(submission), framer, submission, options, this.#holders);
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
    this.#waiting.delete(stream);
    this.#forget(stream);
  }

  /** What a request waits for, if it does. */
  waitOf(stream: Stream): Wait | undefined {
    return stream.wait;
  }

  /** Takes one datagram, which is one frame; one that is too long may be split. */
  datagram(packet: Uint8Array, peer: string, lines: LineOptions = this.#plain): void {
    this.checkRules();
    this.#counters.add(counter.datagrams, 1);
    this.#counters.add(counter.bytes_received, packet.byteLength);
    const { frameBytesMax, oversize } = lines.framing;
    if (this.#parts.taps?.tracing === true) this.#placer.receivedMs = performance.now();
    const rows = frameDatagram(this.#parts.kernel, packet, { frameBytesMax, splits: oversize === "split" });
    lines.tally.lines += rows;
    if (rows === 0) this.#frames.empty(1);
    else {
      const placed = this.#placer.place(rows, peer, undefined, Infinity, undefined, lines);
      if (placed < rows) this.#placer.drop(rows - placed, this.#placer.left, this.#noRoomReason);
    }
    this.#counters.publish();
  }

  /** Where datagrams are counted that find no room. */
  get #noRoomReason(): number {
    return this.#parts.spoolFull?.() === true
      ? counter.dropped_spool_full_udp
      : counter.dropped_no_memory_udp;
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
    const { batcher, letters } = this.#parts;
    if (this.#waiting.count("room") > 0 && batcher.roomy) this.#serve("room", () => batcher.roomy);
    if (this.#waiting.count("letters") > 0 && !letters.full) this.#serve("letters", () => !letters.full);
    this.#counters.publish();
  }

  /** @see HalfLines.endOld */
  endOldHalves(ageMs: number): string[] {
    return this.#halfLines.endOld(ageMs);
  }

  /**
   * Gives up what waiting streams hold, at the end of a drain: their lines are counted as received and dropped.
   *
   * @returns lines that were given up
   */
  abandon(): number {
    let lines = 0;
    for (const stream of this.#waiting.all()) {
      const { framer, submission } = stream;
      this.withdraw(stream);
      if (submission !== undefined) {
        this.#parts.submissionEnded?.(submission, "stopping");
        continue;
      }
      for (let rows = framer.next(); rows > 0; rows = framer.next()) lines += this.#giveUp(stream, rows);
      for (let rows = framer.finish(); rows > 0; rows = framer.finish()) {
        lines += this.#giveUp(stream, rows);
      }
      this.#frames.count(stream);
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
    this.#parts.flight?.record(flightKind["rules adopted"], performance.now(), 0, next.version, 0);
  }

  /** Takes what the stream has; it is done with it, or waits. */
  #goOn(stream: Stream, sinceMs: number = performance.now()): void {
    this.#parts.pulse?.work();
    this.#placer.receivedMs = stream.receivedMs;
    const linesBefore = stream.lines;
    const wait = this.#pump(stream, sinceMs);
    const ms = performance.now() - sinceMs;
    stream.turnMs += ms;
    this.#parts.flight?.record(flightKind.chunk, sinceMs, ms, stream.connection.id ?? 0, stream.heldBytes);
    if (stream.lines > linesBefore) this.#parts.work?.record(ms, stream.lines - linesBefore);
    this.#parts.activity[activityWord.connection] = 0;
    this.#frames.count(stream);
    this.#halfLines.count(stream);
    if (wait !== undefined) this.#park(stream, wait);
    else {
      stream.heldBytes = 0;
      if (stream.options.joinWaitMs > 0) this.#joins.watch(stream);
      if (stream.state === "ended") this.#forget(stream);
      if (stream.submission !== undefined) this.#parts.submissionEnded?.(stream.submission, undefined);
    }
  }

  /**
   * Places rows until the chunk is used up, and after the connection's end what was never terminated (undefined), or
   * until it must wait; then the framer is suspended.
   */
  #pump(stream: Stream, nowMs: number): Wait | undefined {
    const { framer } = stream;
    const untilMs = this.#turns.untilMs(stream, bytesOf(stream), stream.submission !== undefined, nowMs);
    if (nowMs >= untilMs) return "turn";
    const { activity } = this.#parts;
    activity[activityWord.connection] = stream.connection.id ?? 0;
    activity[activityWord.bytes] = stream.heldBytes;
    for (;;) {
      const rows = framer.next();
      if (rows === 0) break;
      stream.halfSinceMs = nowMs;
      if (!this.#place(stream, rows, untilMs)) return this.#placer.stopped;
      if (framer.pending && performance.now() > untilMs) {
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
    const placed = this.#placer.place(rows, connection.peer, pending, untilMs, submission, stream.options);
    stream.pending = this.#placer.left;
    stream.lines += placed;
    stream.options.tally.lines += placed;
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
    this.#waiting.add(stream, wait);
    this.#parts.flight?.record(
      flightKind.waits,
      stream.waitSinceMs,
      0,
      stream.connection.id ?? 0,
      waitNumber[wait],
    );
    if (wait !== "turn" && stream.submission === undefined) this.#counters.add(counter.pauses, 1);
    this.#held.add(stream);
  }

  /** Lets streams of a queue go on, each at most once, while there is room. */
  #serve(wait: Wait, hasRoom: () => boolean): void {
    for (const stream of this.#waiting.of(wait)) {
      if (!hasRoom()) return;
      // A stream before it may have ended this one.
      if (stream.wait !== wait) continue;
      this.#waiting.delete(stream);
      this.#held.delete(stream);
      this.checkRules();
      const before = stream.state;
      if (before === "waiting") stream.state = "reading";
      this.#goOn(stream);
      // Parked again: its connection is paused still. One that is closed hears that its chunk is not needed any more.
      const goesOn = before === "waiting" && stream.state === "reading";
      if (goesOn || stream.state === "ended" && stream.wait === undefined) stream.connection.resume();
      // Its chunk is given back; the next one would be held beside those that wait.
      if (goesOn && this.#held.allPaused) stream.connection.pause();
    }
    this.#held.resume();
  }

  #nextTurn(): void {
    if (this.#waiting.count("turn") === 0) return;
    this.#serve("turn", () => this.#turns.hasTime());
    this.#counters.publish();
  }

  /** A line that waited for a continuation waits no more. */
  #endJoin(stream: Stream): void {
    this.checkRules();
    stream.framer.flush!();
    this.#goOn(stream);
  }

  #forget(stream: Stream): void {
    this.#halfLines.forget(stream);
    if (stream.submission === undefined) this.#record(flightKind["connection closed"], stream);
    this.#streams.delete(stream);
  }

  #record(kind: number, { connection }: Stream): void {
    this.#parts.flight?.record(kind, performance.now(), 0, connection.id ?? 0, 0);
  }
}
