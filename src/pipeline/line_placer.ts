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
import type { Batcher } from "../batch/batcher.ts";
import { headerRowBytes, headerWord, type Kernel } from "../kernel/kernel.ts";
import { activityWord } from "../observe/activity.ts";
import { counter, type CounterRow } from "../observe/row.ts";
import { fallbackForward } from "../rules/forward.ts";
import type { Forward, Outcome, Program, RuleDropReason } from "../rules/program.ts";
import { EventTimes } from "../syslog/event_time.ts";
import { zoneOf } from "../syslog/time_zone.ts";
import { fallbackFor } from "./fallback.ts";
import { FrameLine } from "./frame_line.ts";
import type { Letters } from "./letters.ts";
import { LineAtHand } from "./line_at_hand.ts";
import { type LetterWait, LineLetters } from "./line_letters.ts";
import type { LineOptions } from "./line_options.ts";
import type { TraceTimes } from "./line_trace.ts";
import { MarkedLines } from "./marked_lines.ts";
import type { PeerTroubles } from "./peer_troubles.ts";
import { copyOf, type PendingLine } from "./pending_line.ts";
import { RecordPlacer } from "./record_placer.ts";
import type { Submission } from "./submission.ts";
import { plainLanes, type RecordLanes } from "./record_lanes.ts";
import { type Refusal, refusalMessages, RowRefusals } from "./row_refusals.ts";
import type { Taps } from "./tap.ts";
import type { TopicGate } from "./topic_gate.ts";
import { type Uniform, UniformRows } from "./uniform_rows.ts";

/** What a stream waits for: memory for its lane, room in the dead letter, or its next turn. */
export type Wait = "room" | "letters" | "turn";

/** The clock is asked once for so many lines; at the most expensive rules a turn is late by some milliseconds. */
const linesPerLook = 32;

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

const localZone = zoneOf("local");

/** Where lines that rules drop are counted. */
const dropCounter: Readonly<Record<RuleDropReason, number>> = {
  rule_stop: counter.dropped_rule_stop,
  rule_drop: counter.dropped_rule_drop,
  rule_sample: counter.dropped_rule_sample,
  rule_throttle: counter.dropped_rule_throttle,
};

/** The placer of one worker. */
export class LinePlacer {
  /** When the chunk came that is placed now (`performance.now()`), for who follows lines. */
  receivedMs = 0;
  /** Why the last `place` took fewer rows than it was given. */
  stopped: Wait = "room";
  /** What is left of the row at which it stopped; give it back with that row. */
  left: PendingLine | undefined;
  readonly #kernel: Kernel;
  readonly #batcher: Batcher;
  readonly #counters: CounterRow;
  readonly #line: FrameLine;
  readonly #hand = new LineAtHand();
  readonly #letters: LineLetters;
  readonly #records: RecordPlacer;
  readonly #uniform: UniformRows;
  readonly #marked: MarkedLines;
  readonly #eventTimes: EventTimes | undefined;
  readonly #activity: Int32Array;
  readonly #connection: Int32Array;
  readonly #taps: Taps | undefined;
  readonly #refusals: RowRefusals;
  #program: Program;
  #fallback: Forward;
  #nextCopy = 0;

  constructor(parts: PlacerParts) {
    const { kernel, batcher, gate, counters } = parts;
    this.#kernel = kernel;
    this.#batcher = batcher;
    this.#counters = counters;
    const line = this.#line = new FrameLine(kernel);
    const hand = this.#hand;
    const letters = this.#letters = new LineLetters(parts.letters, line, hand);
    const lanes = parts.lanes ?? plainLanes(batcher, kernel.bytes);
    this.#records = new RecordPlacer({ kernel, batcher, gate, counters, lanes, letters, line, hand });
    this.#marked = new MarkedLines(kernel, counters, parts.troubles);
    this.#eventTimes = parts.eventTime === true ? new EventTimes(kernel.bytes) : undefined;
    this.#activity = parts.activity.subarray(activityWord.rule, activityWord.rule + 1);
    const connection = parts.activity.subarray(activityWord.connection, activityWord.connection + 1);
    this.#connection = connection;
    const { taps } = parts;
    this.#taps = taps;
    this.#refusals = new RowRefusals(kernel);
    this.#uniform = new UniformRows({ kernel, batcher, counters, line, hand, taps, connection });
    this.#program = parts.program;
    this.#program.tried = this.#activity;
    this.#fallback = fallbackForward(parts.program);
  }

  /** The rules in force. */
  get program(): Program {
    return this.#program;
  }

  set program(program: Program) {
    this.#program = program;
    program.tried = this.#activity;
    this.#fallback = fallbackForward(program);
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
    this.#refusals.listener = lines;
    if (submission !== undefined) this.#begin(submission);
    this.#batcher.peer = peer;
    const placed = this.#place(rows, peer, pending, untilMs);
    this.#batcher.peer = undefined;
    this.#marked.count(placed, peer, submission);
    if (submission !== undefined) {
      submission.placed += placed;
      this.#hand.submission = this.#batcher.receipt = undefined;
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
    const key = this.#hand.submission?.request.key;
    const eventTimes = this.#eventTimes;
    const refuses = this.#refusals.any(rows);
    if (
      !refuses && uniform !== undefined && first === undefined && key === undefined &&
      eventTimes === undefined && !(isTapped && uniform.value === "json")
    ) {
      if (uniform.value === "json") return this.#placeJson(rows, uniform, peer, nowMs, untilMs);
      const placed = this.#uniform.place(
        this.#program,
        rows,
        peer,
        nowMs,
        isTapped ? this.receivedMs : undefined,
      );
      if (placed < rows) this.stopped = "room";
      return placed;
    }
    const needsMessage = this.#hand.submission?.request.value === "message";
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
        const refusal = this.#refusals.of(row);
        if (refusal !== undefined) {
          const wait = this.#refuse(refusal);
          if (wait === undefined) continue;
          this.stopped = wait;
          return row;
        }
      }
      const rulesFromMs = isTraced ? performance.now() : 0;
      const outcome = pending?.outcome ?? program.apply(line);
      let trace = pending?.trace;
      if (isTapped && pending === undefined) {
        const times = isTraced ? this.#times(rulesFromMs) : undefined;
        trace = this.#taps!.saw(line, outcome, program, this.#connection[0]!, times);
      }
      this.#hand.trace = this.#batcher.trace = trace;
      this.#nextCopy = pending?.next ?? 0;
      this.#hand.redaction = outcome.redaction;
      this.#hand.pending = pending;
      const timeMs = eventTimes === undefined ? nowMs : this.#timeOf(row, eventTimes, nowMs);
      const wait = this.#dispose(outcome, program, timeMs);
      this.#hand.trace = this.#batcher.trace = undefined;
      if (wait === undefined) trace?.placed();
      else {
        this.stopped = wait;
        this.left = {
          trace,
          outcome: pending?.outcome ?? copyOf(outcome, line),
          program,
          redactedFrame: this.#hand.frameText(program),
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

  /** The line at hand goes to the dead letter before any rule sees it. */
  #refuse(refusal: Refusal): LetterWait | undefined {
    this.#hand.redaction = "none";
    this.#hand.pending = undefined;
    const wait = this.#letters.write(this.#program, refusal, refusalMessages[refusal]);
    if (wait === undefined) this.#counters.add(counter.received, 1);
    return wait;
  }

  #timeOf(row: number, eventTimes: EventTimes, nowMs: number): number {
    const { words, headersAt } = this.#kernel;
    const word = (headersAt + row * headerRowBytes) / 4 + headerWord.timestamp;
    return eventTimes.read(words[word]!, words[word + 1]!, nowMs, this.#line.zone);
  }

  #begin(submission: Submission): void {
    this.#hand.submission = submission;
    this.#batcher.receipt = submission.receipt;
  }

  #times(rulesFromMs: number): TraceTimes {
    return { receivedMs: this.receivedMs, rulesFromMs, rulesToMs: performance.now() };
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

  /** Brings a line to its state. Else what it waits for; `#nextCopy` is the copy to go on with. */
  #dispose(outcome: Outcome, program: Program, timeMs: number): LetterWait | undefined {
    switch (outcome.kind) {
      case "forward": {
        for (; this.#nextCopy < outcome.count; this.#nextCopy++) {
          const wait = this.#records.place(program, outcome.forwards[this.#nextCopy]!, timeMs);
          if (wait !== undefined) return wait;
          this.#counters.add(this.#nextCopy === 0 ? counter.received : counter.fan_out, 1);
        }
        return undefined;
      }
      case "default": {
        const wait = this.#records.place(program, fallbackFor(this.#fallback, this.#hand.submission), timeMs);
        if (wait === undefined) this.#counters.add(counter.received, 1);
        return wait;
      }
      case "drop":
        this.dropped(dropCounter[outcome.reason as RuleDropReason], 1);
        this.#hand.submission?.note(this.#line.row, "dropped", outcome.reason);
        return undefined;
      case "dead_letter": {
        const rule = program.names[outcome.rule];
        const wait = this.#letters.write(program, outcome.reason, outcome.message, undefined, rule);
        if (wait === undefined) this.#counters.add(counter.received, 1);
        return wait;
      }
    }
  }
}
