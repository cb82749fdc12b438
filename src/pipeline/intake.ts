/**
 * The way of a line through one worker, from a chunk of bytes to a batch, a dead letter or a drop. Hot path: the
 * loops here allocate nothing per line; only what rules ask for (text, JSON) is made.
 *
 *     chunk -> framer (rows in the kernel's table) -> headers -> rules -> lane of the topic | dead letter | drop
 *
 * Constraints it keeps:
 *  - Nothing is dropped for want of memory: when a lane or the dead letter finds no room, the stream is suspended
 *    at that very row, its connection paused, and it goes on from there when room came back. Datagrams cannot
 *    wait: they are dropped and counted.
 *  - The rules run once per line, also when the line had to wait between its copies.
 *  - Every line is counted as received in the moment in which its state is known, so that the ledger balances.
 *  - A new version of the rules begins between two lines: before a chunk, or where a stream goes on after a wait.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";
import type { Batcher } from "../batch/batcher.ts";
import { frameDatagram } from "../framing/datagram.ts";
import { Framer, type FramingMode } from "../framing/framer.ts";
import { frameFlag, framePart, frameRowBytes, type Kernel } from "../kernel/kernel.ts";
import type { CounterRow } from "../observe/row.ts";
import { counter } from "../observe/row.ts";
import type { Forward, Outcome, Program } from "../rules/program.ts";
import type { Connection } from "../runtime/runtime.ts";
import { FrameLine } from "./frame_line.ts";
import type { Letters } from "./letters.ts";
import type { TopicGate } from "./topic_gate.ts";

/** Chunks that paused connections may pin before all others are paused too; a chunk of Bun's is at most 512 KiB. */
const heldBytesMax = 8 * 1024 * 1024;

/** One connection's way through the intake. */
export interface Stream {
  readonly connection: Connection;
  readonly framer: Framer;
  /** Bytes of the chunk that waits with it. */
  heldBytes: number;
  /** Empty frames that are in the ledger; the framer counts from the connection's beginning. */
  emptyFrames: number;
  state: "reading" | "waiting" | "ended";
  /** The outcome of the row that found no room, with the copies that are still to be made. */
  pending: PendingLine | undefined;
}

/** A line whose rules have run and whose copies are not all placed. */
interface PendingLine {
  readonly outcome: Outcome;
  next: number;
}

/** What the intake joins; all of one worker. */
export interface IntakeParts {
  readonly kernel: Kernel;
  readonly batcher: Batcher;
  readonly letters: Letters;
  readonly gate: TopicGate;
  readonly counters: CounterRow;
  readonly program: Program;
  readonly rulesVersion: number;
  /** The next program, if a newer version is in force. */
  adopt(version: number): { readonly program: Program; readonly version: number } | undefined;
}

/** The intake of one worker. */
export class Intake {
  readonly #kernel: Kernel;
  readonly #buffer: TextBuffer;
  readonly #batcher: Batcher;
  readonly #letters: Letters;
  readonly #gate: TopicGate;
  readonly #counters: CounterRow;
  readonly #adopt: IntakeParts["adopt"];
  readonly #line: FrameLine;
  readonly #streams = new Set<Stream>();
  readonly #waiting = new Set<Stream>();
  #program: Program;
  #fallback: Forward;
  #rulesVersion: number;
  #heldBytes = 0;
  #allPaused = false;
  #nextCopy = 0;

  constructor(parts: IntakeParts) {
    this.#kernel = parts.kernel;
    this.#buffer = textBufferOf(parts.kernel.bytes);
    this.#batcher = parts.batcher;
    this.#letters = parts.letters;
    this.#gate = parts.gate;
    this.#counters = parts.counters;
    this.#program = parts.program;
    this.#rulesVersion = parts.rulesVersion;
    this.#adopt = parts.adopt;
    this.#line = new FrameLine(parts.kernel);
    this.#fallback = fallbackOf(parts.program);
  }

  /** The rules in force and their hits. */
  get program(): Program {
    return this.#program;
  }

  get rulesVersion(): number {
    return this.#rulesVersion;
  }

  /** Streams that wait for room, and the bytes that wait with them. */
  get waiting(): { readonly connections: number; readonly heldBytes: number } {
    return { connections: this.#waiting.size, heldBytes: this.#heldBytes };
  }

  open(connection: Connection, mode: FramingMode): Stream {
    const stream: Stream = {
      connection,
      framer: new Framer(this.#kernel, mode),
      heldBytes: 0,
      emptyFrames: 0,
      state: "reading",
      pending: undefined,
    };
    this.#streams.add(stream);
    if (this.#allPaused) connection.pause();
    return stream;
  }

  /** Takes the next bytes of a connection, all of them or up to where memory ends; then it pauses the connection. */
  received(stream: Stream, chunk: Uint8Array): void {
    this.checkRules();
    this.#counters.add(counter.bytes_received, chunk.byteLength);
    stream.framer.begin(chunk);
    if (!this.#pump(stream)) this.#wait(stream, chunk.byteLength);
    this.#counters.publish();
  }

  /** The connection ended: its last line may lack its delimiter. */
  closed(stream: Stream): void {
    const waits = stream.state === "waiting";
    stream.state = "ended";
    if (waits) return;
    this.checkRules();
    if (this.#pump(stream)) this.#streams.delete(stream);
    else this.#wait(stream, 0);
    this.#counters.publish();
  }

  /** Takes one datagram, which is one frame. */
  datagram(packet: Uint8Array, peer: string): void {
    this.checkRules();
    this.#counters.add(counter.datagrams, 1);
    this.#counters.add(counter.bytes_received, packet.byteLength);
    if (frameDatagram(this.#kernel, packet) === 0) this.#emptyFrames(1);
    else if (this.#take(1, peer, undefined) === 0) this.#dropped(counter.dropped_no_memory_udp, 1);
    else this.#countFlags(1);
    this.#counters.publish();
  }

  /** Room came back: streams that wait go on, first come first served, until it is used up again. */
  wake(): void {
    for (const stream of this.#waiting) {
      if (!this.#batcher.roomy || this.#letters.full) return;
      this.checkRules();
      const done = this.#pump(stream);
      this.#counters.publish();
      if (!done) return;
      this.#waiting.delete(stream);
      this.#heldBytes -= stream.heldBytes;
      stream.heldBytes = 0;
      if (stream.state === "ended") this.#streams.delete(stream);
      else {
        stream.state = "reading";
        stream.connection.resume();
      }
    }
    if (this.#allPaused) this.#resumeAll();
  }

  /** Connections that have not ended, for the drain. */
  get streams(): ReadonlySet<Stream> {
    return this.#streams;
  }

  /** Adopts a newer version of the rules if one is in force. Called between chunks. */
  checkRules(): void {
    const next = this.#adopt(this.#rulesVersion);
    if (next === undefined) return;
    this.#program = next.program;
    this.#fallback = fallbackOf(next.program);
    this.#rulesVersion = next.version;
  }

  /**
   * Takes rows until the chunk is used up, and after the connection's end what was never terminated (true), or until
   * there is no room (false; the framer is suspended).
   */
  #pump(stream: Stream): boolean {
    const { framer } = stream;
    let done = true;
    while (done) {
      const rows = framer.next();
      if (rows === 0) break;
      done = this.#takeFrom(stream, rows);
    }
    if (done && stream.state === "ended") {
      const rows = framer.finish();
      if (rows > 0) done = this.#takeFrom(stream, rows);
    }
    this.#emptyFrames(framer.emptyFrames - stream.emptyFrames);
    stream.emptyFrames = framer.emptyFrames;
    return done;
  }

  /** True if all rows were taken, else the stream is suspended at the first that was not. */
  #takeFrom(stream: Stream, rows: number): boolean {
    const taken = this.#take(rows, stream.connection.peer, stream);
    this.#countFlags(taken);
    if (taken < rows) stream.framer.suspend(taken);
    return taken === rows;
  }

  #wait(stream: Stream, chunkBytes: number): void {
    if (stream.state === "reading") {
      stream.state = "waiting";
      stream.connection.pause();
    }
    stream.heldBytes = chunkBytes;
    this.#heldBytes += chunkBytes;
    this.#waiting.add(stream);
    this.#counters.add(counter.pauses, 1);
    if (this.#heldBytes > heldBytesMax && !this.#allPaused) this.#pauseAll();
  }

  #pauseAll(): void {
    this.#allPaused = true;
    for (const stream of this.#streams) if (stream.state === "reading") stream.connection.pause();
  }

  #resumeAll(): void {
    this.#allPaused = false;
    for (const stream of this.#streams) if (stream.state === "reading") stream.connection.resume();
  }

  /** Takes rows [0, rows); returns the first that found no room. */
  #take(rows: number, peer: string, stream: Stream | undefined): number {
    const program = this.#program;
    const nowMs = Date.now();
    const { uniform } = program;
    if (uniform !== undefined && stream?.pending === undefined) {
      return this.#takeUniform(rows, uniform, nowMs);
    }
    if (program.needsHeaders || stream?.pending !== undefined) {
      this.#kernel.parseHeaders(0, rows);
    }
    const line = this.#line;
    line.nowMs = nowMs;
    line.peer = peer;
    for (let row = 0; row < rows; row++) {
      line.move(row);
      const pending = stream?.pending;
      this.#nextCopy = pending?.next ?? 0;
      const outcome = pending?.outcome ?? program.apply(line);
      if (!this.#dispose(outcome, nowMs)) {
        if (stream !== undefined) {
          stream.pending = { outcome: pending?.outcome ?? copyOf(outcome, line), next: this.#nextCopy };
        }
        return row;
      }
      if (pending !== undefined) stream!.pending = undefined;
    }
    return rows;
  }

  /** Every line gets the same: rows become records in one call. */
  #takeUniform(rows: number, uniform: NonNullable<Program["uniform"]>, nowMs: number): number {
    const part = uniform.value === "raw" ? framePart.raw : framePart.message;
    if (part === framePart.message) this.#kernel.parseHeaders(0, rows);
    const taken = this.#batcher.appendRows(this.#batcher.lane(uniform.topic), 0, rows, part, nowMs);
    this.#counters.add(counter.received, taken);
    this.#counters.add(counter.in_flight, taken);
    if (uniform.rule >= 0) this.#program.hits[uniform.rule]! += taken;
    return taken;
  }

  /** Brings a line to its state. False: no room; `#nextCopy` is the copy to go on with. */
  #dispose(outcome: Outcome, nowMs: number): boolean {
    switch (outcome.kind) {
      case "forward": {
        for (; this.#nextCopy < outcome.count; this.#nextCopy++) {
          if (!this.#forward(outcome.forwards[this.#nextCopy]!, nowMs)) return false;
          this.#counters.add(this.#nextCopy === 0 ? counter.received : counter.fan_out, 1);
        }
        return true;
      }
      case "default":
        if (!this.#forward(this.#fallback, nowMs)) return false;
        this.#counters.add(counter.received, 1);
        return true;
      case "drop":
        this.#dropped(
          outcome.reason === "rule_drop" ? counter.dropped_rule_drop : counter.dropped_rule_stop,
          1,
        );
        return true;
      case "dead_letter":
        if (!this.#letter(outcome.reason, outcome.message, undefined, outcome.rule)) return false;
        this.#counters.add(counter.received, 1);
        return true;
    }
  }

  /** One copy of a line into the lane of its topic, or into the dead letter where the topic is refused. */
  #forward(forward: Forward, nowMs: number): boolean {
    const refusal = this.#gate.refusal(forward.topic, forward.topicFromLine);
    if (refusal !== undefined) {
      return this.#letter(
        refusal,
        `Topic "${forward.topic.slice(0, 249)}" was refused`,
        forward.topic.slice(0, 249),
      );
    }
    const { scratchAt } = this.#kernel;
    const { scratchBytes } = this.#kernel.sizes;
    let at: number;
    let length: number;
    // What rules wrote for this line lies in front.
    let scratchUsed = this.#line.scratchUsed;
    if (forward.value === "text") {
      if (!fits(forward.text, scratchBytes - scratchUsed)) {
        return this.#letter("value_too_large", "The value that the rules made is too large", forward.topic);
      }
      at = scratchAt + scratchUsed;
      length = this.#buffer.utf8Write(forward.text, at, scratchBytes - scratchUsed);
      scratchUsed += length;
    } else if (forward.value === "bytes") {
      at = forward.start;
      length = forward.end - at;
    } else {
      at = forward.value === "raw" ? this.#line.start : this.#line.messageStart;
      length = this.#line.end - at;
    }
    let keyAt = 0;
    let keyLength = -1;
    if (forward.key !== undefined) {
      if (!fits(forward.key, scratchBytes - scratchUsed)) {
        return this.#letter("key_too_large", "The key that the rules made is too large", forward.topic);
      }
      keyAt = scratchAt + scratchUsed;
      keyLength = this.#buffer.utf8Write(forward.key, keyAt, scratchBytes - scratchUsed);
    }
    if (!this.#batcher.append(this.#batcher.lane(forward.topic), nowMs, keyAt, keyLength, at, length, 0, 0)) {
      return false;
    }
    this.#counters.add(counter.in_flight, 1);
    return true;
  }

  #letter(reason: string, message: string, topic?: string, rule = -1): boolean {
    const line = this.#line;
    return this.#letters.write({
      timeMs: line.nowMs,
      reason,
      message,
      rule: this.#program.names[rule],
      topic,
      peer: line.peer,
      truncated: line.truncated,
      value: line.raw,
    });
  }

  #dropped(reason: number, lines: number): void {
    this.#counters.add(counter.received, lines);
    this.#counters.add(reason, lines);
  }

  #emptyFrames(frames: number): void {
    if (frames === 0) return;
    this.#counters.add(counter.frames_empty, frames);
    this.#dropped(counter.dropped_empty_frame, frames);
  }

  #countFlags(rows: number): void {
    const { words, rowsAt } = this.#kernel;
    let unparsed = 0;
    let truncated = 0;
    for (let row = 0, word = rowsAt / 4 + 2; row < rows; row++, word += frameRowBytes / 4) {
      const flags = words[word]!;
      if ((flags & (frameFlag.parsed | frameFlag.rfc5424 | frameFlag.rfc3164)) === frameFlag.parsed) {
        unparsed++;
      }
      if ((flags & frameFlag.truncated) !== 0) truncated++;
    }
    if (unparsed > 0) this.#counters.add(counter.unparsed, unparsed);
    if (truncated > 0) this.#counters.add(counter.frames_truncated, truncated);
  }
}

/** Where lines go that no rule forwards. */
function fallbackOf({ fallback }: Program): Forward {
  return {
    ...fallback,
    topicFromLine: false,
    text: "",
    start: 0,
    end: 0,
    key: undefined,
    headers: undefined,
    partition: -1,
  };
}

/** True if the text surely or really has at most `bytes` bytes as UTF-8. */
function fits(text: string, bytes: number): boolean {
  return text.length * 3 <= bytes || Buffer.byteLength(text) <= bytes;
}

/** The program reuses its outcome for the next line; one that waits needs its own. */
function copyOf(outcome: Outcome, line: FrameLine): Outcome {
  return { ...outcome, forwards: outcome.forwards.slice(0, outcome.count).map((one) => kept(one, line)) };
}

/** Bytes that the line wrote are gone with it; the copy has their text. */
function kept(forward: Forward, line: FrameLine): Forward {
  if (forward.value !== "bytes") return { ...forward };
  return { ...forward, value: "text", text: line.splicedText(forward.start, forward.end) };
}
