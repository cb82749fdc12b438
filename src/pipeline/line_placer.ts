/**
 * Brings rows of the frame table to their state: into the lane of a topic, into the dead letter, or dropped. Hot
 * path: nothing is allocated per line; only what rules ask for (text, JSON) is made.
 *
 * It stops at a row for one of three reasons (`stopped`): the lane has no room, the dead letter has none, or the time
 * of this turn is over. The row can be given again later, with what is left to do (`PendingLine`): its rules do not
 * run twice.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Batcher } from "../batch/batcher.ts";
import { type TextBuffer, textBufferOf } from "../core/text_buffer.ts";
import {
  frameFlag,
  framePart,
  frameRowBytes,
  headerRowBytes,
  headerWord,
  type Kernel,
} from "../kernel/kernel.ts";
import { markFlags, markHeader, markHeaderName, markText } from "../kernel/marks.ts";
import { activityWord } from "../observe/activity.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { copyHeaders, type RecordHeaders, recordHeaders, writeHeaders } from "../rules/headers.ts";
import type { Forward, Outcome, Program, RuleDropReason } from "../rules/program.ts";
import { EventTimes } from "../syslog/event_time.ts";
import { zoneOf } from "../syslog/time_zone.ts";
import { FrameLine } from "./frame_line.ts";
import type { Letters } from "./letters.ts";
import type { LineOptions } from "./line_options.ts";
import type { LineTrace, TraceTimes } from "./line_trace.ts";
import type { PeerTroubles } from "./peer_troubles.ts";
import type { Submission } from "./submission.ts";
import { plainLanes, type RecordLanes } from "./record_lanes.ts";
import type { Taps } from "./tap.ts";
import type { TopicGate } from "./topic_gate.ts";

/** What a stream waits for: memory for its lane, room in the dead letter, or its next turn. */
export type Wait = "room" | "letters" | "turn";

/** The clock is asked once for so many lines; at the most expensive rules a turn is late by some milliseconds. */
const linesPerLook = 32;

/** A line whose rules have run and whose copies are not all placed. */
export interface PendingLine {
  readonly outcome: Outcome;
  /** The program that made the outcome; another one may be in force by now. */
  readonly program: Program;
  /** The frame's redacted text, where rules redacted the line. */
  readonly redactedFrame: string | undefined;
  next: number;
  /** Where somebody follows the line. */
  readonly trace?: LineTrace | undefined;
}

/** What a placer joins. */
export interface PlacerParts {
  readonly kernel: Kernel;
  readonly batcher: Batcher;
  readonly letters: Letters;
  readonly gate: TopicGate;
  readonly counters: CounterRow;
  readonly program: Program;
  /** Chooses the lane of each record; without it rules alone do. */
  readonly lanes?: RecordLanes;
  /** Records carry the time of the message itself where that is sane, not that of its receipt. */
  readonly eventTime?: boolean;
  /** What this worker does now, for the sentinel. */
  readonly activity: Int32Array;
  /** Who looks at lines as they pass. */
  readonly taps?: Taps;
  /** Where senders are counted whose lines are not as they should be. */
  readonly troubles?: PeerTroubles;
}

/** Rows of a chunk that are shown where all of them go on in one call; the others pass unseen. */
const tappedRowsMax = 8;

/** Why a listener's lines go to the dead letter before any rule sees them, for people. */
const refusalMessages = {
  oversize: "The line is longer than frame_max; this is a part of it",
  unparsed: "The line has no syslog header",
} as const;

const localZone = zoneOf("local");

/** Where lines that rules drop are counted. */
const dropCounter: Readonly<Record<RuleDropReason, number>> = {
  rule_stop: counter.dropped_rule_stop,
  rule_drop: counter.dropped_rule_drop,
  rule_sample: counter.dropped_rule_sample,
  rule_throttle: counter.dropped_rule_throttle,
};

type Uniform = NonNullable<Program["uniform"]>;

/** The placer of one worker. */
export class LinePlacer {
  /** When the chunk came that is placed now (`performance.now()`), for who follows lines. */
  receivedMs = 0;
  /** Why the last `place` took fewer rows than it was given. */
  stopped: Wait = "room";
  /** What is left of the row at which it stopped; give it back with that row. */
  left: PendingLine | undefined;
  readonly #kernel: Kernel;
  readonly #buffer: TextBuffer;
  readonly #batcher: Batcher;
  readonly #letters: Letters;
  readonly #gate: TopicGate;
  readonly #counters: CounterRow;
  readonly #line: FrameLine;
  readonly #lanes: RecordLanes;
  readonly #eventTimes: EventTimes | undefined;
  readonly #activity: Int32Array;
  readonly #connection: Int32Array;
  readonly #taps: Taps | undefined;
  readonly #troubles: PeerTroubles | undefined;
  /** What the listener of the lines at hand refuses. */
  #refusesOversize = false;
  #refusesUnparsed = false;
  #program: Program;
  #fallback: Forward;
  #nextCopy = 0;
  /** The request whose lines are placed now. */
  #submission: Submission | undefined;
  /** Redaction of the line at hand, and what is kept of it where it waited. */
  #redaction: Outcome["redaction"] = "none";
  #pending: PendingLine | undefined;
  /** Who follows the line at hand. */
  #trace: LineTrace | undefined;

  constructor(parts: PlacerParts) {
    this.#kernel = parts.kernel;
    this.#buffer = textBufferOf(parts.kernel.bytes);
    this.#batcher = parts.batcher;
    this.#letters = parts.letters;
    this.#gate = parts.gate;
    this.#counters = parts.counters;
    this.#line = new FrameLine(parts.kernel);
    this.#lanes = parts.lanes ?? plainLanes(parts.batcher, parts.kernel.bytes);
    this.#eventTimes = parts.eventTime === true ? new EventTimes(parts.kernel.bytes) : undefined;
    this.#activity = parts.activity.subarray(activityWord.rule, activityWord.rule + 1);
    this.#troubles = parts.troubles;
    this.#connection = parts.activity.subarray(activityWord.connection, activityWord.connection + 1);
    this.#taps = parts.taps;
    this.#program = parts.program;
    this.#program.tried = this.#activity;
    this.#fallback = fallbackOf(parts.program);
  }

  /** The rules in force. */
  get program(): Program {
    return this.#program;
  }

  set program(program: Program) {
    this.#program = program;
    program.tried = this.#activity;
    this.#fallback = fallbackOf(program);
  }

  /**
   * Places rows [0, rows); returns the first that was not placed. `pending` belongs to row 0. After `untilMs`
   * (`performance.now()`) it stops, but not before one row is placed. `submission` is the request that waits for them.
   */
  place(
    rows: number,
    peer: string,
    pending: PendingLine | undefined,
    untilMs: number,
    submission?: Submission,
    lines?: LineOptions,
  ): number {
    this.left = undefined;
    this.#line.zone = lines?.zone ?? localZone;
    this.#refusesOversize = lines?.refusesOversize === true;
    this.#refusesUnparsed = lines?.refusesUnparsed === true;
    if (submission !== undefined) this.#begin(submission);
    this.#batcher.peer = peer;
    const placed = this.#place(rows, peer, pending, untilMs);
    this.#batcher.peer = undefined;
    this.#countFlags(placed, peer);
    if (submission !== undefined) {
      submission.placed += placed;
      this.#submission = this.#batcher.receipt = undefined;
    }
    return placed;
  }

  /**
   * Gives rows up: they are counted as received and dropped. `pending` belongs to the first; where a copy of that line
   * was placed already, the copies that were not are the ones that are dropped.
   *
   * @returns lines and copies that were given up
   */
  drop(rows: number, pending: PendingLine | undefined, reason: number): number {
    if (pending === undefined || pending.next === 0) {
      this.dropped(reason, rows);
      return rows;
    }
    const copies = pending.outcome.count - pending.next;
    this.#counters.add(counter.fan_out, copies);
    this.#counters.add(reason, copies);
    this.dropped(reason, rows - 1);
    return rows - 1 + copies;
  }

  /** Counts lines as received and dropped. */
  dropped(reason: number, lines: number): void {
    this.#counters.add(counter.received, lines);
    this.#counters.add(reason, lines);
  }

  #place(rows: number, peer: string, first: PendingLine | undefined, untilMs: number): number {
    const nowMs = Date.now();
    const { uniform } = this.#program;
    const isTapped = this.#taps?.open === true;
    const key = this.#submission?.request.key;
    const eventTimes = this.#eventTimes;
    if (this.#refusesUnparsed) this.#kernel.parseHeaders(0, rows);
    const refuses = (this.#refusesOversize || this.#refusesUnparsed) && this.#refusesOneOf(rows);
    if (
      !refuses && uniform !== undefined && first === undefined && key === undefined &&
      eventTimes === undefined && !(isTapped && uniform.value === "json")
    ) {
      if (uniform.value === "json") return this.#placeJson(rows, uniform, peer, nowMs, untilMs);
      const trace = isTapped ? this.#tapUniform(Math.min(rows, tappedRowsMax), peer, nowMs) : undefined;
      if (trace === undefined) return this.#placeUniform(0, rows, uniform, nowMs);
      return this.#placeTraced(rows, uniform, nowMs, trace);
    }
    const needsMessage = this.#submission?.request.value === "message";
    if (
      this.#program.needsHeaders || first !== undefined || eventTimes !== undefined || needsMessage ||
      isTapped
    ) {
      this.#kernel.parseHeaders(0, rows);
    }
    return this.#placeEach(0, rows, peer, first, nowMs, untilMs, refuses, isTapped);
  }

  /** Rows one by one, as the rules say. */
  #placeEach(
    from: number,
    rows: number,
    peer: string,
    first: PendingLine | undefined,
    nowMs: number,
    untilMs: number,
    refuses = false,
    isTapped = false,
  ): number {
    const eventTimes = this.#eventTimes;
    const isTraced = isTapped && this.#taps!.tracing;
    const line = this.#line;
    line.nowMs = nowMs;
    line.peer = peer;
    for (let row = from; row < rows; row++) {
      line.move(row);
      const pending = row === 0 ? first : undefined;
      const program = pending?.program ?? this.#program;
      if (refuses && pending === undefined) {
        const refusal = this.#refusalOf(row);
        if (refusal !== undefined) {
          if (!this.#refuse(refusal)) return row;
          continue;
        }
      }
      const rulesFromMs = isTraced ? performance.now() : 0;
      const outcome = pending?.outcome ?? program.apply(line);
      let trace = pending?.trace;
      if (isTapped && pending === undefined) {
        const times = isTraced ? this.#times(rulesFromMs) : undefined;
        trace = this.#taps!.saw(line, outcome, program, this.#connection[0]!, times);
      }
      this.#trace = this.#batcher.trace = trace;
      this.#nextCopy = pending?.next ?? 0;
      this.#redaction = outcome.redaction;
      this.#pending = pending;
      const timeMs = eventTimes === undefined ? nowMs : this.#timeOf(row, eventTimes, nowMs);
      const isPlaced = this.#dispose(outcome, program, timeMs);
      this.#trace = this.#batcher.trace = undefined;
      if (isPlaced) trace?.placed();
      else {
        this.left = {
          trace,
          outcome: pending?.outcome ?? copyOf(outcome, line),
          program,
          redactedFrame: this.#frameText(program),
          next: this.#nextCopy,
        };
        return row;
      }
      if (row % linesPerLook === linesPerLook - 1 && performance.now() > untilMs && row + 1 < rows) {
        this.stopped = "turn";
        return row + 1;
      }
    }
    return rows;
  }

  #refusesOneOf(rows: number): boolean {
    for (let row = 0; row < rows; row++) if (this.#refusalOf(row) !== undefined) return true;
    return false;
  }

  /** Why the listener does not forward a row. */
  #refusalOf(row: number): keyof typeof refusalMessages | undefined {
    const { words, rowsAt } = this.#kernel;
    const flags = words[(rowsAt + row * frameRowBytes) / 4 + 2]!;
    if (this.#refusesOversize && (flags & (frameFlag.split | frameFlag.truncated)) !== 0) return "oversize";
    return this.#refusesUnparsed && (flags & frameFlag.unparsed) !== 0 ? "unparsed" : undefined;
  }

  /** The line at hand goes to the dead letter before any rule sees it. False: no room. */
  #refuse(refusal: keyof typeof refusalMessages): boolean {
    this.#redaction = "none";
    this.#pending = undefined;
    if (!this.#letter(this.#program, refusal, refusalMessages[refusal])) return false;
    this.#counters.add(counter.received, 1);
    return true;
  }

  #timeOf(row: number, eventTimes: EventTimes, nowMs: number): number {
    const { words, headersAt } = this.#kernel;
    const word = (headersAt + row * headerRowBytes) / 4 + headerWord.timestamp;
    return eventTimes.read(words[word]!, words[word + 1]!, nowMs, this.#line.zone);
  }

  #begin(submission: Submission): void {
    this.#submission = submission;
    this.#batcher.receipt = submission.receipt;
  }

  /** The first row by itself, because somebody follows it; then the others. */
  #placeTraced(rows: number, uniform: Uniform, nowMs: number, trace: LineTrace): number {
    this.#batcher.trace = trace;
    const first = this.#placeUniform(0, 1, uniform, nowMs);
    this.#batcher.trace = undefined;
    if (first === 1) trace.placed();
    // No room: when there is, it goes unseen.
    else trace.forget();
    return first + (first === 1 && rows > 1 ? this.#placeUniform(1, rows, uniform, nowMs) : 0);
  }

  #times(rulesFromMs: number): TraceTimes {
    return { receivedMs: this.receivedMs, rulesFromMs, rulesToMs: performance.now() };
  }

  /** Shows the first rows of those that go on in one call. Somebody may want to follow the first. */
  #tapUniform(rows: number, peer: string, nowMs: number): LineTrace | undefined {
    let trace: LineTrace | undefined;
    const line = this.#line;
    this.#kernel.parseHeaders(0, rows);
    line.nowMs = nowMs;
    line.peer = peer;
    for (let row = 0; row < rows; row++) {
      line.move(row);
      const fromMs = performance.now();
      const outcome = this.#program.apply(line);
      const times = row === 0 ? this.#times(fromMs) : undefined;
      const seen = this.#taps!.saw(line, outcome, this.#program, this.#connection[0]!, times);
      trace ??= seen;
    }
    // They are counted with the others when they are placed.
    const { rule } = this.#program.uniform!;
    if (rule >= 0) this.#program.hits[rule]! -= rows;
    return trace;
  }

  /** Every line gets the same: rows become records in one call. */
  #placeUniform(from: number, to: number, uniform: Uniform, nowMs: number): number {
    const isRaw = uniform.value === "raw" &&
      (uniform.rule >= 0 || this.#submission?.request.value !== "message");
    const part = isRaw ? framePart.raw : framePart.message;
    if (part === framePart.message) this.#kernel.parseHeaders(from, to);
    const topic = uniform.rule >= 0 ? uniform.topic : this.#submission?.request.topic ?? uniform.topic;
    const taken = this.#batcher.appendRows(this.#batcher.lane(topic), from, to, part, nowMs);
    if (taken < to - from) this.stopped = "room";
    this.#counters.add(counter.received, taken);
    this.#counters.add(counter.in_flight, taken);
    if (uniform.rule >= 0) this.#program.hits[uniform.rule]! += taken;
    return taken;
  }

  /** Every line becomes its JSON form: in one call as far as the kernel writes it, else by the rules. */
  #placeJson(
    rows: number,
    uniform: Uniform,
    peer: string,
    nowMs: number,
    untilMs: number,
  ): number {
    this.#kernel.parseHeaders(0, rows);
    const { jsonTail } = this.#kernel;
    jsonTail.set(peer);
    let row = 0;
    while (row < rows) {
      if (jsonTail.length > 0) {
        const lane = this.#batcher.lane(uniform.topic);
        const taken = this.#batcher.appendJsonRows(lane, row, rows, jsonTail.length, nowMs);
        this.#counters.add(counter.received, taken);
        this.#counters.add(counter.in_flight, taken);
        this.#program.hits[uniform.rule]! += taken;
        row += taken;
        if (row === rows) break;
        if (!this.#batcher.refusedRow) {
          this.stopped = "room";
          break;
        }
      }
      const next = this.#placeEach(row, row + 1, peer, undefined, nowMs, untilMs);
      if (next === row) break;
      row = next;
      if (row < rows && performance.now() > untilMs) {
        this.stopped = "turn";
        break;
      }
    }
    return row;
  }

  /** Brings a line to its state. False: no room; `#nextCopy` is the copy to go on with. */
  #dispose(outcome: Outcome, program: Program, timeMs: number): boolean {
    switch (outcome.kind) {
      case "forward": {
        for (; this.#nextCopy < outcome.count; this.#nextCopy++) {
          if (!this.#forward(program, outcome.forwards[this.#nextCopy]!, timeMs)) return false;
          this.#counters.add(this.#nextCopy === 0 ? counter.received : counter.fan_out, 1);
        }
        return true;
      }
      case "default":
        if (!this.#forward(program, this.#fallbackNow(), timeMs)) return false;
        this.#counters.add(counter.received, 1);
        return true;
      case "drop":
        this.dropped(dropCounter[outcome.reason as RuleDropReason], 1);
        this.#submission?.note(this.#line.row, "dropped", outcome.reason);
        return true;
      case "dead_letter":
        if (!this.#letter(program, outcome.reason, outcome.message, undefined, program.names[outcome.rule])) {
          return false;
        }
        this.#counters.add(counter.received, 1);
        return true;
    }
  }

  /** Where a line goes that no rule forwards: a request may have chosen. */
  #fallbackNow(): Forward {
    const request = this.#submission?.request;
    if (request === undefined || (request.topic === undefined && request.value === undefined)) {
      return this.#fallback;
    }
    return {
      ...this.#fallback,
      ...(request.topic === undefined ? {} : { topic: request.topic, topicFromLine: true }),
      ...(request.value === undefined ? {} : { value: request.value }),
    };
  }

  /** One copy of a line into the lane of its topic, or into the dead letter where the topic is refused. */
  #forward(program: Program, forward: Forward, timeMs: number): boolean {
    const refusal = this.#gate.refusal(forward.topic, forward.topicFromLine);
    if (refusal !== undefined) {
      return this.#letter(
        program,
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
        return this.#letter(
          program,
          "value_too_large",
          "The value that the rules made is too large",
          forward.topic,
        );
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
    const key = forward.key ?? this.#submission?.request.key;
    if (key !== undefined) {
      if (!fits(key, scratchBytes - scratchUsed)) {
        return this.#letter(
          program,
          "key_too_large",
          "The key that the rules made is too large",
          forward.topic,
        );
      }
      keyAt = scratchAt + scratchUsed;
      keyLength = this.#buffer.utf8Write(key, keyAt, scratchBytes - scratchUsed);
    }
    let headersAt = 0;
    let headersLength = 0;
    const marks = this.#line.flags & markFlags;
    if (forward.headers === undefined) {
      if (marks !== 0) {
        const header = markHeader(this.#kernel.words, marks);
        headersAt = header.at;
        headersLength = header.length;
      }
    } else {
      if (key !== undefined) scratchUsed += keyLength;
      headersAt = scratchAt + scratchUsed;
      const headers = marks === 0 ? forward.headers : withMark(forward.headers, marks);
      headersLength = writeHeaders(headers, this.#buffer, headersAt, scratchBytes - scratchUsed);
      if (headersLength < 0) {
        return this.#letter(
          program,
          "headers_too_large",
          "The headers that the rules made are too large",
          forward.topic,
        );
      }
    }
    const limit = this.#lanes.limitBrokenBy(forward.topic, length + Math.max(keyLength, 0) + headersLength);
    if (limit !== undefined) {
      const what = `A record of ${length} bytes is too large for topic "${forward.topic}"`;
      return this.#letter(
        program,
        "record_too_large",
        `${what}: its max.message.bytes is ${limit}`,
        forward.topic,
      );
    }
    const lane = this.#lanes.of(forward.topic, forward.partition, keyAt, keyLength);
    if (!this.#batcher.append(lane, timeMs, keyAt, keyLength, at, length, headersAt, headersLength)) {
      this.stopped = "room";
      return false;
    }
    this.#counters.add(counter.in_flight, 1);
    return true;
  }

  /** The line into the dead letter, as its rules left it: what they redacted does not go there either. */
  #letter(program: Program, reason: string, message: string, topic?: string, rule?: string): boolean {
    const line = this.#line;
    const frame = this.#redaction === "done" ? this.#frameText(program) : undefined;
    const redacted = this.#redaction === "none" ? undefined : frame === undefined ? "failed" : "done";
    const submission = this.#submission;
    const wait = this.#letters.write({
      timeMs: line.nowMs,
      reason,
      message,
      kind: "line",
      rule,
      topic,
      peer: line.peer,
      truncated: line.truncated,
      redacted,
      value: frame === undefined ? line.raw : Buffer.from(frame),
    }, submission?.receipt ?? this.#trace);
    if (wait === undefined) this.#trace?.lettered();
    if (wait === undefined) {
      submission?.note(line.row, "dead_lettered", reason);
      return true;
    }
    this.stopped = wait;
    return false;
  }

  /** The redacted text of the frame at hand; undefined where nothing was redacted, or it cannot be had. */
  #frameText(program: Program): string | undefined {
    if (this.#redaction !== "done") return undefined;
    return this.#pending === undefined ? program.redactedFrame() : this.#pending.redactedFrame;
  }

  #countFlags(rows: number, peer: string): void {
    const { words, rowsAt } = this.#kernel;
    let any = 0;
    for (let row = 0, word = rowsAt / 4 + 2; row < rows; row++, word += frameRowBytes / 4) {
      any |= words[word]!;
    }
    if ((any & markFlags) !== 0) this.#countMarked(rows, peer);
  }

  #countMarked(rows: number, peer: string): void {
    const { words, rowsAt } = this.#kernel;
    let unparsed = 0;
    let truncated = 0;
    let parts = 0;
    let continued = 0;
    for (let row = 0, word = rowsAt / 4 + 2; row < rows; row++, word += frameRowBytes / 4) {
      const flags = words[word]!;
      if ((flags & frameFlag.unparsed) !== 0) unparsed++;
      if ((flags & frameFlag.truncated) !== 0) {
        truncated++;
        this.#submission?.note(row, "truncated", "frame_too_large");
      }
      if ((flags & frameFlag.continued) !== 0) continued++;
      else if ((flags & frameFlag.split) !== 0) parts++;
    }
    const troubles = this.#troubles;
    this.#counters.add(counter.unparsed, unparsed);
    this.#counters.add(counter.frames_truncated, truncated);
    // One line was received; its further parts are what splitting made of it.
    this.#counters.add(counter.received, -continued);
    this.#counters.add(counter.split, continued);
    if (unparsed > 0) troubles?.add(peer, "unparsed", unparsed);
    if (truncated + parts > 0) troubles?.add(peer, "oversize", truncated + parts);
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

/** The headers that the rules made, and the one that tells what is the matter with the line. */
function withMark({ names, values }: RecordHeaders, marks: number): RecordHeaders {
  return recordHeaders([...names, markHeaderName], [...values, markText(marks)], false);
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
  const headers = forward.headers === undefined ? undefined : copyHeaders(forward.headers);
  if (forward.value !== "bytes") return { ...forward, headers };
  return { ...forward, headers, value: "text", text: line.splicedText(forward.start, forward.end) };
}
